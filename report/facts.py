"""What the report takes from elsewhere: measurements, the tests' verdicts, the student's fields.

report.md names a fact by its dotted path, such as `fit.step4.us_per_recipient`; the command
`values` of build.py prints all of them. An expression may reckon with facts and compare them.
"""

import json
import math
import re
import tomllib
from ast import literal_eval
from pathlib import Path

REPORT = Path(__file__).resolve().parent
ROOT = REPORT.parent
SOURCE = REPORT / "report.md"
SUMMARY, RUNS = "notebooks/results/summary.json", "report/runs.json"
STUDENT = "report/student.toml"
NEEDED = ("university", "faculty", "subject", "group", "student", "teacher", "city", "year")
OPTIONAL = ("ministry", "department", "number", "teacher_title", "coauthor", "role", "accessed")
FIELDS = (*NEEDED, *OPTIONAL, "variant")

PATH = re.compile(r"\b[a-z]\w*(?:\.\w+)+")
REST = re.compile(r"(?:[\d\s.+*/()<>=-]|v\d+|and|or|not)*")  # of an expression, without its paths
NUMBER_IN_CODE = re.compile(
    r'^(?:([A-Z_]+) = |.*add_argument\("--([\w-]+)".*default=)(\d[\d_.]*)\b', re.M
)
INITIALS = re.compile(r"(?<=\b\w\.) (?=\w\.)")  # the spaces within «И. О.», «к. т. н.»
ROUNDING = re.compile(r"\s(~|\.)(\d)$")  # ` ~2`: two digits that count; ` .2`: two decimals


class Problem(Exception):
    """Something that the author of the report has to mend, in one line."""


def read(path: str | Path) -> str:
    """Return the text of a file, given by its path from the root of the project."""
    try:
        return (ROOT / path).read_text("utf-8-sig")  # Windows' Notepad may begin it with a mark
    except OSError as error:
        raise Problem(f"{path}: файл не читается ({error.strerror}). Исправьте имя.") from None
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


def read_json(path: str) -> dict:
    """Return what a file of JSON holds."""
    try:
        return json.loads(read(path))
    except json.JSONDecodeError as error:
        raise Problem(f"{path}:{error.lineno}: это не JSON: {error.msg}") from None


def load() -> dict:
    """Return all facts; of the programs, the numbers that they name and give as defaults."""
    code: dict[str, dict] = {}
    for path in sorted(ROOT.glob("steps/step*_*/*.py")):
        numbers = NUMBER_IN_CODE.findall(path.read_text("utf-8"))
        found = {(name or option.replace("-", "_")): literal_eval(n) for name, option, n in numbers}
        code.setdefault(path.parent.name.partition("_")[0], {})[path.stem] = found
    known = runs()
    pair = {"name": "программы шага 4", **known["scores"]["step4"]}
    if own := known.get("own"):  # this pair is the one that the conclusions judge
        pair = {"name": f"программы автора из папки `{own['folder']}`", **own}
    measured = read_json(SUMMARY)
    return {**measured, "runs": known, "pair": pair, "code": code, "student": student()}


def runs() -> dict:
    """Return what the tests and the checker have said: see runs.py."""
    known = read_json(RUNS)
    if not {"tests", "sources", "scores"} <= known.keys():
        raise Problem(f"{RUNS}: нет результатов. Выполните: python report/build.py runs")
    return known


def student() -> dict[str, str]:
    """Return the fields of student.toml as texts; those that are left out are empty."""
    try:
        fields = tomllib.loads(read(STUDENT))
    except tomllib.TOMLDecodeError as error:
        line = "".join(re.findall(r"line (\d+)", str(error))) or "1"
        rule = "значение пишут в кавычках, а кавычки внутри него — ёлочками: «»"
        raise Problem(f"{STUDENT}:{line}: ошибка в записи: {rule}") from None
    for name, value in fields.items():
        if name not in FIELDS:
            raise Problem(f"{STUDENT}: неизвестное поле {name!r}. Есть такие: {', '.join(FIELDS)}.")
        if type(value) not in (str, int) or re.search(r"[\x00-\x1f\x7f]", str(value)):
            wanted = "нужна строка текста в кавычках или целое число"
            raise Problem(f"{STUDENT}: поле {name!r}: {wanted}")
    texts = {name: INITIALS.sub("\u00a0", str(value).strip()) for name, value in fields.items()}
    for name in NEEDED:
        if not texts.get(name):
            raise Problem(f"{STUDENT}: поле {name!r} не заполнено")
    if not re.fullmatch(r"[1-9]\d?", texts.setdefault("variant", "")):
        raise Problem(f"{STUDENT}: поле 'variant': нужен номер варианта, целое число от 1 до 99")
    return dict.fromkeys(OPTIONAL, "") | texts


def flat(data: dict, prefix: str = "") -> dict:
    """Return the facts by their dotted paths."""
    paths = {}
    for key, value in data.items():
        path = prefix + key
        paths |= flat(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return paths


def look_up(path: str, data: dict, unmeasured: float | None = None) -> float | str | list:
    """Return the fact with a dotted path."""
    facts = flat(data)
    value = facts.get(path)
    if path in facts and value is None:
        value = unmeasured
    if path in facts and value is None:  # such as the load that no server has held
        raise Problem(f"{path}: измерения не дали этого числа. Перепишите предложение без него.")
    if not isinstance(value, int | float | str | list):
        raise Problem(f"нет значения {path}. Все значения: python report/build.py values")
    return value


def evaluate(expression: str, data: dict, unmeasured: float | None = None) -> float | str | bool:
    """Return what an expression comes to; `unmeasured` stands for what was not measured."""
    found = [look_up(path, data, unmeasured) for path in PATH.findall(expression)]
    names = iter(range(len(found)))
    text = PATH.sub(lambda _: f"v{next(names)}", expression)
    if not REST.fullmatch(text):
        raise Problem(f"не понять выражения «{expression}»: возможны пути, числа, + - * / и < > ==")
    try:
        known = {f"v{number}": value for number, value in enumerate(found)}
        return eval(text, {"__builtins__": {}}, known)
    except (SyntaxError, TypeError, ArithmeticError) as error:
        raise Problem(f"«{expression}» не вычислить: {error}") from None


def show(marker: str, data: dict) -> str:
    """Return the value of an expression as Russian writes it: `fit.step4.r2 .3` gives 0,920."""
    rounding = ROUNDING.search(marker)
    value = evaluate(ROUNDING.sub("", marker), data)
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(written(each, rounding) for each in value)
    return written(value, rounding)


def written(value: float, rounding: re.Match | None) -> str:
    """Return a number as Russian writes it."""
    sign, digits = rounding.groups() if rounding else (".", 0 if isinstance(value, int) else 2)
    decimals = int(digits)
    if sign == "~":
        decimals -= 1 + (math.floor(math.log10(abs(value))) if value else 0)
        value = round(value, decimals)
    # Digits are grouped from five on, as the rules of typesetting have it.
    text = f"{value:{'_' if abs(value) >= 10_000 else ''}.{max(decimals, 0)}f}"
    return text.replace("_", "\u00a0").replace("-", "\u2212").replace(".", ",")
