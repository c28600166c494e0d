"""The report as pandoc's tree, in which a caption and what it names are one `Div`."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pypandoc
from PIL import Image

from facts import REPORT, Problem, student

READER = "gfm+tex_math_dollars+fenced_divs+attributes+bracketed_spans"
READER += "-yaml_metadata_block-gfm_auto_identifiers"  # names only where they are given
TEXT_WIDTH, MOST_HEIGHT = 165.0, 200.0  # millimetres
VIEW_BOX = re.compile(r'viewBox="\S+ \S+ (\S+) (\S+)"')
MOST_WEIGHT = 72  # letters: a column of a table with longer texts gets no more room for them


@dataclass
class Document:
    """The title page of the report, part by part, and the body as blocks of pandoc's tree."""

    title: dict
    blocks: list[dict]


def load(markdown: str) -> Document:
    """Return the report as a tree."""
    tree = json.loads(pandoc(markdown, READER, "json", "--shift-heading-level-by=-1"))
    if "title" not in tree["meta"]:
        raise Problem("report.md:1: первая строка — тема работы: «# Тема»")
    for block in tree["blocks"]:
        if block["t"] == "Header":
            words = block["c"][2]
            name, dot, title = plain(words).partition(". ")
            if name.startswith("Приложение ") and dot:  # its title stands below «ПРИЛОЖЕНИЕ А»
                block["c"][1][1].append("appendix")
                upper, below = {"t": "Str", "c": name.upper()}, {"t": "Str", "c": title}
                words[:] = [upper, {"t": "LineBreak"}, below]
        for image in every("Image", block):
            looks, _, (target, _) = image["c"]
            looks[2] = [["width", f"{width(target):.1f}mm"]]
        for table in every("Table", block):
            set_widths(table)
    return Document(title_page(plain(tree["meta"]["title"])), tree["blocks"])


def title_page(theme: str) -> dict:
    """Return what stands on the title page, from the top; signatures: in which capacity, who."""
    fields = student()
    heads = [fields[name] for name in ("ministry", "university", "faculty", "department")]
    number = f" № {fields['number']}" if fields["number"] else ""
    subject, role = f"по дисциплине «{fields['subject']}»", fields["role"] or "Выполнил: студент"
    signatures = [
        (role, ""),
        (f"группы {fields['group']}", fields["student"]),
        ("", fields["coauthor"]),
        ("Проверил:", ""),
        (fields["teacher_title"], fields["teacher"]),
    ]
    return {
        "theme": theme,
        "author": ", ".join(filter(None, (fields["student"], fields["coauthor"]))),
        "heads": list(filter(None, heads)),
        "title": ["ОТЧЁТ", f"по лабораторной работе{number}", subject, "на тему:", f"«{theme}»"],
        "signatures": [signature for signature in signatures if any(signature)],
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


def captioned(block: dict) -> tuple[str, str, dict, list[dict]] | None:
    """Return the kind and the number of what has a caption, the caption and what it names."""
    if block["t"] != "Div":
        return None
    (_, [kind], [[_, number]]), (caption, *bodies) = block["c"]
    return kind, number, caption, bodies


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


def width(target: str) -> float:
    """Return how wide a picture is printed, in millimetres: as the text is, or less."""
    path, most = REPORT / target, TEXT_WIDTH
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
        raise Problem("это не картинка: нужен PNG, JPEG или SVG с размерами (viewBox)") from None
    return min(most, MOST_HEIGHT * wide / high)


def set_widths(table: dict) -> None:
    """Make a table as wide as the text, and its columns as what is in them needs."""
    _, _, columns, head, [body], _ = table["c"]
    rows = [[plain(cell[4]) for cell in row[1]] for row in [*head[1], *body[3]]]
    longest = [max(map(len, column)) for column in zip(*rows, strict=True)]
    weights = [min(length, MOST_WEIGHT) + 4 for length in longest]
    for column, weight in zip(columns, weights, strict=True):
        column[1] = {"t": "ColWidth", "c": weight / sum(weights)}
