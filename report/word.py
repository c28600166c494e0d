"""The DOCX: the tree goes through pandoc, which takes all looks from reference.docx.

What pandoc has no words for is OpenXML within the tree: the lines to sign on, the contents. To
change how the report looks, change the styles of reference.docx in Word.
"""

import datetime
import io
import itertools
import os
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

import docx
import typst
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from docx.table import Table
from docx.text.paragraph import Paragraph

from document import Document, captioned, every, pandoc, plain, to_json
from facts import REPORT
from pdf import FONTS

PANDOC = ("--syntax-highlighting=none", f"--reference-doc={REPORT / 'reference.docx'}")
DAY = datetime.datetime(2000, 1, 1)  # instead of today: the same text gives the same file
PPI = 240  # pixels per inch of a picture
CAPTIONS = {"figure": "Image Caption", "table": "Table Caption", "listing": "Listing Caption"}
PICTURE = """#set page(width: auto, height: auto, margin: 0pt, fill: white)
#image(bytes(sys.inputs.svg), format: "svg", width: eval(sys.inputs.width))"""

# A tab, and the page of a bookmark: LibreOffice computes it on opening, Word asks if it shall.
PAGE = """<w:r><w:tab/></w:r><w:r><w:fldChar w:fldCharType="begin" w:dirty="true"/></w:r>
<w:r><w:instrText xml:space="preserve"> PAGEREF {} \\h </w:instrText></w:r>
<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>{}</w:t></w:r>
<w:r><w:fldChar w:fldCharType="end"/></w:r>"""
SIGNATURES = """<w:tbl><w:tblPr><w:tblStyle w:val="TitlePageTable"/><w:tblW w:w="0" w:type="auto"/>
<w:tblLayout w:type="fixed"/></w:tblPr><w:tblGrid/>{}</w:tbl>"""
CELL = """<w:tc><w:tcPr><w:tcW w:w="{}" w:type="dxa"/>{}<w:vAlign w:val="bottom"/></w:tcPr>
<w:p><w:pPr><w:pStyle w:val="TitlePageSignature"/></w:pPr><w:r><w:t>{}</w:t></w:r></w:p></w:tc>"""
LINE = '<w:tcBorders><w:bottom w:val="single" w:sz="4" w:color="000000"/></w:tcBorders>'
WIDTHS = Mm(80).twips, Mm(25).twips, Mm(60).twips  # in which capacity, the line to sign on, who


def make(document: Document, pages: list[int]) -> bytes:
    """Return the DOCX; `pages` are those of the headings, for the contents until Word counts."""
    blocks = [*front(document.title), *contents(document.blocks, pages)]
    with tempfile.TemporaryDirectory() as folder:
        blocks += [part for block in document.blocks for part in to_word(block, Path(folder))]
        path = Path(folder, "report.docx")
        places = f"--resource-path={folder}{os.pathsep}{REPORT}"
        pandoc(to_json(blocks), "json", "docx", places, *PANDOC, output=str(path))
        word = docx.Document(str(path))
    finish(word)
    word.sections[0].first_page_footer.paragraphs[0].text = document.title["foot"]
    properties = word.core_properties
    properties.title, properties.author = document.title["theme"], document.title["author"]
    properties.created = properties.modified = DAY
    content = io.BytesIO()
    word.save(content)
    return content.getvalue()


def raw(kind: str, xml: str) -> dict:
    """Return OpenXML as a part of the tree: a `RawBlock` or a `RawInline`."""
    return {"t": kind, "c": ["openxml", xml]}


def styled(style: str, inlines: list[dict], name: str = "") -> dict:
    """Return a paragraph in a style of Word."""
    paragraph = {"t": "Para", "c": inlines}
    return {"t": "Div", "c": [[name, [], [["custom-style", style]]], [paragraph]]}


def text(words: str) -> dict:
    """Return words as a part of the tree."""
    return {"t": "Str", "c": words}


def front(title: dict) -> list[dict]:
    """Return the title page."""
    first, *others, theme = title["title"]
    lines = [("Title Page", line) for line in title["heads"]]
    lines += [("Title Page Heading", first), *(("Title Page", line) for line in others)]
    rows = []
    for signature in title["signatures"]:
        role, name = map(escape, signature)
        cells = zip(WIDTHS, ("", LINE if name else "", ""), (role, "", name), strict=True)
        rows.append(f"<w:tr>{''.join(CELL.format(*cell) for cell in cells)}</w:tr>")
    return [
        *(styled(style, [text(line)]) for style, line in lines),
        styled("Title Page Theme", [text(theme)]),
        raw("RawBlock", SIGNATURES.format("".join(rows))),
    ]


