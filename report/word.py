"""The DOCX: the tree goes through pandoc, which takes all looks from reference.docx.

What python-docx adds: the title page, the contents, captions' styles, what keeps together. To
change how the report looks, change the styles of reference.docx in Word.
"""

import datetime
import io
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

import docx
from docx.enum.table import WD_ALIGN_VERTICAL
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt
from docx.table import Table
from docx.text.paragraph import Paragraph

from document import SOURCES, Document, pandoc, plain, to_json
from facts import REPORT
from student import TitlePage

PANDOC = (
    "--syntax-highlighting=monochrome",
    f"--resource-path={REPORT}",
    f"--reference-doc={REPORT / 'reference.docx'}",
)
DAY = datetime.datetime(2000, 1, 1)  # instead of today: the same text gives the same file
STRUCTURAL, APPENDIX, CONTENTS = "Structural Heading", "Appendix Heading", r'TOC \o "1-2" \u \z'
CAPTIONS = {"figure": "Image Caption", "table": "Table Caption", "listing": "Listing Caption"}
CODE, SMALL_CODE, TABLE_TEXT = "Source Code", "Source Code Small", "Table Text"
MOST_ROWS = 15  # of a table that is kept on one page
SIGNATURE = Mm(80), Mm(25), Mm(60)  # in which capacity, the line to sign on, who
LINE = '<w:tcBorders {}><w:bottom w:val="single" w:sz="4" w:color="000000"/></w:tcBorders>'


