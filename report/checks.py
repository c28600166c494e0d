"""What is wrong with the text: captions, references, sources, sections, pictures, placeholders."""

import re
from collections.abc import Iterator

import drawing
from document import (
    CAPTION,
    CITATION,
    CITED,
    CODE,
    KINDS,
    NUMBER,
    REFERENCE,
    SOURCES,
    STEMS,
    N,
)
from facts import REPORT
from fill import COMMENT, place, without_code

NAMES = {kind: name for name, kind in KINDS.items()}
RANGE = re.compile(rf"({N})–({N})")
SECTION = re.compile(r"\bраздел\w*\s(\d+(?:\.\d+)*)", re.I)
HEADING = re.compile(r"^#{2,3} (\S+)", re.M)
FILE = re.compile(r"(?<!\\)\]\((?!\w+:|#)([^)#\s]+)")
PICTURE = re.compile(r"!\[.*\]\((.*)\)")
PLACEHOLDER = re.compile(r"\[впишите[^]]*\]")
DRAWN = {"pictures": "terminals", "diagrams": "diagrams"}
PARTS = {
    "!": "figure",
    "|": "table",
    "```python": "listing",
    "```text": "listing",
}  # how they begin


def problems(text: str) -> Iterator[str]:
    """Tell everything that is wrong, one line each."""
    prose = COMMENT.sub(lines_of, without_code(text))
    prose = "``".join(CODE.split(prose)[::2])
    yield from captions(text)
    yield from references(prose)
    yield from sources(prose)
    yield from sections(prose)
    yield from missing(text)
    yield from outdated(text)
    for match in re.finditer(r"^[ ]*<!-- (value|choose|claim)", text, re.M):
        yield (
            f"{place(text, match.start())}: поставьте перед меткой {match[1]} слово: "
            "в начале строки GitHub примет её за HTML"
        )


def lines_of(match: re.Match) -> str:
    """Return the ends of the lines of what was found, so that numbers of lines stay."""
    return "\n" * match[0].count("\n")


def captions(text: str) -> Iterator[str]:
    """Tell of what has no caption, of captions of nothing, and of numbers out of order."""
    parts = list(parts_of(text))
    last: dict[tuple[str, str], int] = {}
    for before, (kind, number, here), after in zip(
        [("", "", ""), *parts], parts, [*parts[1:], ("", "", "")], strict=False
    ):
        if kind == "text":
            continue
        if not number:
            caption = after if kind == "figure" else before
            goes_on = kind == "listing" and before[0] == kind  # several pieces under one caption
            if caption[0] != kind or not (caption[1] or goes_on):
                side = "под ней" if kind == "figure" else "над ней"
                what = {"figure": "картинка", "table": "таблица", "listing": "программа"}[kind]
                yield f"{here}: {what} без подписи: напишите {side} «{NAMES[kind]} N — …»"
            continue
        body = before if kind == "figure" else after
        if body[0] != kind or body[1]:
            side = "над" if kind == "figure" else "под"
            yield f"{here}: {side} подписью «{NAMES[kind]} {number}» ничего нет"
        letter, _, count = number.rpartition(".")
        due = last.get((kind, letter), 0) + 1
        if int(count) != due:
            name = f"{letter}.{due}" if letter else due
            yield f"{here}: «{NAMES[kind]} {number}» должен иметь номер {name}"
        last[kind, letter] = int(count)


def parts_of(text: str) -> Iterator[tuple[str, str, str]]:
    """Return captions with their numbers, bodies and other text without, each with its place."""
    lines = COMMENT.sub(lines_of, text[text.index("\n## ") :]).splitlines()
    first = text.count("\n", 0, text.index("\n## ")) + 1
    code, before = False, ""
    for number, line in enumerate(lines, first):
        here = f"report.md:{number}"
        opens = next((kind for start, kind in PARTS.items() if line.startswith(start)), "")
        if caption := CAPTION.fullmatch(line.strip()):
            yield KINDS[caption[1]], caption[2], here
        elif not code and line.strip() and not (opens == "table" and before.startswith("|")):
            yield opens or "text", "", here
        if line.startswith("```"):
            code = not code
        before = line


