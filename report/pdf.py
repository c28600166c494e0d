"""The PDF: the tree goes through pandoc to Typst, which lays it out as gost.typ says."""

import json

import typst

from document import FONTS, Document, captioned, every, pandoc, plain, to_json
from facts import REPORT, ROOT, Problem

START = '#import "/report/gost.typ": *\n#show: report\n'
PAGES = "query(heading).slice(1).map(it => it.location().page())"  # without «Содержание»
ENDS = "query(<end>).map(it => (it.location().page(), it.location().position().y.mm()))"
BREAK = "// The next block\n"
LEAST_GAP, BOTTOM = 20, 277  # mm at the foot of a page that are worth filling; where the text ends
MOST_MOVES, MOST_PASSED = 20, 2  # how often something is moved; behind how many paragraphs
LONG = 45  # lines of a listing that may break


def make(document: Document) -> tuple[bytes, list[int]]:
    """Return the PDF, and the pages on which its headings stand."""
    parts = [[*to_typst(block), raw(BREAK)] for block in document.blocks]
    text = pandoc(to_json([block for part in parts for block in part]), "json", "typst")
    texts = text.split(BREAK)[:-1]
    try:
        arrange(document, texts)
        source = sources(document, texts)
        return typst.compile(**source), json.loads(typst.eval(expression=PAGES, **source))
    except (typst.TypstError, RuntimeError) as error:  # checks of text.py come before
        raise Problem(f"PDF не собрать: {' '.join(str(error).split())}") from None


def sources(document: Document, texts: list[str]) -> dict:
    """Return what Typst needs."""
    return {
        "input": (START + "#metadata(none)<end>\n".join([*texts, ""])).encode(),
        "root": ROOT,
        "font_paths": [FONTS],
        "ignore_system_fonts": True,
        "sys_inputs": {"title": json.dumps(document.title, ensure_ascii=False)},
    }


def arrange(document: Document, texts: list[str]) -> None:
    """Let paragraphs go before a figure that does not fit on their page: no page is half empty.

    Nothing goes past a heading, so a figure stays in its section.
    """
    passed: dict[int, int] = {}
    for _ in range(MOST_MOVES):
        ends = json.loads(typst.eval(expression=ENDS, **sources(document, texts)))
        for n in range(1, len(ends)):
            (page, y), (page_after, _) = ends[n - 1], ends[n]
            block, following = document.blocks[n], document.blocks[n + 1 : n + 2]
            times = passed.get(id(block), 0)
            if (
                page_after > page
                and BOTTOM - y > LEAST_GAP
                and captioned(block)
                and following
                and following[0]["t"] == "Para"
                and not plain(following[0]).endswith(":")
                and times < MOST_PASSED
            ):
                passed[id(block)] = times + 1
                for line in (document.blocks, texts):
                    line[n], line[n + 1] = line[n + 1], line[n]
                break
        else:
            return


def to_typst(block: dict) -> list[dict]:
    """Return a block as Typst wants it: parts with captions become calls of functions."""
    if block["t"] == "Header" and "appendix" in block["c"][1][1]:
        return [block, raw("#code-size.update(8pt)")]
    if block["t"] == "Header" and plain(block).startswith("Список"):
        return [block, raw("#set par(justify: false)")]
    if not (parts := captioned(block)):
        return [block]
    kind, number, caption, bodies = parts
    end = raw(f"] <{block['c'][0][0]}>")
    if kind == "figure":
        (_, _, [[_, width]]), alt, (target, _) = next(every("Image", bodies))["c"]
        path = "/" + (REPORT / target).resolve().relative_to(ROOT).as_posix()
        call = f"{quoted(path)}, {width}, {quoted(plain(alt))}"
        return [raw(f"#figure-part({call})["), caption, end]
    lines = sum(body["c"][1].count("\n") + 1 for body in bodies if body["t"] == "CodeBlock")
    breakable = "true" if "." in number or lines > LONG else "false"
    start = f"#captioned({quoted(kind)}, {quoted(number)}, {breakable})["
    return [raw(start), caption, raw("]["), *bodies, end]


def raw(code: str) -> dict:
    """Return a block that pandoc passes on as it is."""
    return {"t": "RawBlock", "c": ["typst", code]}


def quoted(text: str) -> str:
    """Return a text as a string of Typst."""
    return json.dumps(text, ensure_ascii=False)