def make(document: Document, title: TitlePage, pages: list[int]) -> bytes:
    """Return the DOCX; `pages` are those of the headings, for the contents until Word counts."""
    blocks = [part for block in document.blocks for part in to_word(block)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.docx")
        pandoc(to_json(blocks), "json", "docx", *PANDOC, output=str(path))
        word = docx.Document(str(path))
    set_paragraphs(word)
    for table in word.tables:
        set_table(table, word.styles[TABLE_TEXT])
    set_numbering(word)
    word.sections[0].first_page_footer.paragraphs[0].text = title.foot
    add_front(word, title, headings(document, pages))
    properties = word.core_properties
    properties.title, properties.author = title.theme, title.author
    properties.created = properties.modified = DAY
    return saved(word)


def to_word(block: dict) -> list[dict]:
    """Return a block as Word wants it: with styles for captions, pictures in pixels."""
    if block["t"] == "Header" and "unnumbered" in block["c"][1][1]:
        style = APPENDIX if "appendix" in block["c"][1][1] else STRUCTURAL
        return [styled(style, {"t": "Para", "c": block["c"][2]}, block["c"][1][0])]
    if block["t"] != "Div":
        return [block]
    (name, [kind], _), (caption, *bodies) = block["c"]
    head = styled(CAPTIONS[kind], caption, name)
    if kind != "figure":
        return [head, *bodies]
    looks, alt, (target, _) = bodies[0]["c"][0]["c"]
    path = PurePosixPath(target)
    path = path.with_suffix(".png") if path.suffix == ".svg" else path
    image = {"t": "Image", "c": [looks, alt, [str(path), ""]]}
    return [styled("Figure", {"t": "Para", "c": [image]}), head]


def styled(style: str, block: dict, name: str = "") -> dict:
    """Return a block in a style of Word."""
    return {"t": "Div", "c": [[name, [], [["custom-style", style]]], [block]]}


def headings(document: Document, pages: list[int]) -> list[tuple[int, str, int]]:
    """Return level, text and page of each heading for the contents."""
    found = [block for block in document.blocks if block["t"] == "Header"]
    lines = zip(found, pages, strict=True)
    return [(block["c"][0], plain(block), page) for block, page in lines if block["c"][0] < 3]


def set_paragraphs(word: docx.document.Document) -> None:
    """Give paragraphs the styles that pandoc does not know of."""
    for token in word.styles:
        if token.name.endswith("Tok"):  # words of a listing: as large as their line
            token.base_style = None
    text, code = "Normal", CODE
    for paragraph in word.paragraphs:
        name = paragraph.style.name
        if name == STRUCTURAL and paragraph.text == SOURCES:
            text = "Bibliography"
        if name == APPENDIX:
            code = SMALL_CODE
        if name in ("First Paragraph", "Body Text", "Compact", CODE):
            paragraph.style = word.styles[code if name == CODE else text]


def set_table(table: Table, style: docx.styles.style.ParagraphStyle) -> None:
    """Give the cells of a table their style; keep rows, and small tables, on one page."""
    for cell in table._cells:
        for paragraph in cell.paragraphs:
            paragraph.style = style
    for row in table.rows:
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
    if len(table.rows) <= MOST_ROWS:
        for cell in table._cells[: -len(table.columns)]:
            cell.paragraphs[0].paragraph_format.keep_with_next = True
    following = table._tbl.getnext()
    if following.tag == qn("w:p"):
        Paragraph(following, table._parent).paragraph_format.space_before = Pt(14)


def set_numbering(word: docx.document.Document) -> None:
    """Make bullets dashes, and indent lists like paragraphs: pandoc has its own way."""
    for level in word.part.numbering_part.element.iter(qn("w:lvl")):
        if level.find(qn("w:numFmt")).get(qn("w:val")) == "bullet":
            level.find(qn("w:lvlText")).set(qn("w:val"), "—")
        indent = level.find(f".//{qn('w:ind')}")
        indent.set(qn("w:left"), str(Mm(12.5 * (int(level.get(qn("w:ilvl"))) + 1) + 7).twips))
        indent.set(qn("w:hanging"), str(Mm(7).twips))


def add_front(word: docx.document.Document, title: TitlePage, lines: list[tuple]) -> None:
    """Put the title page and the contents in front of the text."""
    first, text = word.element.body[0], word.paragraphs[0]

    def add(words: str, style: str) -> Paragraph:
        element = OxmlElement("w:p")
        first.addprevious(element)
        paragraph = Paragraph(element, word._body)
        paragraph.style = word.styles[style]
        paragraph.add_run(words)
        return paragraph

    for line in title.heads:
        add(line, "Title Page")
    for line in title.title:
        last = add(line, "Title Page Heading" if line == title.title[0] else "Title Page")
    last.paragraph_format.space_after = Pt(110)
    first.addprevious(signatures(word, title)._tbl)
    add("Содержание", "TOC Heading")
    entries = [add(f"{name}\t{page}", f"TOC {level}") for level, name, page in lines]
    wrap_in_field(entries, CONTENTS)
    text.paragraph_format.page_break_before = True


def signatures(word: docx.document.Document, title: TitlePage) -> Table:
    """Return the table of those who sign, with nothing of it drawn but the lines to sign on."""
    table = word.add_table(0, len(SIGNATURE), word.styles["Title Page Table"])
    table.autofit = False
    for column, width in zip(table.columns, SIGNATURE, strict=True):
        column.width = width
    for role, name in title.signatures:
        row = table.add_row()
        for cell, words in zip(row.cells, (role, "", name), strict=True):
            cell.vertical_alignment = WD_ALIGN_VERTICAL.BOTTOM
            cell.paragraphs[0].style = word.styles["Title Page Signature"]
            cell.paragraphs[0].add_run(words)
        alignment = row.cells[1]._tc.tcPr.find(qn("w:vAlign"))
        alignment.addprevious(parse_xml(LINE.format(nsdecls("w"))))  # Word is strict about order
    return table


def wrap_in_field(paragraphs: list[Paragraph], code: str) -> None:
    """Make paragraphs what a field shows until Word computes it, as it shall on opening."""
    first, last = paragraphs[0], paragraphs[-1]
    shown = first.runs
    add_mark(first, "begin").set(qn("w:dirty"), "true")
    instruction = OxmlElement("w:instrText")
    instruction.set(qn("xml:space"), "preserve")
    instruction.text = code
    first.add_run()._r.append(instruction)
    add_mark(first, "separate")
    for run in shown:
        first._p.append(run._r)
    add_mark(last, "end")


def add_mark(paragraph: Paragraph, kind: str):
    """Add a boundary of a field."""
    mark = OxmlElement("w:fldChar")
    mark.set(qn("w:fldCharType"), kind)
    paragraph.add_run()._r.append(mark)
    return mark


def saved(word: docx.document.Document) -> bytes:
    """Return the file, every part of it dated the same."""
    now, fixed = io.BytesIO(), io.BytesIO()
    word.save(now)
    with zipfile.ZipFile(now) as parts, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as file:
        for name in parts.namelist():
            file.writestr(zipfile.ZipInfo(name), parts.read(name), zipfile.ZIP_DEFLATED)
    return fixed.getvalue()