def references(prose: str) -> Iterator[str]:
    """Tell of figures, tables and listings not referred to, and of references to nothing."""
    there = {f"{KINDS[c[1]]}-{c[2]}": place(prose, c.start()) for c in CAPTION.finditer(prose)}
    named = {
        f"{STEMS[found[1].lower()]}-{number}": place(prose, found.start())
        for found in REFERENCE.finditer(prose)
        for number in expand(found[3])
    }
    for name in sorted(there.keys() ^ named.keys()):
        kind, _, number = name.partition("-")
        if name in there:
            yield f"{there[name]}: {NAMES[kind]} {number}: на него нет ссылки в тексте"
        else:
            yield f"{named[name]}: {NAMES[kind]} {number}: ссылка есть, а подписи нет"


def expand(numbers: str) -> list[str]:
    """Return the numbers of a list such as «2, 4–6 и 8»."""
    found = NUMBER.findall(RANGE.sub("", numbers))
    for first, last in RANGE.findall(numbers):
        letter, _, start = first.rpartition(".")
        ends = range(int(start), int(last.rpartition(".")[2]) + 1)
        found += [f"{letter}.{number}" if letter else str(number) for number in ends]
    return found


def sources(prose: str) -> Iterator[str]:
    """Tell of sources not cited, cited but missing, or not in the order of their citation."""
    listed = re.findall(r"^(\d+)\. ", prose.partition(f"## {SOURCES}")[2], re.M)
    cited: dict[int, str] = {}
    for found in CITATION.finditer(prose):
        for number in cited_in(found[1]):
            cited.setdefault(number, place(prose, found.start()))
    for number, here in cited.items():
        if number > len(listed):
            yield f"{here}: источника [{number}] нет в списке"
    for number in range(1, len(listed) + 1):
        if number not in cited:
            yield f"источник [{number}]: на него нет ссылки в тексте"
    if list(cited) != sorted(cited):
        yield f"источники нумеруют в порядке ссылок, а ссылки идут так: {list(cited)}"


def cited_in(citation: str) -> list[int]:
    """Return the numbers of the sources in a citation such as «2, с. 15; 4–6»."""
    ranges = [n for a, b in re.findall(r"(\d+)–(\d+)", citation) for n in range(int(a), int(b))]
    return [*ranges, *map(int, CITED.findall(citation))]


def sections(prose: str) -> Iterator[str]:
    """Tell of references to sections that are not there."""
    numbers = set(HEADING.findall(prose))
    for found in SECTION.finditer(prose):
        if found[1] not in numbers:
            yield f"{place(prose, found.start())}: раздела {found[1]} нет"


def missing(text: str) -> Iterator[str]:
    """Tell of pictures and of linked files that are not there."""
    prose = without_code(text)
    for found in FILE.finditer(prose):
        path = REPORT / found[1]
        for needed in (path, *([path.with_suffix(".png")] if path.suffix == ".svg" else [])):
            if not needed.is_file():
                name = needed.name if needed is path else f"{needed.name} рядом с {path.name}"
                yield f"{place(prose, found.start())}: {found[1]}: нет файла {name}"


def outdated(text: str) -> Iterator[str]:
    """Tell of pictures not made from their sources as they are."""
    for found in PICTURE.finditer(text):
        path = REPORT / found[1]
        maker = DRAWN.get(path.parent.name, "")
        is_drawn = maker and path.suffix == ".svg" and path.is_file()
        if is_drawn and not drawing.is_current(path):
            yield (
                f"{place(text, found.start())}: {found[1]} не соответствует программам: "
                f"python report/{maker}.py {path.stem} (или вставьте свой снимок экрана, PNG)"
            )


def placeholders(text: str) -> Iterator[str]:
    """Tell of places that are left for the author."""
    prose = without_code(text)
    for found in PLACEHOLDER.finditer(prose):
        yield f"{place(prose, found.start())}: впишите своё вместо «{found[0]}»"
