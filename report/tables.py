"""Tables that are computed: each function returns rows of cells in Markdown, the first the head."""

import re
import sys

from project import ROOT, Problem
from values import show

STEPS = (1, 2, 3, 4)
SERVERS = {
    "step3": "Шаг 3",
    "step4": "Шаг 4",
    "asyncio": "`asyncio`",
    "forwarder": "Ретранслятор",
}
RUSSIAN = {
    "two people talk at once": "двое говорят одновременно",
    "a third person is answered": "третьему отвечают",
    "nicknames, joining and leaving are told": "сообщаются имена, вход и уход",
    "a newcomer who says nothing harms nobody": "молчащий новичок никому не мешает",
    "two quick messages stay two": "два быстрых сообщения не склеиваются",
    "a character cut in half arrives whole": "разрезанная буква приходит целой",
    "a reader who stops harms nobody": "переставший читать никому не мешает",
    "there is a word to leave with": "есть команда выхода",
    "the stop of the server is told": "об остановке сервера сообщается",
}


def properties(data: dict) -> list[list[str]]:
    """Return which step has which property, from the registry that the tests run."""
    sys.path[:0] = [str(ROOT / "steps"), str(ROOT / "tests")]
    from properties import PROPERTIES

    rows = [["Свойство", *(f"Шаг {step}" for step in STEPS)]]
    for prop in PROPERTIES:
        if prop.sentence not in RUSSIAN:
            raise Problem(f"report/tables.py has no Russian for the property {prop.sentence!r}")
        marks = ("✓" if n >= prop.first else "✗" if n >= prop.applies_from else "–" for n in STEPS)
        rows.append([RUSSIAN[prop.sentence], *marks])
    return rows


def latency(data: dict) -> list[list[str]]:
    """Return the time until the last recipient has a broadcast, in microseconds."""
    sizes = sorted(map(int, data.get("latency", {}).get("step4", {})))
    if not sizes:
        raise Problem("there are no values latency.step4")
    rows = [["Клиентов", *SERVERS.values()]]
    for size in sizes:
        cells = [show(f"latency.{server}.{size}.last_us 0", data) for server in SERVERS]
        rows.append([str(size), *cells])
    return rows


TABLES = {"latency": latency, "properties": properties}


def markdown(rows: list[list[str]]) -> str:
    """Return rows as a table: figures to the right, marks in the middle."""
    head, *body = rows
    rule = [alignment(column) for column in zip(*body, strict=True)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *body])


def alignment(column: tuple[str, ...]) -> str:
    """Return how a column is aligned, as Markdown says it."""
    if all(re.fullmatch("[✓✗–]", cell) for cell in column):
        return ":-:"
    return "--:" if all(re.fullmatch(r"[\d\u00a0,−]+", cell) for cell in column) else "---"
