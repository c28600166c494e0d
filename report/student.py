"""The title page: what student.toml says, and the lines that are made of it."""

import re
import tomllib
from dataclasses import dataclass

from facts import Problem, read

FILE = "report/student.toml"
INITIALS = re.compile(r"(?<=\b\w\.) (?=\w\.)")  # the spaces within «И. О.», «к. т. н.»
NEEDED = ("university", "faculty", "subject", "group", "student", "teacher", "city", "year")
OPTIONAL = ("ministry", "department", "number", "teacher_title", "coauthor", "role", "accessed")


@dataclass(frozen=True)
class TitlePage:
    """The lines of the title page, part by part from the top."""

    theme: str
    author: str
    heads: list[str]
    title: list[str]
    signatures: list[tuple[str, str]]  # in which capacity, who
    foot: str


def load() -> dict[str, str]:
    """Return the fields, all of them as texts; those that are left out are empty."""
    try:
        fields = tomllib.loads(read(FILE))
    except tomllib.TOMLDecodeError as error:
        raise Problem(f"{FILE}: ошибка в записи: {error}. Текст пишут в кавычках.") from None
    for name, value in fields.items():
        if name not in NEEDED + OPTIONAL:
            known = ", ".join(NEEDED + OPTIONAL)
            raise Problem(f"{FILE}: неизвестное поле {name!r}. Есть такие: {known}.")
        if type(value) not in (str, int) or re.search(r"[\x00-\x1f\x7f]", str(value)):
            raise Problem(f"{FILE}: поле {name!r}: нужна строка текста в кавычках или целое число")
    for name in NEEDED:
        if not str(fields.get(name, "")).strip():
            raise Problem(f"{FILE}: поле {name!r} не заполнено")
    texts = {name: INITIALS.sub("\u00a0", str(value).strip()) for name, value in fields.items()}
    return dict.fromkeys(OPTIONAL, "") | texts


def placeholders(fields: dict[str, str]) -> list[str]:
    """Return a line for each field that still stands in square brackets."""
    return [
        f"{FILE}: впишите своё в поле {name!r}" for name in fields if fields[name].startswith("[")
    ]


def authors(fields: dict[str, str]) -> str:
    """Return who has written the report."""
    return ", ".join(filter(None, (fields["student"], fields["coauthor"])))


def title_page(fields: dict[str, str], theme: str) -> TitlePage:
    """Return the title page of a report on a theme."""
    heads = [fields[name] for name in ("ministry", "university", "faculty", "department")]
    number = f" № {fields['number']}" if fields["number"] else ""
    title = [
        "ОТЧЁТ",
        f"по лабораторной работе{number}",
        f"по дисциплине «{fields['subject']}»",
        f"на тему: «{theme}»",
    ]
    role = fields["role"] or "Выполнил: студент"
    signatures = [
        (f"{role} группы {fields['group']}", fields["student"]),
        ("", fields["coauthor"]),
        (f"Проверил: {fields['teacher_title']}".strip(), fields["teacher"]),
    ]
    return TitlePage(
        theme,
        authors(fields),
        [line for line in heads if line],
        title,
        [(role, name) for role, name in signatures if name],
        f"{fields['city']} {fields['year']}",
    )