def contents(blocks: list[dict], pages: list[int]) -> list[dict]:
    """Return the contents; mark the headings for it."""
    entries = []
    headings = [block for block in blocks if block["t"] == "Header"]
    for number, (heading, page) in enumerate(zip(headings, pages, strict=True), 1):
        level, looks, words = heading["c"]
        name, looks[0] = looks[0] or f"heading{number}", ""
        if level < 3:
            line = [text(plain(words)), raw("RawInline", PAGE.format(name, page))]
            entries.append(styled(f"TOC {level}", line))
        # Within the heading: LibreOffice loses a bookmark that stands between a table and it.
        words[:] = [{"t": "Span", "c": [[name, [], []], words[:]]}]
    return [styled("TOC Heading", [text("Содержание")]), *entries]


def to_word(block: dict, folder: Path) -> list[dict]:
    """Return a block as Word wants it: with styles for captions and code, pictures in pixels."""
    for inline in every("Code", block):  # no line breaks behind the dashes of an option
        inline["c"][1] = inline["c"][1].replace("-", "\u2011")
    if block["t"] == "CodeBlock":
        return [code(block, "Source Code")]
    if block["t"] == "OrderedList":
        for item in block["c"][1]:
            if next(every("Span", item), None):  # a source
                item[:] = [styled("Bibliography", item[0]["c"])]
    if block["t"] == "Header" and "unnumbered" in block["c"][1][1]:
        style = "Appendix Heading" if "appendix" in block["c"][1][1] else "Structural Heading"
        return [styled(style, block["c"][2])]
    if not (parts := captioned(block)):
        return [block]
    kind, number, caption, bodies = parts
    head = styled(CAPTIONS[kind], caption["c"], block["c"][0][0])
    if kind == "table":
        return [head, *bodies]
    if kind == "listing":
        style = "Source Code Small" if "." in number else "Source Code"  # in the appendix
        return [head, *(code(body, style) for body in bodies)]
    for image in every("Image", bodies):
        looks, _, target = image["c"]
        target[0] = in_pixels(target[0], dict(looks[2])["width"], folder)
    return [styled("Figure", bodies[0]["c"]), head]


def code(block: dict, style: str) -> dict:
    """Return a listing as a paragraph."""
    lines = ([text(line), {"t": "LineBreak"}] for line in block["c"][1].splitlines())
    return styled(style, list(itertools.chain.from_iterable(lines))[:-1])


def in_pixels(target: str, width: str, folder: Path) -> str:
    """Return the name of a picture that Word can show; one that is drawn goes to the folder."""
    if not target.endswith(".svg"):
        return target
    path = folder / f"{len(list(folder.iterdir()))}.png"
    inputs = {"svg": (REPORT / target).read_text("utf-8"), "width": width}
    fonts = {"font_paths": [FONTS], "ignore_system_fonts": True}
    typst.compile(PICTURE.encode(), str(path), format="png", ppi=PPI, sys_inputs=inputs, **fonts)
    return path.name  # the DOCX keeps it: the same everywhere


def finish(word: docx.document.Document) -> None:
    """Set what pandoc leaves open: tables, lists, where the body begins, fields to count anew."""
    first = next(part for part in word.paragraphs if part.style.name == "Heading 1")
    first.paragraph_format.page_break_before = True
    update = OxmlElement("w:updateFields")
    update.set(qn("w:val"), "true")
    word.settings.element.find(qn("w:rsids")).addprevious(update)
    for picture in word.element.iter(
        qn("wp:inline")
    ):  # nothing beside it: it is within the margins
        for side in ("distT", "distB", "distL", "distR"):
            picture.set(side, "0")
    for table in word.tables[1:]:
        set_table(table, word.styles["Table Text"])
    for level in word.part.numbering_part.element.iter(qn("w:lvl")):  # indented like paragraphs
        if level.find(qn("w:numFmt")).get(qn("w:val")) == "bullet":
            level.find(qn("w:lvlText")).set(qn("w:val"), "—")
        indent = level.find(f".//{qn('w:ind')}")
        indent.set(qn("w:left"), str(Mm(12.5 * (int(level.get(qn("w:ilvl"))) + 1) + 7).twips))
        indent.set(qn("w:hanging"), str(Mm(7).twips))


def set_table(table: Table, style: docx.styles.style.ParagraphStyle) -> None:
    """Give the cells of a table their style; keep it on one page, where it fits, and its rows."""
    for number, row in enumerate(table.rows, 1):
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
        for cell in row.cells:
            cell.paragraphs[0].style = style
            if number < len(table.rows):
                cell.paragraphs[0].paragraph_format.keep_with_next = True
    following = table._tbl.getnext()
    if following.tag == qn("w:p"):
        Paragraph(following, table._parent).paragraph_format.space_before = Pt(14)
