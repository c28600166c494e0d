"""Blocks that are computed: tables of Markdown, and what programs have printed."""

import re
import sys

import listings
from facts import ROOT, Problem, show

STEPS = (1, 2, 3, 4)
CHATS = {
    "step4": "шаг 4: потоки выполнения, пачки",
    "single": "шаг 4, по одному сообщению",
    "batched": "`asyncio`, пачки",
    "asyncio": "`asyncio`, по одному сообщению",
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
SCORES = (("passed", "of"), ("hints", "of_hints"))


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
    titles, scores = data["runs"]["titles"], data["runs"]["scores"]
    rows = [["Пара", "Оцениваемые", "Советы", "Первая не пройденная проверка"]]
    for pair, found in data["runs"]["checks"].items():
        score = scores[pair]
        failed = [titles[check] for check in titles if found.get(check) == "fail"]
        counts = (f"{score[kind]} из {score[of]}" for kind, of in SCORES)
        rows.append([pair.replace("step", "Шаг "), *counts, failed[0] if failed else "—"])
    return rows


def batches(data: dict) -> list[list[str]]:
    """Return how chats with batches and without do under load."""
    rows = [["Чат", "p99, мс", "Доставок в секунду при насыщении"]]
    for chat, title in CHATS.items():
        path = f"compared.{chat}"
        p99 = spread(f"{path}.p99", "_ms ~2", data)
        rows.append([title, p99, spread(f"{path}.deliveries", "_per_s ~2", data)])
    return rows


def spread(path: str, end: str, data: dict) -> str:
    """Return a median, and the least and the greatest of the runs."""
    middle, low, high = (show(f"{path}{word}{end}", data) for word in ("", "_low", "_high"))
    return f"{middle} ({low}–{high})"


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
