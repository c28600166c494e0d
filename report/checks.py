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
DRAWN = ("pictures", "diagrams")
BEGINNINGS = {"!": "figure", "|": "table", "```python": "listing", "```text": "listing"}
BODIES = {"figure": "картинка", "table": "таблица", "listing": "программа"}


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
    parts = [("", "", ""), *parts_of(text), ("", "", "")]
    last: dict[tuple[str, str], int] = {}
    for before, (kind, number, here), after in zip(parts, parts[1:], parts[2:], strict=False):
        if kind not in BODIES:
            continue
        side, other = ("под", before) if kind == "figure" else ("над", after)
        if not number:
            caption = after if kind == "figure" else before
            goes_on = kind == "listing" and before[0] == kind  # several pieces under one caption
            if caption[0] != kind or not (caption[1] or goes_on):
                what = f"{BODIES[kind]} без подписи"
                yield f"{here}: {what}: напишите {side} ней «{NAMES[kind]} N — …»"
            continue
        if other[0] != kind or other[1]:
            yield f"{here}: рядом с подписью «{NAMES[kind]} {number}» нет того, что она называет"
        letter, _, count = number.rpartition(".")
        due = last.get((kind, letter), 0) + 1
        if int(count) != due:
            name = f"{letter}.{due}" if letter else due
            yield f"{here}: «{NAMES[kind]} {number}» должен иметь номер {name}"
        last[kind, letter] = int(count)


def parts_of(text: str) -> Iterator[tuple[str, str, str]]:
    """Return captions with their numbers, bodies and other text without, each with its place."""
    code, before = False, ""
    for number, line in enumerate(COMMENT.sub(lines_of, text).splitlines(), 1):
        here = f"report.md:{number}"
        opens = next((kind for start, kind in BEGINNINGS.items() if line.startswith(start)), "")
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
        if not (REPORT / found[1]).is_file():
            yield f"{place(prose, found.start())}: {found[1]}: нет файла. Исправьте имя в скобках."


def outdated(text: str) -> Iterator[str]:
    """Tell of pictures not made from their sources as they are."""
    for found in PICTURE.finditer(text):
        path = REPORT / found[1]
        if path.parent.name not in DRAWN or path.suffix != ".svg" or not path.is_file():
            continue
        if not drawing.is_current(path):
            name = f"{path.parent.name}/{path.stem}"
            yield (
                f"{place(text, found.start())}: {found[1]} не соответствует программам: "
                f"python report/build.py pictures {name} (или вставьте свой снимок экрана, PNG)"
            )


def placeholders(text: str) -> Iterator[str]:
    """Tell of places that are left for the author."""
    prose = without_code(text)
    for found in PLACEHOLDER.finditer(prose):
        yield f"{place(prose, found.start())}: впишите своё вместо «{found[0]}»"
