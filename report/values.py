"""Inline values: where they are looked up, how they are computed, how Russian writes them.

A marker reads `EXPRESSION UNIT ROUNDING`, the last two optional, for instance
`latency.step4.100.p50_us ms 2` or `rate.step3.p99_ms / rate.step4.p99_ms ~2`.

- EXPRESSION: a dotted path, or several with `+ - * /` between them, from left to right; a plain
  number may be the first operand or follow `*` or `/`. The end of a path says the unit of its
  value (`_us _ms _s _min`, `_bytes`, `_per_s`).
- UNIT: what the value is converted to, or `%`, `thousand`, `million` for plain numbers.
- ROUNDING: `2` for two decimals, `~2` for two significant digits. Without it an integer stays as
  it is, and any other number gets three significant digits.
"""

import math
import operator
import re
from dataclasses import dataclass

from project import Problem

SECOND, BYTE = (1, 0), (0, 1)
UNITS = {
    "us": (1e-6, SECOND),
    "ms": (1e-3, SECOND),
    "s": (1, SECOND),
    "min": (60, SECOND),
    "bytes": (1, BYTE),
    "kB": (1e3, BYTE),
    "MB": (1e6, BYTE),
    "KiB": (2**10, BYTE),
    "MiB": (2**20, BYTE),
}
SCALES = {"%": 0.01, "thousand": 1e3, "million": 1e6}
UNIT_OF_NAME = re.compile(r"(?:^|_)(us|ms|s|min|bytes)(?:_per_[a-z]{2,})?$")
PER_SECOND = re.compile(r"(?:^|_)per_s$")
NUMBER = re.compile(r"\d+(\.\d+)?")
ROUNDING = re.compile(r"~?\d+")
OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
NO_BREAK_SPACE, MINUS = "\u00a0", "\u2212"


@dataclass(frozen=True)
class Quantity:
    """A number of seconds, bytes, their products and ratios; `powers` are those of the units."""

    number: float
    powers: tuple[int, int] = (0, 0)

    def combine(self, sign: str, other: "Quantity") -> "Quantity":
        """Return the result of one operation."""
        if sign in "+-" and self.powers != other.powers:
            raise Problem(f"{sign} between different units")
        if sign == "/" and other.number == 0:
            raise Problem("division by zero")
        turn = {"*": 1, "/": -1}.get(sign, 0)
        powers = tuple(a + turn * b for a, b in zip(self.powers, other.powers, strict=True))
        return Quantity(OPERATORS[sign](self.number, other.number), powers)


def show(marker: str, data: dict) -> str:
    """Return what a marker stands for, as text."""
    first, *words = marker.split() or [""]
    value = look_up(first, data)
    if isinstance(value, str):
        if words:
            raise Problem(f"{first} is a text, nothing may follow it")
        return value
    if not words or ROUNDING.fullmatch(words[0]):
        return write(value, *words)  # in the unit of the file
    quantity = measure(first, value)
    while words and words[0] in OPERATORS:
        quantity = quantity.combine(words[0], operand(words[0], words[1:2], data))
        words = words[2:]
    if words and words[0] in UNITS | SCALES:
        quantity = convert(quantity, words.pop(0))
    return write(quantity.number, *words)


def look_up(path: str, data: dict) -> float | str:
    """Return the value at a dotted path, or the number that is written there itself."""
    if NUMBER.fullmatch(path):
        return float(path) if "." in path else int(path)
    place: object = data
    for key in path.split("."):
        place = place.get(key) if isinstance(place, dict) else None
    if not isinstance(place, int | float | str):
        raise Problem(f"there is no value {path} (see: python report/build.py values)")
    return place


def measure(path: str, value: float) -> Quantity:
    """Return a value with the unit that the end of its name says."""
    name = path.rpartition(".")[2]
    if PER_SECOND.search(name):
        return Quantity(value, (-1, 0))
    unit = UNIT_OF_NAME.search(name)
    factor, powers = UNITS[unit[1]] if unit else (1, (0, 0))
    return Quantity(value * factor, powers)


def operand(sign: str, words: list[str], data: dict) -> Quantity:
    """Return what follows a sign."""
    if not words or (NUMBER.fullmatch(words[0]) and sign in "+-"):
        raise Problem(f"a path has to follow {sign}")
    value = look_up(words[0], data)
    if isinstance(value, str):
        raise Problem(f"{words[0]} is a text, it cannot be reckoned with")
    return measure(words[0], value)


def convert(quantity: Quantity, unit: str) -> Quantity:
    """Return a quantity as a plain number of a unit."""
    if unit in SCALES:
        return Quantity(quantity.number / SCALES[unit])
    factor, powers = UNITS[unit]
    if powers != quantity.powers:
        raise Problem(f"the value is not in {unit}, nor in anything that converts to it")
    return Quantity(quantity.number / factor)


def write(value: float, rounding: str = "", *rest: str) -> str:
    """Return a number as Russian writes it: decimal comma, groups from five digits on."""
    if rest or not ROUNDING.fullmatch(rounding or "0"):
        raise Problem(f"cannot make out {' '.join([rounding, *rest])!r}")
    if rounding.startswith("~") or (not rounding and isinstance(value, float)):
        decimals = int(rounding[1:] or 3) - 1 - magnitude(value)
        value = round(value, decimals)
        decimals = max(decimals, 0)
    else:
        decimals = int(rounding or 0)
    text = f"{value:_.{decimals}f}" if abs(value) >= 10_000 else f"{value:.{decimals}f}"
    return text.replace("_", NO_BREAK_SPACE).replace("-", MINUS).replace(".", ",")


def magnitude(value: float) -> int:
    """Return the power of ten of the first digit."""
    return math.floor(math.log10(abs(value))) if value else 0
