"""The report as a tree: read by pandoc, captions joined with what they name, references linked."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pypandoc
from PIL import Image

from facts import REPORT, Problem

READER = "gfm+tex_math_dollars-yaml_metadata_block"
OPTIONS = ["--columns=10000"]  # keeps pandoc from giving long tables widths of its own
KINDS = {"Рисунок": "figure", "Таблица": "table", "Листинг": "listing"}
STEMS = {"рисун": "figure", "табли": "table", "листи": "listing"}
BODIES = {"Table": "table", "CodeBlock": "listing"}
N = r"(?:[А-Я]\.)?\d+"  # a number, in an appendix with its letter
CAPTION = re.compile(rf"(Рисунок|Таблица|Листинг)\s({N})\s— .+", re.M)
SOURCES, APPENDIX = "Список использованных источников", "Приложение"

CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.M | re.S)
NUMBER = re.compile(N)
# «рисунок 3», «на рисунках 3 и 4», «таблицах 2, 3», «листинги А.1–А.3»; not the caption itself
REFERENCE = re.compile(
    rf"(?!^\w+\s{N}\s— )\b(рисун|табли|листи)(\w+\s)({N}(?:(?:, |\sи\s|–){N})*)(?![\d.]*\d)",
    re.M | re.I,
)
PAGE = r"(?:, [сп]\.\s[^];]+)?"  # «с. 15», «п. 4.2»
CITATION = re.compile(rf"(?<!\])\[(\d+{PAGE}(?:[;,–]\s?\d+{PAGE})*)\](?!\()")
CITED = re.compile(r"(?:^|(?<=[;,–])|(?<=[;,]\s))\d+")

TEXT_WIDTH, MOST_HEIGHT = 165.0, 200.0  # millimetres
VIEW_BOX = re.compile(r'viewBox="\S+ \S+ (\S+) (\S+)"')
MOST_WEIGHT = 40  # letters: a column of a table with longer texts gets no more room for them


@dataclass
class Document:
    """The theme of the report, and its body as blocks of pandoc's tree."""

    theme: str
    blocks: list[dict]


def load(text: str) -> Document:
    """Return the report as a tree; a caption and what it names are one `Div`."""
    title, *blocks = json.loads(pandoc(outside_code(text, linked), READER, "json"))["blocks"]
    if title["t"] != "Header" or title["c"][0] != 1:
        raise Problem("report.md:1: первая строка — тема работы: «# Тема»")
    blocks = join_captions(without_comments(blocks))
    raise_headings(blocks)
    set_enumerations(blocks)
    set_widths(blocks)
    return Document(plain(title["c"][2]), blocks)


def pandoc(text: str, source: str, target: str, *options: str, output: str | None = None) -> str:
    """Return a text converted by pandoc."""
    try:
        return pypandoc.convert_text(
            text, target, source, [*OPTIONS, *options], outputfile=output, sandbox=False
        )
    except RuntimeError as error:
        raise Problem(f"pandoc: {' '.join(str(error).split())}") from None


