"""The report as a tree: read by pandoc, captions joined with what they name, references linked."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pypandoc
from PIL import Image

from facts import REPORT, Problem, student

READER = "gfm+tex_math_dollars-yaml_metadata_block"
NAMES = {"figure": "Рисунок", "table": "Таблица", "listing": "Листинг"}
KINDS = {name: kind for kind, name in NAMES.items()}
STEMS = {"рис": "figure", "табл": "table", "листинг": "listing", "[": "source"}
BODIES = {"Table": "table", "CodeBlock": "listing"}
SOURCES, APPENDIX = "Список использованных источников", "Приложение"

CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.M | re.S)
N = r"(?:[А-ЯA-Z]\.)?\d+"  # a number, in an appendix with its letter
PAGE = r", [сcп]\.\s[^];]+"  # «с. 15», «п. 4.2»
CAPTION = re.compile(rf"^(Рисунок|Таблица|Листинг)\s({N})\s— .+", re.M)
# «рисунок 3», «на рисунках 3 и 4», «листинги А.1–А.3»; not the caption itself
REFERENCE = re.compile(
    rf"(?!^\w+\s{N}\s— )\b(?P<kind>рис|табл|листинг)(?P<end>\w*\.?\s)"
    rf"(?P<numbers>{N}(?:(?:, |\sи\s|–){N})*)(?![\d.]*\d)",
    re.M | re.I,
)
CITATION = re.compile(  # «[2, с. 15; 4–6]»
    rf"(?<!\])(?P<kind>\[)(?P<end>)(?P<numbers>\d+(?:{PAGE})?(?:[;,–]\s?\d+(?:{PAGE})?)*)\](?!\()"
)

TEXT_WIDTH, MOST_HEIGHT = 165.0, 200.0  # millimetres
VIEW_BOX = re.compile(r'viewBox="\S+ \S+ (\S+) (\S+)"')
MOST_WEIGHT = 72  # letters: a column of a table with longer texts gets no more room for them


@dataclass
class Document:
    """The title page of the report, part by part, and the body as blocks of pandoc's tree."""

    title: dict
    blocks: list[dict]


def load(text: str) -> Document:
    """Return the report as a tree; a caption and what it names are one `Div`."""
    parts = CODE.split(text)
    parts[::2] = map(linked, parts[::2])
    tree = json.loads(pandoc("".join(parts), READER, "json", "--shift-heading-level-by=-1"))
    if "title" not in tree["meta"]:
        raise Problem("report.md:1: первая строка — тема работы: «# Тема»")
    blocks = join_captions([block for block in tree["blocks"] if block["t"] != "RawBlock"])
    for before, block in zip([{"t": ""}, *blocks], blocks, strict=False):
        if block["t"] == "Header":
            set_heading(block)
        if plain(before) == SOURCES and block["t"] == "OrderedList":  # names to lead to
            for number, item in enumerate(block["c"][1], 1):
                item[0]["c"] = [{"t": "Span", "c": [[f"source-{number}", [], []], item[0]["c"]]}]
        if block["t"] == "Div" and is_picture(block["c"][1][-1]):
            looks, _, (target, _) = block["c"][1][-1]["c"][0]["c"]
            looks[2] = [["width", f"{width(target):.1f}mm"]]
        if block["t"] == "Div":
            set_widths(block)
    return Document(title_page(plain(tree["meta"]["title"])), blocks)


def title_page(theme: str) -> dict:
    """Return what stands on the title page, from the top; signatures: in which capacity, who."""
    fields = student()
    heads = [fields[name] for name in ("ministry", "university", "faculty", "department")]
    number = f" № {fields['number']}" if fields["number"] else ""
    subject, role = f"по дисциплине «{fields['subject']}»", fields["role"] or "Выполнил: студент"
    signatures = [
        (f"{role} группы {fields['group']}", fields["student"]),
        ("", fields["coauthor"]),
        (f"Проверил: {fields['teacher_title']}".strip(), fields["teacher"]),
    ]
    return {
        "theme": theme,
        "author": ", ".join(filter(None, (fields["student"], fields["coauthor"]))),
        "heads": list(filter(None, heads)),
        "title": ["ОТЧЁТ", f"по лабораторной работе{number}", subject, f"на тему: «{theme}»"],
        "signatures": [signature for signature in signatures if signature[1]],
        "foot": f"{fields['city']} {fields['year']}",
    }


def pandoc(text: str, source: str, target: str, *options: str, output: str | None = None) -> str:
    """Return a text converted by pandoc."""
    wide = "--columns=10000"  # keeps pandoc from giving long tables widths of its own
    try:
        return pypandoc.convert_text(text, target, source, [wide, *options], outputfile=output)
    except RuntimeError as error:
        raise Problem(f"pandoc: {' '.join(str(error).split())}") from None


