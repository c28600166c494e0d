"""What is wrong with the text: captions, references, sources, sections, pictures, placeholders."""

import re
from collections.abc import Iterator

import drawing
from document import BODIES, CAPTION, CODE, KINDS, NAMES, SOURCES, is_picture, references_in
from facts import REPORT, STUDENT, student
from fill import COMMENT, lines_of, place, without_code

SECTION = re.compile(r"\bраздел\w*\s(\d+(?:\.\d+)*)", re.I)
ENTRY = re.compile(r"^(\d+)\. ", re.M)
HEADING = re.compile(r"^(##|###) (\d+(?:\.\d+)*) ", re.M)
FILE = re.compile(r"(?<!\\)(!?)\[[^]]*\]\((?!#)([^)\s]+)\)")
HTML = re.compile(r"</?[a-z][^>:]*>", re.I)
MARKER = re.compile(r"^[ ]*<!-- (value|choose|claim)", re.M)
PLACEHOLDER = re.compile(r"\[впишите[^]]*\]")
DRAWN = ("diagrams",)
STARTS = {  # of what has a place in the text; a row of a table ends in `|`
    "caption": CAPTION,
    "figure": re.compile(r"^!\[", re.M),
    "table": re.compile(r"(?<!\|\n)^\|", re.M),
    "listing": re.compile(r"^```.*?^```$", re.M | re.S),
}
WITHOUT = {"figure": "картинка", "table": "таблица", "listing": "программа"}


def problems(text: str, blocks: list[dict]) -> Iterator[str]:
    """Tell everything that is wrong with a text and its tree, one line each."""
    prose = COMMENT.sub(lines_of, without_code(text))
    prose = "``".join(CODE.split(prose)[::2])
    yield from missing(text)
    yield from captions(text, blocks)
    yield from references(prose)
    yield from outdated(text)
    for match in HTML.finditer(prose):
        yield f"{place(prose, match.start())}: {match[0]}: HTML в отчёт не попадает. Уберите его."
    for match in MARKER.finditer(text):
        yield (
            f"{place(text, match.start())}: поставьте перед меткой {match[1]} слово: "
            "в начале строки GitHub примет её за HTML"
        )


def captions(text: str, blocks: list[dict]) -> Iterator[str]:
    """Tell of what has no caption, of captions of nothing, and of numbers out of order."""
    places = {
        kind: iter([place(there, start.start()) for start in pattern.finditer(there)])
        for kind, pattern in STARTS.items()
        for there in [text if kind == "listing" else without_code(text)]
    }
    last: dict[tuple[str, str], int] = {}
    for block in blocks:
        if block["t"] == "Div":
            (name, [kind], _), (_, *bodies) = block["c"]
            here = next(places["caption"], "report.md")
            for _ in bodies:
                next(places[kind], "")
            number = name.partition("-")[2]
            what = f"«{NAMES[kind]} {number}»"
            if not bodies:
                yield f"{here}: рядом с подписью {what} нет того, что она называет"
            letter, dot, count = number.rpartition(".")
            due = last.get((kind, letter), 0) + 1
            if int(count) != due:
                yield f"{here}: {what} должен иметь номер {letter}{dot}{due}"
            last[kind, letter] = int(count)
        elif kind := "figure" if is_picture(block) else BODIES.get(block["t"]):
            here, side = next(places[kind], "report.md"), "под" if kind == "figure" else "над"
            if block["t"] != "CodeBlock" or block["c"][0][1] != ["sh"]:  # commands to type
                caption = f"напишите {side} ней «{NAMES[kind]} N — …»"
                yield f"{here}: {WITHOUT[kind]} без подписи: {caption}"


def references(prose: str) -> Iterator[str]:
    """Tell of what is not referred to, of references to nothing, of sources out of order."""
    there = {f"{KINDS[c[1]]}-{c[2]}": place(prose, c.start()) for c in CAPTION.finditer(prose)}
    for entry in ENTRY.finditer(prose, prose.find(f"## {SOURCES}")):
        there[f"source-{entry[1]}"] = place(prose, entry.start())
    named: dict[str, str] = {}
    for name, position in references_in(prose):
        named.setdefault(name, place(prose, position))
    for name in sorted(there.keys() ^ named.keys()):
        kind, _, number = name.partition("-")
        what = f"{NAMES[kind]} {number}" if kind in NAMES else f"источник [{number}]"
        if name in there:
            yield f"{there[name]}: {what}: нет ссылки в тексте"
        else:
            where = "подписи" if kind in NAMES else "в списке"
            yield f"{named[name]}: {what}: ссылка есть, а {where} нет"
    cited = [int(name.partition("-")[2]) for name in named if name.startswith("source")]
    if cited != sorted(cited):
        yield f"источники нумеруют в порядке ссылок, а ссылки идут так: {cited}"
    due, sections = [0, 0], set()
    for heading in HEADING.finditer(prose):
        due = [due[0] + 1, 0] if heading[1] == "##" else [due[0], due[1] + 1]
        sections.add(heading[2])
        if heading[2] != (right := ".".join(str(number) for number in due if number)):
            yield f"{place(prose, heading.start())}: раздел {heading[2]} должен иметь номер {right}"
    for found in SECTION.finditer(prose):
        if found[1] not in sections:
            yield f"{place(prose, found.start())}: раздела {found[1]} нет"


def missing(text: str) -> Iterator[str]:
    """Tell of pictures and of linked files that are not there."""
    prose = without_code(text)
    for found in FILE.finditer(prose):
        here, (start, end) = f"{place(prose, found.start())}: {found[2]}", found.span()
        if "://" in found[2]:
            if found[1]:
                yield f"{here}: скачайте картинку в report/pictures и назовите её файл"
        elif not (REPORT / found[2].partition("#")[0]).is_file():
            yield f"{here}: нет файла. Исправьте имя в скобках."
        elif found[1] and (prose[start - 2 : start] + prose[end : end + 2]).strip("\n "):
            yield f"{here}: отделите картинку пустыми строками сверху и снизу"


def outdated(text: str) -> Iterator[str]:
    """Tell of pictures not made from their sources as they are."""
    for found in FILE.finditer(text):
        path = REPORT / found[2]
        is_drawn = found[1] and path.parent.name in DRAWN and path.suffix == ".svg"
        if is_drawn and path.is_file() and not drawing.is_current(path):
            yield (
                f"{place(text, found.start())}: {found[2]} не соответствует программам: "
                f"python report/build.py pictures {path.parent.name}/{path.stem} "
                "(или вставьте свой снимок экрана, PNG)"
            )


def placeholders(text: str) -> Iterator[str]:
    """Tell of places and of fields that are left for the author."""
    for name, value in student().items():
        if value.startswith("["):
            yield f"{STUDENT}: впишите своё в поле {name!r}"
    prose = without_code(text)
    for found in PLACEHOLDER.finditer(prose):
        yield f"{place(prose, found.start())}: впишите своё вместо «{found[0]}»"
