"""Blocks that are computed: tables of Markdown, and what programs have printed."""

import re
import sys

import listings
from facts import ROOT, Problem, show

STEPS = (1, 2, 3, 4)
SERVERS = {
    "step3": "Шаг 3",
    "step4": "Шаг 4",
    "asyncio": "`asyncio`",
    "forwarder": "Ретранслятор",
}
RUSSIAN = {
    "two people talk at once": "двое переписываются одновременно",
    "a third person is answered": "третий участник получает ответ",
    "nicknames, joining and leaving are told": "сообщаются имена, вход и уход",
    "a newcomer who says nothing harms nobody": "молчащий новый клиент никому не мешает",
    "two quick messages stay two": "два быстрых сообщения не склеиваются",
    "a character cut in half arrives whole": "разрезанный символ приходит целым",
    "a reader who stops harms nobody": "зависший получатель никому не мешает",
    "there is a word to leave with": "есть команда выхода",
    "the stop of the server is told": "об остановке сервера сообщается",
}
MARKS = {"pass": "✓", "fail": "✗", "not_run": "–"}


def properties(data: dict) -> list[list[str]]:
    """Return which step has which property, from the registry that the tests run."""
    sys.path[:0] = [str(ROOT / "steps"), str(ROOT / "tests")]
    from properties import PROPERTIES

    rows = [["Свойство", *(f"Шаг {step}" for step in STEPS)]]
    for prop in PROPERTIES:
        marks = ("✓" if n >= prop.first else "✗" if n >= prop.applies_from else "–" for n in STEPS)
        if prop.sentence not in RUSSIAN:
            raise Problem(f"добавьте в report/tables.py русские слова для «{prop.sentence}»")
        rows.append([RUSSIAN[prop.sentence], *marks])
    return rows


def checks(data: dict) -> list[list[str]]:
    """Return the verdicts of `python3 steps check` on the pairs of the steps, and on one's own."""
    titles, verdicts = data["runs"]["titles"], data["runs"]["checks"]
    rows = [["Что видят люди за клиентами", *(pair.replace("step", "Шаг ") for pair in verdicts)]]
    for check, title in titles.items():
        rows.append([title, *(MARKS[found.get(check, "not_run")] for found in verdicts.values())])
    return rows


def latency(data: dict) -> list[list[str]]:
    """Return the time until the last recipient has a broadcast, with its interval."""
    rows = [["Клиентов", *SERVERS.values()]]
    for size in sorted(map(int, data["latency"]["step4"])):
        paths = [f"latency.{server}.{size}.last" for server in SERVERS]
        rows.append([str(size), *(interval(path, data) for path in paths)])
    return rows


def interval(path: str, data: dict) -> str:
    """Return a median in microseconds and its 95 % interval, with two digits that count."""
    middle, low, high = (show(f"{path}{end} ~2", data) for end in ("_us", "_low_us", "_high_us"))
    return f"{middle} ({low}–{high})"


TABLES = {"latency": latency, "properties": properties, "checks": checks}


def table(name: str, data: dict) -> str:
    """Return a table as Markdown: numbers to the right, marks in the middle."""
    if name not in TABLES:
        raise Problem(f"неизвестная таблица {name!r}; есть: {', '.join(TABLES)}")
    try:
        head, *body = TABLES[name](data)
    except KeyError as error:
        raise Problem(f"для таблицы {name} нет данных {error}") from None
    rule = [alignment(column) for column in zip(*body, strict=True)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *body])


def alignment(column: tuple[str, ...]) -> str:
    """Return how a column is aligned, as Markdown says it."""
    if all(re.fullmatch("[✓✗–]", cell) for cell in column):
        return ":-:"
    return "--:" if all(re.fullmatch(r"[\d\s,()–−]+", cell) for cell in column) else "---"


def output(name: str, data: dict) -> str:
    """Return what a program printed when it was run for the report."""
    if name not in data["runs"]["output"]:
        raise Problem(f"нет вывода {name!r}: python report/build.py runs")
    return listings.fenced(data["runs"]["output"][name].splitlines(), "text")