def to_json(blocks: list[dict]) -> str:
    """Return blocks as a document that pandoc reads."""
    return json.dumps({"pandoc-api-version": [1, 23, 1], "meta": {}, "blocks": blocks})


def linked(text: str) -> str:
    """Return a text with its references to figures, tables, listings and sources as links."""

    def link(match: re.Match) -> str:
        kind = STEMS[match["kind"].lower()]
        numbers = re.sub(
            rf"{PAGE}|{N}",
            lambda part: part[0] if part[0][0] == "," else f"[{part[0]}](#{kind}-{part[0]})",
            match["numbers"],
        )
        return rf"\[{numbers}\]" if kind == "source" else match["kind"] + match["end"] + numbers

    text = CITATION.sub(link, REFERENCE.sub(link, text))
    # No line begins with a dash, the letter of a key, or a name after its initial.
    text = text.replace(" — ", "\u00a0— ").replace("Ctrl-", "Ctrl\u2011")
    return re.sub(r"(?<!ние )\b([А-ЯA-Z]\.) (?=[А-ЯA-Z])", "\\1\u00a0", text)


def references_in(text: str) -> Iterator[tuple[str, int]]:
    """Return what a text refers to, such as `figure-2` and `source-1`, and where."""
    for found in (*REFERENCE.finditer(text), *CITATION.finditer(text)):
        for number in expand(found["numbers"]):
            yield f"{STEMS[found['kind'].lower()]}-{number}", found.start()


def expand(numbers: str) -> list[str]:
    """Return the numbers of a list such as «2, 4–6 и 8» or «2, с. 15; 4–6»."""
    found: list[str] = []
    for dash, number in re.findall(rf"(–?)\s?({N})", re.sub(PAGE, "", numbers)):
        letter, dot, last = number.rpartition(".")
        first = int(found[-1].rpartition(".")[2]) + 1 if dash else int(last)
        found += [f"{letter}{dot}{each}" for each in range(first, int(last) + 1)]
    return found


def plain(node: object) -> str:
    """Return the text of a part of the tree."""
    if isinstance(node, list):
        return "".join(map(plain, node))
    if not isinstance(node, dict) or node["t"] in ("RawInline", "Note"):
        return ""
    match node["t"]:
        case "Str":
            return node["c"]
        case "Code" | "CodeBlock" | "Math":
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


def is_picture(block: dict) -> bool:
    """Return whether a block is a paragraph with nothing but an image."""
    return block["t"] == "Para" and [inline["t"] for inline in block["c"]] == ["Image"]


def accepts(block: dict, kind: str) -> bool:
    """Return whether a block is a caption that still wants a body, or listings more of them."""
    if block["t"] != "Div" or block["c"][0][1] != [kind]:
        return False
    return kind == "listing" or len(block["c"][1]) == 1


def set_heading(heading: dict) -> None:
    """Mark structural elements, which have no number; the title of an appendix gets a line."""
    level, (_, classes, _), words = heading["c"]
    text = plain(words)
    if level == 1 and not text[:1].isdigit():
        classes.append("unnumbered")
    if text.startswith(APPENDIX):  # its title stands below «ПРИЛОЖЕНИЕ А»
        name, _, title = text.partition(". ")
        classes.append("appendix")
        words[:] = [{"t": "Str", "c": name.upper()}, {"t": "LineBreak"}, {"t": "Str", "c": title}]


def width(target: str) -> float:
    """Return how wide a picture is printed, in millimetres: as the text is, or less."""
    path, most = REPORT / target, TEXT_WIDTH
    if not path.is_file():  # checks.py tells that
        return most
    try:
        if path.suffix == ".svg":  # a diagram is as wide as its letters ask
            start = path.read_text("utf-8")[:2000]
            wide, high = map(float, VIEW_BOX.search(start).groups())
            own = re.search(r'width="([\d.]+)mm"', start)
            most = min(most, float(own[1])) if own else most
        else:  # a screenshot
            with Image.open(path) as picture:
                wide, high = picture.size
            most = min(most, wide / 96 * 25.4)
    except (OSError, AttributeError, ValueError):
        raise Problem(f"{target}: не картинка. Нужен PNG или SVG с размерами (viewBox).") from None
    return min(most, MOST_HEIGHT * wide / high)


def set_widths(block: dict) -> None:
    """Make tables as wide as the text, and their columns as what is in them needs."""
    for table in every("Table", block["c"][1]):
        _, _, columns, head, [body], _ = table["c"]
        rows = [[plain(cell[4]) for cell in row[1]] for row in [*head[1], *body[3]]]
        longest = [max(map(len, column)) for column in zip(*rows, strict=True)]
        weights = [min(length, MOST_WEIGHT) + 4 for length in longest]
        for column, weight in zip(columns, weights, strict=True):
            column[1] = {"t": "ColWidth", "c": weight / sum(weights)}
