"""The report as a tree: read by pandoc, captions joined with what they name, references linked."""

import itertools
import json
import re
import xml.etree.ElementTree as ET
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
ONLY_IN_MARKDOWN = re.compile(r"^<!-- fill: (head|contents) -->.*?^<!-- end -->$", re.M | re.S)
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
PER_MM = {"mm": 1, "cm": 0.1, "in": 1 / 25.4, "pt": 72 / 25.4, "px": 96 / 25.4, "": 96 / 25.4}
MOST_WEIGHT = 40  # letters: a column of a table with longer texts gets no more room for them


@dataclass
class Document:
    """The theme of the report, and its body as blocks of pandoc's tree."""

    theme: str
    blocks: list[dict]


def load(text: str) -> Document:
    """Return the report as a tree; a caption and what it names are one `Div`."""
    text = outside_code(ONLY_IN_MARKDOWN.sub("", text), linked)
    title, *blocks = json.loads(pandoc(text, READER, "json"))["blocks"]
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
    parts[::2] = [change(part) for part in parts[::2]]
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
    """Return blocks without HTML; a picture gets its width, a page break stays as a rule."""
    kept = []
    width = ""
    for block in blocks:
        comment = block["c"][1] if block["t"] == "RawBlock" else ""
        if "pagebreak" in comment:
            kept.append({"t": "HorizontalRule"})
        elif found := re.search(r"width: (\d+)%", comment):
            width = found[1]
        elif not comment:
            if is_picture(block):
                size_picture(block["c"][0], float(width or 100))
                width = ""
            kept.append(block)
    return kept


def is_picture(block: dict) -> bool:
    """Return whether a block is a paragraph with nothing but an image."""
    return block["t"] == "Para" and [inline["t"] for inline in block["c"]] == ["Image"]


def size_picture(image: dict, percent: float) -> None:
    """Give an image a width: its own one where it fits the page."""
    (_, classes, _), _, (target, _) = image["c"]
    width, height = size(target)
    most = min(TEXT_WIDTH * percent / 100, MOST_HEIGHT * width / height)
    image["c"][0] = ["", classes, [["width", f"{min(width, most):.1f}mm"]]]


def size(target: str) -> tuple[float, float]:
    """Return the width and height of a picture in millimetres."""
    path = REPORT / target
    try:
        if path.suffix != ".svg":  # a screenshot: as wide as the page, if it is not smaller
            with Image.open(path) as picture:
                return tuple(side / 96 * 25.4 for side in picture.size)
        root = ET.parse(path).getroot()
        lengths = [re.fullmatch(r"([\d.]+)(\w*)", root.get(name)) for name in ("width", "height")]
        width, height = (float(length[1]) / PER_MM[length[2]] for length in lengths)
    except (OSError, ET.ParseError, TypeError, KeyError):
        raise Problem(f"{target}: не картинка. Нужен PNG или SVG с шириной и высотой.") from None
    return width, height


def join_captions(blocks: list[dict]) -> list[dict]:
    """Return blocks with each caption and the picture above, or the table or code below, as one."""
    joined: list[dict] = []
    for block in blocks:
        caption = CAPTION.match(plain(block)) if block["t"] == "Para" else None
        before = joined[-1] if joined else {"t": ""}
        if caption:
            part = div(KINDS[caption[1]], caption[2], block)
            if KINDS[caption[1]] == "figure" and is_picture(before):
                part["c"][1].append(joined.pop())
            joined.append(part)
        elif BODIES.get(block["t"]) and accepts(before, BODIES[block["t"]]):
            before["c"][1].append(block)
        else:
            joined.append(block)
    return joined


def div(kind: str, number: str, *blocks: dict) -> dict:
    """Return a part of the tree that can be referred to."""
    return {"t": "Div", "c": [[f"{kind}-{number}", [kind], []], list(blocks)]}


def accepts(block: dict, kind: str) -> bool:
    """Return whether a block is a caption that still wants a body, or listings more of them."""
    if block["t"] != "Div" or block["c"][0][1] != [kind]:
        return False
    return kind == "listing" or len(block["c"][1]) == 1


def raise_headings(blocks: list[dict]) -> None:
    """Raise headings by a level; what has no number is a structural element."""
    for block in blocks:
        if block["t"] == "Header":
            block["c"][0] -= 1
            if block["c"][0] == 1 and not plain(block)[0].isdigit():
                block["c"][1][1].append("unnumbered")
            if plain(block).startswith(APPENDIX):
                break_appendix(block)


def break_appendix(heading: dict) -> None:
    """Put the title of an appendix on a line of its own, below «ПРИЛОЖЕНИЕ А»."""
    name, _, title = plain(heading).partition(". ")
    first, second = ({"t": "Str", "c": line} for line in (name.upper(), title))
    heading["c"][1][1].append("appendix")
    heading["c"][2] = [first, {"t": "LineBreak"}, second]


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
        weights = [
            min(max(map(len, column)), MOST_WEIGHT) + 4 for column in zip(*rows, strict=True)
        ]
        for column, weight in zip(columns, weights, strict=True):
            column[1] = {"t": "ColWidth", "c": weight / sum(weights)}
