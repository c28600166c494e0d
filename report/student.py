"""The title page: what student.toml says, and the lines that are made of it."""

import re
import tomllib
from dataclasses import dataclass

from project import Problem, read

FILE = "report/student.toml"
INITIALS = re.compile(r"(?<=\b\w\.) (?=\w\.)")  # the spaces within «И. О.», «к. т. н.»
MARKS = "\\`*_{}<>|$~&"  # mean something in Markdown
NEEDED = ("university", "faculty", "subject", "group", "student", "teacher", "city", "year")
OPTIONAL = ("ministry", "department", "number", "teacher_title")


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
    """Return the fields, all of them as texts."""
    try:
        fields = tomllib.loads(read(FILE))
    except tomllib.TOMLDecodeError as error:
        raise Problem(f"{FILE} is no TOML: {error}") from None
    for name, value in fields.items():
        if name not in NEEDED + OPTIONAL:
            raise Problem(f"{FILE}: unknown field {name!r}; known: {', '.join(NEEDED + OPTIONAL)}")
        if type(value) not in (str, int) or re.search(r"[\x00-\x1f\x7f]", str(value)):
            raise Problem(f"{FILE}: the field {name!r} has to be a line of text or a whole number")
    for name in NEEDED:
        if not str(fields.get(name, "")).strip():
            raise Problem(f"{FILE}: the field {name!r} is missing")
    return {name: INITIALS.sub("\u00a0", str(value).strip()) for name, value in fields.items()}


def placeholders(fields: dict[str, str]) -> list[str]:
    """Return the names of the fields that still stand in square brackets."""
    return [name for name, value in fields.items() if value.startswith("[")]


def title_page(fields: dict[str, str], theme: str) -> TitlePage:
    """Return the title page of a report on a theme."""
    heads = [fields.get(name, "") for name in ("ministry", "university", "faculty", "department")]
    number = f" № {fields['number']}" if fields.get("number") else ""
    title = [
        "ОТЧЁТ",
        f"по лабораторной работе{number}",
        f"по дисциплине «{fields['subject']}»",
        f"на тему: «{theme}»",
    ]
    checker = f"Проверил: {fields.get('teacher_title', '')}".removesuffix(" ")
    signatures = [
        (f"Выполнил: студент группы {fields['group']}", fields["student"]),
        (checker, fields["teacher"]),
    ]
    foot = f"{fields['city']} {fields['year']}"
    heads = [line for line in heads if line]
    return TitlePage(theme, fields["student"], heads, title, signatures, foot)


def head() -> str:
    """Return the visible head of report.md, a table."""
    fields = {name: escaped(value) for name, value in load().items()}
    rows = [
        ("Дисциплина", fields["subject"]),
        ("Выполнил", f"{fields['student']}, группа {fields['group']}"),
        ("Проверил", fields["teacher"]),
        ("Вуз", f"{fields['university']}, {fields['city']}, {fields['year']}"),
    ]
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([lines[0], "|---|---|", *lines[1:]])


def escaped(text: str) -> str:
    """Return a text so that Markdown shows it as it is; placeholders stay readable."""
    text = "".join(f"&#{ord(letter)};" if letter in MARKS else letter for letter in text)
    return text.replace("](", "]&#40;")