def to_json(blocks: list[dict]) -> str:
    """Return blocks as a document that pandoc reads."""
    return json.dumps({"pandoc-api-version": [1, 23, 1], "meta": {}, "blocks": blocks})


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Return a text with a change made to all of it that is not code."""
    parts = CODE.split(text)
    parts[::2] = map(change, parts[::2])
    return "".join(parts)


def linked(text: str) -> str:
    """Return a text with its references to figures, tables, listings and sources as links."""

    def link(match: re.Match) -> str:
        target = STEMS[match[1].lower()]
        numbers = NUMBER.sub(lambda number: f"[{number[0]}](#{target}-{number[0]})", match[3])
        return f"{match[1]}{match[2]}{numbers}"

    def cite(match: re.Match) -> str:
        numbers = CITED.sub(lambda number: f"[{number[0]}](#source-{number[0]})", match[1])
        return rf"\[{numbers}\]"

    # A dash does not begin a line.
    return CITATION.sub(cite, REFERENCE.sub(link, text)).replace(" — ", "\u00a0— ")


def plain(node: object) -> str:
    """Return the text of a part of the tree."""
    if isinstance(node, list):
        return "".join(map(plain, node))
    if not isinstance(node, dict) or node["t"] in ("RawInline", "Note"):
        return ""
    match node["t"]:
        case "Str":
            return node["c"]
        case "Code" | "Math":
            return node["c"][1]
        case "Space" | "SoftBreak" | "LineBreak":
            return " "
    return plain(node.get("c"))


def every(kind: str, node: object) -> Iterator[dict]:
    """Return all parts of a kind, however deep in the tree."""
    if isinstance(node, dict):
        if node.get("t") == kind:
            yield node
        node = node.get("c")
    if isinstance(node, list):
        for part in node:
            yield from every(kind, part)


def without_comments(blocks: list[dict]) -> list[dict]:
    """Return blocks without HTML; a picture gets its width."""
    kept, percent = [], 100
    for block in blocks:
        comment = block["c"][1] if block["t"] == "RawBlock" else ""
        if found := re.search(r"width: (\d+)%", comment):
            percent = int(found[1])
        elif not comment:
            if is_picture(block):
                looks, _, (target, _) = block["c"][0]["c"]
                looks[2] = [["width", f"{width(target, percent):.1f}mm"]]
                percent = 100
            kept.append(block)
    return kept


def is_picture(block: dict) -> bool:
    """Return whether a block is a paragraph with nothing but an image."""
    return block["t"] == "Para" and [inline["t"] for inline in block["c"]] == ["Image"]


def width(target: str, percent: int) -> float:
    """Return how wide a picture is printed, in millimetres."""
    path, most = REPORT / target, TEXT_WIDTH * percent / 100
    try:
        if path.suffix == ".svg":  # as wide as the text; a diagram is as wide as its letters ask
            start = path.read_text("utf-8")[:2000]
            wide, high = map(float, VIEW_BOX.search(start).groups())
            if own := re.search(r'width="([\d.]+)mm"', start):
                most = min(most, float(own[1]))
        else:  # a screenshot: as wide as the text, if it is not smaller
            with Image.open(path) as picture:
                wide, high = picture.size
            most = min(most, wide / 96 * 25.4)
    except (OSError, AttributeError, ValueError):
        raise Problem(f"{target}: не картинка. Нужен PNG или SVG с размерами (viewBox).") from None
    return min(most, MOST_HEIGHT * wide / high)


def join_captions(blocks: list[dict]) -> list[dict]:
    """Return blocks with each caption and the picture above, or the table or code below, as one."""
    joined: list[dict] = []
    for block in blocks:
        caption = CAPTION.match(plain(block)) if block["t"] == "Para" else None
        before = joined[-1] if joined else {"t": ""}
        if caption:
            kind = KINDS[caption[1]]
            parts = [block, joined.pop()] if kind == "figure" and is_picture(before) else [block]
            joined.append({"t": "Div", "c": [[f"{kind}-{caption[2]}", [kind], []], parts]})
        elif BODIES.get(block["t"]) and accepts(before, BODIES[block["t"]]):
            before["c"][1].append(block)
        else:
            joined.append(block)
    return joined


def accepts(block: dict, kind: str) -> bool:
    """Return whether a block is a caption that still wants a body, or listings more of them."""
    if block["t"] != "Div" or block["c"][0][1] != [kind]:
        return False
    return kind == "listing" or len(block["c"][1]) == 1


def raise_headings(blocks: list[dict]) -> None:
    """Raise headings by a level; what has no number is a structural element."""
    for block in blocks:
        if block["t"] != "Header":
            continue
        block["c"][0] -= 1
        if block["c"][0] == 1 and not plain(block)[0].isdigit():
            block["c"][1][1].append("unnumbered")
        if plain(block).startswith(APPENDIX):  # its title stands below «ПРИЛОЖЕНИЕ А»
            name, _, title = plain(block).partition(". ")
            first, second = ({"t": "Str", "c": line} for line in (name.upper(), title))
            block["c"][1][1].append("appendix")
            block["c"][2] = [first, {"t": "LineBreak"}, second]


def set_enumerations(blocks: list[dict]) -> None:
    """Give enumerations a bracket after the number; sources a full stop and a name to lead to."""
    for enumeration in every("OrderedList", blocks):
        enumeration["c"][0][2] = {"t": "OneParen"}
    for heading, block in itertools.pairwise(blocks):
        if heading["t"] == "Header" and plain(heading) == SOURCES and block["t"] == "OrderedList":
            block["c"][0][2] = {"t": "Period"}
            for number, item in enumerate(block["c"][1], 1):
                item[0]["c"] = [{"t": "Span", "c": [[f"source-{number}", [], []], item[0]["c"]]}]


def set_widths(blocks: list[dict]) -> None:
    """Make tables as wide as the text, and their columns as what is in them needs."""
    for table in every("Table", [block["c"][1] for block in blocks if block["t"] == "Div"]):
        _, _, columns, head, [body], _ = table["c"]
        rows = [[plain(cell[4]) for cell in row[1]] for row in [*head[1], *body[3]]]
        longest = [max(map(len, column)) for column in zip(*rows, strict=True)]
        weights = [min(length, MOST_WEIGHT) + 4 for length in longest]
        for column, weight in zip(columns, weights, strict=True):
            column[1] = {"t": "ColWidth", "c": weight / sum(weights)}
