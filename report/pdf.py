"""The PDF: the tree goes through pandoc to Typst, which lays it out as gost.typ says."""

import json
from pathlib import Path

import matplotlib
import typst

from document import SOURCES, Document, every, pandoc, plain, to_json
from facts import REPORT, ROOT, Problem

FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")  # the same on every machine
START = '#import "/report/gost.typ": *\n#show: report\n'
PAGES = "query(heading).slice(1).map(it => it.location().page())"  # without «Содержание»
MOST_CELLS = 60  # of a table that moves like a figure
APPENDIX_SIZE = "#code-size.update(8pt)"


def make(document: Document) -> tuple[bytes, list[int]]:
    """Return the PDF, and the pages on which its headings stand."""
    blocks = [part for block in document.blocks for part in to_typst(block)]
    body = pandoc(to_json(blocks), "json", "typst")
    source = {
        "input": (START + body).encode(),
        "root": ROOT,
        "font_paths": [FONTS],
        "ignore_system_fonts": True,
        "sys_inputs": {"title": json.dumps(document.title, ensure_ascii=False)},
    }
    try:
        return typst.compile(**source), json.loads(typst.eval(expression=PAGES, **source))
    except typst.TypstError as error:
        raise Problem(f"typst: {error.message}") from None


def to_typst(block: dict) -> list[dict]:
    """Return a block as Typst wants it: parts with captions become calls of functions."""
    if block["t"] == "Header" and "appendix" in block["c"][1][1]:
        return [block, raw(APPENDIX_SIZE)]
    if block["t"] == "Header" and plain(block) == SOURCES:
        return [block, raw("#set par(justify: false)")]
    if block["t"] != "Div":
        return [block]
    (name, [kind], _), (caption, *bodies) = block["c"]
    end = raw(f"] <{name}>")
    if kind == "figure":
        (_, _, [[_, width]]), alt, (target, _) = bodies[0]["c"][0]["c"]
        path = "/" + (REPORT / target).resolve().relative_to(ROOT).as_posix()
        call = f"{quoted(path)}, {width}, {quoted(plain(alt))}"
        return [raw(f"#figure-part({call})["), caption, end]
    size = "small-" if kind == "table" and len(list(every("Plain", bodies))) <= MOST_CELLS else ""
    start = f"#{size}{kind}-part({quoted(name.partition('-')[2])})["
    return [raw(start), caption, raw("]["), *bodies, end]


def raw(code: str) -> dict:
    """Return a block that pandoc passes on as it is."""
    return {"t": "RawBlock", "c": ["typst", code]}


def quoted(text: str) -> str:
    """Return a text as a string of Typst."""
    return json.dumps(text, ensure_ascii=False)
