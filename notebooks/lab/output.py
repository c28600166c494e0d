"""Text below a cell: Markdown, tables, and numbers with a comma as Russian readers write them."""

import math
import re

from IPython.display import Markdown, display

SPACE = "\N{NO-BREAK SPACE}"
UNITS = re.compile(r"(?<=\d) (?=(?:%|мкс|мс|с|МБ|ГиБ|раз)\b)|(?<=\d) (?=%)")


def number(value: float | None, digits: int = 2, shortest: bool = False) -> str:
    """Return a number with at least `digits` significant digits: 0,36; 1,2; 3 000; — for none."""
    if value is None or not math.isfinite(value):
        return "—"
    if shortest:
        text = f"{value:.10g}" if abs(value) < 10_000 else f"{value:,.0f}"
    else:
        value = float(f"{value:.{digits}g}") if abs(value) < 10 ** (digits - 1) else round(value)
        size = math.floor(math.log10(abs(value))) if value else digits - 1
        text = f"{value:,.{max(digits - 1 - size, 0)}f}"
        text = text if abs(value) >= 10_000 else text.replace(",", "")
    narrow = "\N{NARROW NO-BREAK SPACE}"
    return text.replace(",", narrow).replace(".", ",").replace("-", "\N{MINUS SIGN}")


def markdown(text: str) -> Markdown:
    """Return Markdown in which no line ends between a number and its unit."""
    return Markdown(UNITS.sub(SPACE, text))


def say(text: str) -> None:
    """Display Markdown."""
    display(markdown(text))


def table(*rows: tuple) -> str:
    """Return a table in Markdown; the first row is its head, numbers stand to the right."""
    lines = [[cell if isinstance(cell, str) else number(cell) for cell in row] for row in rows]
    lines.insert(1, [":--", *["--:"] * (len(lines[0]) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
