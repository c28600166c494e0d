"""What is wrong with the text: captions, references, sources, sections, pictures, links."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import drawing
from document import (
    CITATION,
    CITED,
    CODE,
    KINDS,
    NUMBER,
    REFERENCE,
    SOURCES,
    STEMS,
    Document,
    every,
    is_picture,
    plain,
)
from fill import COMMENT
from project import REPORT

NAMES = {kind: name for name, kind in KINDS.items()}
RANGE = re.compile(r"(\d+)–(\d+)")
SECTION = re.compile(r"\bраздел\w*\s(\d+(?:\.\d+)*)", re.I)
ADDRESS = re.compile(r"\w+:")
DRAWN = ("pictures", "diagrams")


def problems(text: str, document: Document) -> Iterator[str]:
    """Tell everything that is wrong, one line each."""
    prose = "``".join(CODE.split(COMMENT.sub("", text))[::2])
    yield from captions(document)
    yield from references(prose, document)
    yield from sources(prose, document)
    yield from sections(prose, document)
    yield from missing(document)
    yield from outdated(document)
    yield from beginnings(text)


def captions(document: Document) -> Iterator[str]:
    """Tell of what has no caption, of captions of nothing, and of numbers out of order."""
    expected = defaultdict(lambda: 1)
    for block in document.blocks:
        if block["t"] == "Div":
            (_, [kind], _), (caption, *bodies) = block["c"]
            number = int(NUMBER.search(plain(caption))[0])
            if number != expected[kind]:
                yield f"«{plain(caption)}» has to be number {expected[kind]}"
            if not bodies:
                yield f"«{plain(caption)}» stands beside nothing"
            expected[kind] = number + 1
        elif is_picture(block):
            yield f"the picture {block['c'][0]['c'][2][0]} has no caption under it"
        elif block["t"] == "Table":
            yield f"the table «{plain(block)[:30]}…» has no caption above it"
        elif block["t"] == "CodeBlock" and "python" in block["c"][0][1]:
            yield f"the listing `{block['c'][1].partition(chr(10))[0]}` has no caption above it"


def references(prose: str, document: Document) -> Iterator[str]:
    """Tell of figures, tables and listings not referred to, and of references to nothing."""
    there = {block["c"][0][0] for block in document.blocks if block["t"] == "Div"}
    named = {
        f"{STEMS[stem.lower()]}-{number}"
        for stem, _, numbers in REFERENCE.findall(prose)
        for number in expand(numbers)
    }
    for name in sorted(there ^ named):
        kind, _, number = name.partition("-")
        fault = "is not referred to in the text" if name in there else "is referred to, but missing"
        yield f"{NAMES[kind]} {number} {fault}"


def expand(numbers: str) -> list[int]:
    """Return the numbers of a list such as «2, 4–6 и 8»."""
    ranges = [range(int(first), int(last) + 1) for first, last in RANGE.findall(numbers)]
    single = [int(number) for number in NUMBER.findall(RANGE.sub("", numbers))]
    return [*single, *(number for numbers in ranges for number in numbers)]


def sources(prose: str, document: Document) -> Iterator[str]:
    """Tell of sources not cited, cited but missing, or not in the order of their citation."""
    count = 0
    for block, following in zip(document.blocks, document.blocks[1:], strict=False):
        if block["t"] == "Header" and plain(block) == SOURCES:
            count = len(following["c"][1]) if following["t"] == "OrderedList" else 0
    cited = [number for found in CITATION.findall(prose) for number in cited_in(found)]
    order = list(dict.fromkeys(cited))
    for number in sorted(set(order) ^ set(range(1, count + 1))):
        fault = "is not cited" if number <= count else f"is cited, but there are {count} sources"
        yield f"source [{number}] {fault}"
    if order != sorted(order):
        yield f"sources are first cited in the order {order}: number them so"


def cited_in(citation: str) -> list[int]:
    """Return the numbers of the sources in a citation such as «2, с. 15; 4–6»."""
    ranges = [number for found in RANGE.findall(citation) for number in range(*map(int, found))]
    return [*ranges, *map(int, CITED.findall(citation))]


def sections(prose: str, document: Document) -> Iterator[str]:
    """Tell of references to sections that are not there."""
    headings = [plain(block) for block in document.blocks if block["t"] == "Header"]
    numbers = {heading.partition(" ")[0] for heading in headings}
    for number in dict.fromkeys(SECTION.findall(prose)):
        if number not in numbers:
            yield f"section {number} is referred to, but missing"


def missing(document: Document) -> Iterator[str]:
    """Tell of pictures and of links to files that are not there."""
    for target in targets(document):
        if not is_there(REPORT / target):
            yield f"{target} is missing, or the PNG beside it"


def outdated(document: Document) -> Iterator[str]:
    """Tell of pictures not made from their sources as they are."""
    for path in map(REPORT.joinpath, targets(document)):
        if path.parent.name in DRAWN and is_there(path) and not drawing.is_current(path):
            name = path.relative_to(REPORT).as_posix()
            yield f"{name} is not made from its sources as they are now"


def targets(document: Document) -> list[str]:
    """Return the files that are shown or linked to, each once."""
    parts = [part for kind in ("Image", "Link") for part in every(kind, document.blocks)]
    paths = [part["c"][2][0].partition("#")[0] for part in parts]
    return [path for path in dict.fromkeys(paths) if path and not ADDRESS.match(path)]


def is_there(path: Path) -> bool:
    """Return whether a file exists, and the PNG beside it if it is an SVG."""
    return path.is_file() and (path.suffix != ".svg" or path.with_suffix(".png").is_file())


def beginnings(text: str) -> Iterator[str]:
    """Tell of lines that GitHub would take for HTML."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("<!-- value"):
            yield f"report.md:{number}: put a word before the value, or GitHub takes it for HTML"
