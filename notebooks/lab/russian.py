"""Numbers and words as Russian readers write them: a comma, narrow spaces, the right ending."""

import math
import re

NARROW = "\N{NARROW NO-BREAK SPACE}"
SPACE = "\N{NO-BREAK SPACE}"


UNITS = re.compile(r"(?<=\d) (?=(?:%|мкс|мс|с|МБ|ГиБ|клиент\w*|сообщени\w*)(?!\w))")


def bound(text: str) -> str:
    """Return a text in which no line ends between a number and its unit."""
    return UNITS.sub(SPACE, text)


def number(value: float, digits: int = 2) -> str:
    """Return a number with at least `digits` significant digits: 0,36; 1,2; 12; 3 000."""
    if value == 0 or math.isnan(value):
        return "0" if value == 0 else "—"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    if round(abs(value), decimals) >= 10 ** (math.floor(math.log10(abs(value))) + 1):
        decimals = max(decimals - 1, 0)  # 0.996 is 1.0, not 1.00
    return fixed(value, decimals)


def fixed(value: float, decimals: int) -> str:
    """Return a number with so many decimals; thousands from 10 000 on stand apart."""
    text = f"{value:,.{decimals}f}" if abs(value) >= 10_000 else f"{value:.{decimals}f}"
    return text.replace(",", NARROW).replace(".", ",").replace("-", "\N{MINUS SIGN}")


def microseconds(value: float, digits: int = 2) -> str:
    """Return a time given in microseconds in the unit that suits it."""
    for factor, unit in ((1e6, "с"), (1e3, "мс")):
        if value >= factor:
            return f"{number(value / factor, digits)}{SPACE}{unit}"
    return f"{number(value, digits)}{SPACE}мкс"


def percent(share: float, digits: int = 2) -> str:
    """Return a share of 100 with its sign."""
    return f"{number(share, digits)}{SPACE}%"


def counted(count: int, one: str, few: str, many: str) -> str:
    """Return a count and its noun with the ending that Russian grammar asks for."""
    tens, ones = count % 100 // 10, count % 10
    word = many
    if tens != 1 and ones == 1:
        word = one
    elif tens != 1 and 2 <= ones <= 4:
        word = few
    return f"{fixed(count, 0)}{SPACE}{word}"


def times(factor: float) -> str:
    """Return how many times, as it stands after «в»: 2,5 раза; 13 раз; 22 раза."""
    text = number(factor)
    return f"{text}{SPACE}раза" if "," in text else counted(round(factor), "раз", "раза", "раз")


def listed(words: list[str]) -> str:
    """Return `a, b и c`."""
    return " и ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
