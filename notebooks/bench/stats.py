"""Percentiles and tables."""

import math
from collections.abc import Sequence

import numpy as np


def percentile(values: np.ndarray, percent: float) -> float:
    """Return the smallest value that `percent` of the values do not exceed (nearest rank)."""
    if not len(values):
        return math.nan
    rank = max(math.ceil(len(values) * percent / 100), 1) - 1
    return float(np.partition(values, rank)[rank])


def summary(milliseconds: np.ndarray) -> dict[str, float]:
    """Return p50, p95 and p99 of latencies, in milliseconds as they come."""
    return {f"p{percent}_ms": percentile(milliseconds, percent) for percent in (50, 95, 99)}


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with `digits` significant digits, large ones with a suffix; `-` for None."""
    if value is None or math.isnan(value):
        return "-"
    for limit, suffix in ((1e6, " M"), (1e4, " k")):
        if abs(value) >= limit:
            return number(value / (1e6 if suffix == " M" else 1e3), digits) + suffix
    if value == 0:
        return "0"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    return f"{value:.{decimals}f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, its columns aligned; all but the first to the right."""
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    rule = [("-" * widths[0]), *("-" * (width - 1) + ":" for width in widths[1:])]
    body = [lines[0], rule, *lines[1:]]
    return "\n".join(
        "| " + " | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) + " |"
        for row in body
    )
