"""Blocks that are computed: tables of Markdown, and what programs have printed."""

import re
import sys

import listings
from facts import ROOT, Problem, show

STEPS = (1, 2, 3, 4)
RUSSIAN = {
    "two people talk at once": "двое переписываются одновременно",
    "a third person is answered": "третий участник получает ответ",
    "nicknames, joining and leaving are told": "сервер сообщает о входе и уходе, называя имена",
    "a newcomer who says nothing harms nobody": "молчащий новый клиент никому не мешает",
    "two quick messages stay two": "два быстрых сообщения не склеиваются",
    "a character cut in half arrives whole": "разрезанный символ приходит целым",
    "a reader who stops harms nobody": "зависший получатель не останавливает остальных",
    "there is a word to leave with": "есть команда выхода",
    "the stop of the server is told": "сервер предупреждает об остановке",
}


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
    """Return what `python3 steps check` says of the pairs of the steps, and of one's own."""
    rows = [["Пара", "Основные", "Дополнительные", "Первая непройденная проверка"]]
    for pair, found in data["runs"]["scores"].items():
        graded = f"{found['passed']} из {found['of']}"
        hints = f"{found['hints']} из {found['of_hints']}"
        rows.append([pair.replace("step", "Шаг "), graded, hints, found["failed"]])
    return rows


def batches(data: dict) -> list[list[str]]:
    """Return how late chats with batches and without are under load."""

    def p99(chat: str) -> str:
        words = (f"compared.{chat}.p99{end}_ms ~2" for end in ("", "_low", "_high"))
        return "{} ({}–{})".format(*(show(word, data) for word in words))

    return [
        ["Сервер", "С пачками", "По одному сообщению"],
        ["с потоками выполнения (шаг 4)", p99("step4"), p99("single")],
        ["на `asyncio`", p99("batched"), p99("asyncio")],
    ]


TABLES = {"batches": batches, "properties": properties, "checks": checks}


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
