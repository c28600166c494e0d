"""What the report takes from elsewhere: measurements, the code of the steps, the tests' verdicts.

Markers of report.md name a fact by its dotted path, such as `fit.step4.us_per_recipient`; the task
`values` of build.py prints all of them. An expression may reckon with facts and compare them.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path

REPORT = Path(__file__).resolve().parent
ROOT = REPORT.parent
SOURCE = REPORT / "report.md"
SUMMARY, RUNS = "notebooks/results/summary.json", "report/runs.json"

PATH = re.compile(r"\b[a-z]\w*(?:\.\w+)+")
REST = re.compile(r"(?:[\d\s.+*/()<>=-]|v\d+|and|or|not)*")  # of an expression, without its paths
NUMBER_IN_CODE = re.compile(
    r'^(?:([A-Z_]+) = |.*add_argument\("--([\w-]+)".*default=)([\d_]+)\b(?!\.)', re.M
)
COMMENT = re.compile(r"^\s*#.*\n|\s+# .*$", re.M)
ROUNDING = re.compile(r"\s(~|\.)(\d)$")  # ` ~2`: two digits that count; ` .2`: two decimals


class Problem(Exception):
    """Something that the author of the report has to mend, in one line."""


def read(path: str | Path) -> str:
    """Return the text of a file, given by its path from the root of the project."""
    try:
        return (ROOT / path).read_text("utf-8-sig")  # Windows' Notepad may begin it with a mark
    except OSError as error:
        raise Problem(f"{path}: файл не читается ({error.strerror})") from None
    except UnicodeDecodeError:
        raise Problem(f"{path}: файл не в кодировке UTF-8. Сохраните его в UTF-8.") from None


def write(path: Path, content: bytes) -> None:
    """Write a file; raise Problem where that is impossible, as in Windows while it is shown."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise Problem(
            f"{path.relative_to(ROOT).as_posix()}: файл не записать ({error.strerror}). "
            "Если он открыт в другой программе, закройте его и повторите."
        ) from None


def load() -> dict:
    """Return all facts."""
    return {**read_json(SUMMARY), **read_json(RUNS), "code": of_code()}


def read_json(path: str) -> dict:
    """Return what a file of JSON holds."""
    try:
        return json.loads(read(path))
    except json.JSONDecodeError as error:
        raise Problem(f"{path}:{error.lineno}: это не JSON: {error.msg}") from None


def of_code() -> dict:
    """Return the numbers that the programs of each step name: constants, defaults of options."""
    facts: dict = {}
    for path in sorted(ROOT.glob("steps/step*_*/*.py")):
        numbers = NUMBER_IN_CODE.findall(path.read_text("utf-8"))
        found = {(name or option.replace("-", "_")): int(n) for name, option, n in numbers}
        facts.setdefault(path.parent.name.partition("_")[0], {})[path.stem] = found
    return facts


def digest(paths: Iterable[str]) -> str:
    """Return a hash of files; of Python, only what is no comment counts."""
    texts = []
    for path in paths:
        text = (ROOT / path).read_text("utf-8")
        texts.append(COMMENT.sub("", text).rstrip() if path.endswith(".py") else text)
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def flat(data: dict, prefix: str = "") -> dict:
    """Return the facts by their dotted paths."""
    paths = {}
    for key, value in data.items():
        path = prefix + key
        paths |= flat(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return paths


def evaluate(expression: str, data: dict) -> float | str | bool:
    """Return what an expression of facts and numbers comes to."""
    found: dict[str, float | str] = {}

    def name(path: re.Match) -> str:
        found[f"v{len(found)}"] = look_up(path[0], data)
        return f"v{len(found) - 1}"

    text = PATH.sub(name, expression)
    if not REST.fullmatch(text):
        raise Problem(f"не понять выражения «{expression}»: возможны пути, числа, + - * / и < > ==")
    try:
        return eval(text, {"__builtins__": {}}, found)
    except (SyntaxError, TypeError, ZeroDivisionError) as error:
        raise Problem(f"«{expression}» не вычислить: {error}") from None


def look_up(path: str, data: dict) -> float | str:
    """Return the fact with a dotted path."""
    place: object = data
    for key in path.split("."):
        place = place.get(key) if isinstance(place, dict) else None
    if not isinstance(place, int | float | str):
        raise Problem(f"нет значения {path}. Все значения: python report/build.py values")
    return place


def show(marker: str, data: dict) -> str:
    """Return the value of an expression as Russian writes it: `fit.step4.r2 .3` gives 0,920."""
    rounding = ROUNDING.search(marker)
    value = evaluate(ROUNDING.sub("", marker), data)
    if isinstance(value, str):
        return value
    sign, digits = rounding.groups() if rounding else (".", 0 if isinstance(value, int) else 2)
    decimals = int(digits)
    if sign == "~":
        decimals -= 1 + (math.floor(math.log10(abs(value))) if value else 0)
        value = round(value, decimals)
    # Digits are grouped from five on, as the rules of typesetting have it.
    text = f"{value:{'_' if abs(value) >= 10_000 else ''}.{max(decimals, 0)}f}"
    return text.replace("_", "\u00a0").replace("-", "\u2212").replace(".", ",")
