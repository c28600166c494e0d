"""The PDF: the tree goes through pandoc to Typst, which lays it out as gost.typ says."""

import json
from pathlib import Path

import matplotlib
import typst

from document import Document, captioned, every, pandoc, plain, to_json
from facts import REPORT, ROOT, Problem

FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")  # the same on every machine
START = '#import "/report/gost.typ": *\n#show: report\n'
PAGES = "query(heading).slice(1).map(it => it.location().page())"  # without «Содержание»
ENDS = "query(<end>).map(it => (it.value, it.location().page(), it.location().position().y.mm()))"
BREAK = "// The next block\n"
LEAST_GAP, BOTTOM = 20, 277  # mm at the foot of a page that are worth filling; where the text ends
MOST_MOVES, MOST_PASSED = 20, 2  # how often something is moved; behind how many paragraphs
LONG = 45  # lines of a listing that may break


def make(document: Document) -> tuple[bytes, list[int]]:
    """Return the PDF, and the pages on which its headings stand."""
    parts = [[*to_typst(block, n), raw(BREAK)] for n, block in enumerate(document.blocks)]
    text = pandoc(to_json([block for part in parts for block in part]), "json", "typst")
    texts = text.split(BREAK)[:-1]
    source = {
        "root": ROOT,
        "font_paths": [FONTS],
        "ignore_system_fonts": True,
        "sys_inputs": {"title": json.dumps(document.title, ensure_ascii=False)},
    }
    try:
        order = arrange(document.blocks, texts, source)
        document.blocks[:] = [document.blocks[n] for n in order]
        return typst.compile(**source), json.loads(typst.eval(expression=PAGES, **source))
    except (typst.TypstError, RuntimeError) as error:  # checks of text.py come before
        raise Problem(f"PDF не собрать: {' '.join(str(error).split())}") from None


def arrange(blocks: list[dict], texts: list[str], source: dict) -> list[int]:
    """Return an order of blocks in which no page is half empty; leave it in `source`.

    Where a figure does not fit on a page, paragraphs go before it, but nothing goes past a heading.
    """
    order, passed = list(range(len(blocks))), dict.fromkeys(range(len(blocks)), 0)
    for _ in range(MOST_MOVES):
        source["input"] = "".join([START, *(texts[n] for n in order)]).encode()
        ends = {n: at for n, *at in json.loads(typst.eval(expression=ENDS, **source))}
        windows = zip(order, order[1:], order[2:], strict=False)
        for place, (before, n, after) in enumerate(windows, 1):
            if (
                captioned(blocks[n])
                and blocks[after]["t"] == "Para"
                and not plain(blocks[after]).endswith(":")
                and passed[n] < MOST_PASSED
                and before in ends
                and ends[before][0] < ends[n][0]
                and ends[before][1] < BOTTOM - LEAST_GAP
            ):
                passed[n] += 1
                order[place], order[place + 1] = after, n
                break
        else:
            break
    return order


def to_typst(block: dict, n: int) -> list[dict]:
    """Return a block as Typst wants it: parts with captions become calls of functions."""
    if block["t"] == "Header" and "appendix" in block["c"][1][1]:
        return [block, raw("#code-size.update(8pt)")]
    if block["t"] == "Header" and plain(block).startswith("Список"):
        return [block, raw("#set par(justify: false)")]
    if block["t"] in ("Para", "BulletList", "OrderedList"):
        paragraph = block if block["t"] == "Para" else list(every("Plain", block))[-1:][0]
        mark = {"t": "RawInline", "c": ["typst", f"#metadata({n})<end>"]}
        paragraph["c"].insert(-1, mark)  # behind the last word it would belong to what follows
    if not (parts := captioned(block)):
        return [block]
    kind, number, caption, bodies = parts
    end = raw(f"#metadata({n})<end>] <{block['c'][0][0]}>")
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
