"""The DOCX: the tree goes through pandoc, then python-docx gives it the styles of ГОСТ 7.32-2017.

What a paragraph looks like is said by its style alone, so that a student can go on in Word.
"""

import datetime
import io
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import docx
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.table import WD_ALIGN_VERTICAL
from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
from docx.enum.text import WD_TAB_ALIGNMENT, WD_TAB_LEADER
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor
from docx.styles.style import ParagraphStyle
from docx.table import Table
from docx.text.paragraph import Paragraph

from document import SOURCES, Document, pandoc, plain, to_json
from project import REPORT
from student import TitlePage

SERIF, MONO = "Times New Roman", "Courier New"
TEXT_WIDTH, INDENT = Mm(165), Mm(12.5)
MOST_COLUMNS = 84  # that the larger size of listings has room for
MOST_LINES, MOST_ROWS = 50, 15  # of listings and tables that are kept on one page
CODE_SPACE = 4  # points between a listing and its frame
SIGNATURE = Mm(80), Mm(25), Mm(60)  # in which capacity, the line to sign on, who
DAY = datetime.datetime(2000, 1, 1)  # instead of today: the same text gives the same file
MOST_WEIGHT = 40  # letters: a column of a table with longer texts gets no more room for them
PANDOC = ("--syntax-highlighting=monochrome", f"--resource-path={REPORT}")
STRUCTURAL, APPENDIX = "Structural Heading", "Appendix Heading"
CONTENTS = r'TOC \o "1-2" \u \z'
CAPTIONS = {"figure": "Image Caption", "table": "Table Caption", "listing": "Listing Caption"}
CODE, SMALL_CODE, TABLE_TEXT = "Source Code", "Source Code Small", "Table Text"
BORDER = '<w:{side} w:val="single" w:sz="4" w:space="{space}" w:color="{color}"/>'
INDENT_OF_TABLES = '<w:tblInd w:w="100" w:type="dxa"/>'
MARGINS = "".join(
    f'<w:{side} w:w="{width}" w:type="dxa"/>'  # twentieths of a point
    for side, width in (("top", 60), ("left", 100), ("bottom", 60), ("right", 100))
)


@dataclass(frozen=True)
class Look:
    """How a style of paragraphs looks; lengths in points."""

    size: float = 14
    align: int = ALIGN.LEFT
    indent: int = 0
    spacing: float = 1.0
    before: float = 0
    after: float = 0
    bold: bool = False
    capitals: bool = False
    keep_with_next: bool = False
    page_break: bool = False
    font: str = SERIF
    base: str | None = "Normal"


HEADING = {"spacing": 1.5, "bold": True, "keep_with_next": True}
CENTRED = {"align": ALIGN.CENTER, "after": 12, "page_break": True, **HEADING}
LOOKS = {
    "Normal": Look(align=ALIGN.JUSTIFY, indent=INDENT, spacing=1.5, base=None),
    "Heading 1": Look(indent=INDENT, before=18, after=12, **HEADING),
    "Heading 2": Look(indent=INDENT, before=12, after=8, **HEADING),
    "Heading 3": Look(indent=INDENT, before=12, after=6, **HEADING),
    STRUCTURAL: Look(capitals=True, base="Heading 1", **CENTRED),
    APPENDIX: Look(base="Heading 1", **CENTRED),
    "TOC Heading": Look(capitals=True, **CENTRED),
    "TOC 1": Look(spacing=1.5),
    "TOC 2": Look(spacing=1.5, indent=Mm(8)),
    "Title Page": Look(align=ALIGN.CENTER, after=6),
    "Title Page Heading": Look(size=16, align=ALIGN.CENTER, before=130, after=6, bold=True),
    "Title Page Signature": Look(before=20),
    "Figure": Look(align=ALIGN.CENTER, before=14, keep_with_next=True),
    "Caption": Look(),
    "Image Caption": Look(align=ALIGN.CENTER, before=6, after=14, base="Caption"),
    "Table Caption": Look(before=14, after=6, keep_with_next=True, base="Caption"),
    "Listing Caption": Look(before=14, after=6, keep_with_next=True, base="Caption"),
    TABLE_TEXT: Look(size=12),
    CODE: Look(size=9, font=MONO, before=3, after=14),
    SMALL_CODE: Look(size=7.5, font=MONO, before=3, after=14, base=CODE),
    "Bibliography": Look(spacing=1.5),  # addresses do not hyphenate
    "Footnote Text": Look(size=11),
    "Header": Look(align=ALIGN.CENTER),
    "Footer": Look(align=ALIGN.CENTER),
}


def make(document: Document, title: TitlePage, pages: list[int]) -> bytes:
    """Return the DOCX; `pages` are those of the headings, for the contents until Word counts."""
    blocks = [part for block in document.blocks for part in to_word(block)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.docx")
        pandoc(to_json(blocks), "json", "docx", *PANDOC, output=str(path))
        word = docx.Document(str(path))
    set_styles(word)
    set_page(word, title)
    set_paragraphs(word)
    set_numbering(word)
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
    path = PurePosixPath(target).with_suffix(".png")
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


def set_styles(word: docx.document.Document) -> None:
    """Give the styles their looks, whatever pandoc gave them."""
    for name, look in LOOKS.items():
        if name not in word.styles:
            word.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        set_style(word, word.styles[name], look)
    for name in ("Hyperlink", "Verbatim Char"):
        clear(word.styles[name].element)
    set_font(word.styles["Verbatim Char"].font, MONO, 11)
    for style in word.styles:
        if style.name.endswith("Tok"):  # in listings, where the paragraph says the size
            style.base_style = None
    code = word.styles[CODE].paragraph_format
    code.left_indent = code.right_indent = Pt(CODE_SPACE + 0.5)  # the frame within the margins
    code.keep_together = True
    add_borders(word.styles[CODE].element.get_or_add_pPr(), "pBdr", CODE_SPACE, "999999")
    table = word.styles["Table"].element
    clear(table)
    margins = f"<w:tblCellMar>{MARGINS}</w:tblCellMar>"
    table.append(parse_xml(f"<w:tblPr {nsdecls('w')}>{INDENT_OF_TABLES}{margins}</w:tblPr>"))
    add_borders(table[-1], "tblBorders", 0, "000000")
    for name in ("TOC 1", "TOC 2"):
        tabs = word.styles[name].paragraph_format.tab_stops
        tabs.add_tab_stop(TEXT_WIDTH, WD_TAB_ALIGNMENT.RIGHT, WD_TAB_LEADER.DOTS)


def set_style(word: docx.document.Document, style: ParagraphStyle, look: Look) -> None:
    """Give one style of paragraphs its look."""
    level = style.element.find(f".//{qn('w:outlineLvl')}")
    clear(style.element)
    style.base_style = word.styles[look.base] if look.base else None
    style.quick_style, style.hidden, style.unhide_when_used = True, False, False
    set_font(style.font, look.font, look.size)
    style.font.bold, style.font.italic, style.font.all_caps = look.bold, False, look.capitals
    style.font.color.rgb = RGBColor(0, 0, 0)
    paragraph = style.paragraph_format
    paragraph.alignment, paragraph.first_line_indent = look.align, look.indent
    paragraph.line_spacing = look.spacing
    paragraph.space_before, paragraph.space_after = Pt(look.before), Pt(look.after)
    paragraph.keep_with_next, paragraph.page_break_before = look.keep_with_next, look.page_break
    if look.font != MONO:
        style.next_paragraph_style = word.styles["Normal"]
    if level is not None:
        style.element.get_or_add_pPr().append(level)


def clear(style) -> None:
    """Take away how a style looks."""
    for tag in ("w:pPr", "w:rPr", "w:tblPr", "w:tblStylePr"):
        for element in style.findall(qn(tag)):
            style.remove(element)


def set_font(font, name: str, size: float) -> None:
    """Set a font for all alphabets."""
    font.name, font.size = name, Pt(size)
    for alphabet in ("w:cs", "w:eastAsia"):
        font.element.rPr.rFonts.set(qn(alphabet), name)


def add_borders(parent, tag: str, space: int, color: str) -> None:
    """Add a frame to the properties of paragraphs or tables."""
    sides = ["top", "left", "bottom", "right", *(["insideH", "insideV"] if tag[0] == "t" else [])]
    lines = "".join(BORDER.format(side=side, space=space, color=color) for side in sides)
    borders = parse_xml(f"<w:{tag} {nsdecls('w')}>{lines}</w:{tag}>")
    after = ("w:shd", "w:spacing", "w:ind", "w:jc", "w:outlineLvl", "w:tblCellMar")
    parent.insert_element_before(borders, *after)


def set_page(word: docx.document.Document, title: TitlePage) -> None:
    """Set A4, its margins, hyphenation, and the number at the bottom of all pages but the first."""
    section = word.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin, section.right_margin = Mm(30), Mm(15)
    section.top_margin = section.bottom_margin = Mm(20)
    section.footer_distance = section.header_distance = Mm(10)
    section.different_first_page_header_footer = True
    section.first_page_footer.paragraphs[0].text = title.foot
    section.footer.is_linked_to_previous = False
    add_field(section.footer.paragraphs[0], "PAGE", "1")
    hyphenation = OxmlElement("w:autoHyphenation")
    word.settings.element.find(qn("w:defaultTabStop")).addprevious(hyphenation)
    for language in word.styles.element.iter(qn("w:lang")):
        language.set(qn("w:val"), "ru-RU")


def add_field(paragraph: Paragraph, code: str, shown: str) -> None:
    """Add a field to a paragraph, with what it shows until Word computes it."""
    start_field(paragraph, code)
    paragraph.add_run(shown)
    end_field(paragraph)


def start_field(paragraph: Paragraph, code: str) -> None:
    """Begin a field; it is marked to be computed when Word opens the file."""
    add_mark(paragraph, "begin")
    paragraph.runs[-1]._r[-1].set(qn("w:dirty"), "true")
    instruction = OxmlElement("w:instrText")
    instruction.set(qn("xml:space"), "preserve")
    instruction.text = code
    paragraph.add_run()._r.append(instruction)
    add_mark(paragraph, "separate")


def end_field(paragraph: Paragraph) -> None:
    """End a field."""
    add_mark(paragraph, "end")


def add_mark(paragraph: Paragraph, kind: str) -> None:
    """Add a boundary of a field."""
    mark = OxmlElement("w:fldChar")
    mark.set(qn("w:fldCharType"), kind)
    paragraph.add_run()._r.append(mark)


def set_paragraphs(word: docx.document.Document) -> None:
    """Give paragraphs the styles that pandoc does not know of."""
    plain_style = "Normal"
    for paragraph in word.paragraphs:
        name = paragraph.style.name
        if name == STRUCTURAL:
            plain_style = "Bibliography" if paragraph.text == SOURCES else "Normal"
        elif name in ("First Paragraph", "Body Text", "Compact"):
            paragraph.style = word.styles[plain_style]
        elif name == CODE:
            lines = paragraph.text.splitlines()
            longest = max(map(len, lines), default=0)
            if len(lines) > MOST_LINES:
                paragraph.paragraph_format.keep_together = False
            paragraph.style = word.styles[CODE if longest <= MOST_COLUMNS else SMALL_CODE]
    for table in word.tables:
        set_table(table, word.styles[TABLE_TEXT])


def set_table(table: Table, style: ParagraphStyle) -> None:
    """Give the cells of a table their style, the columns widths that fit what is in them."""
    for cell in table._cells:
        for paragraph in cell.paragraphs:
            paragraph.style = style
    texts = [[cell.text for cell in column.cells] for column in table.columns]
    weights = [min(max(map(len, column)), MOST_WEIGHT) + 10 for column in texts]
    for column, weight in zip(table.columns, weights, strict=True):
        column.width = TEXT_WIDTH * weight // sum(weights)
    for row in table.rows:
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
    if len(table.rows) <= MOST_ROWS:
        for cell in table._cells[: -len(table.columns)]:
            cell.paragraphs[0].paragraph_format.keep_with_next = True
        for cell in column.cells:
            cell.width = column.width
    following = table._tbl.getnext()
    if following.tag == qn("w:p"):
        Paragraph(following, table._parent).paragraph_format.space_before = Pt(14)


def set_numbering(word: docx.document.Document) -> None:
    """Make bullets dashes, and indent lists like paragraphs."""
    for level in word.part.numbering_part.element.iter(qn("w:lvl")):
        depth = int(level.get(qn("w:ilvl")))
        text = level.find(qn("w:lvlText"))
        if level.find(qn("w:numFmt")).get(qn("w:val")) == "bullet":
            text.set(qn("w:val"), "—")
        indent = level.find(f".//{qn('w:ind')}")
        indent.set(qn("w:left"), str(Mm(12.5 * (depth + 1) + 7).twips))
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
    bare = word.styles.add_style("Title Page Table", WD_STYLE_TYPE.TABLE)
    table = word.add_table(0, len(SIGNATURE), bare)
    table.autofit = False
    for column, width in zip(table.columns, SIGNATURE, strict=True):
        column.width = width
    for role, name in title.signatures:
        row = table.add_row()
        for cell, words in zip(row.cells, (role, "", name), strict=True):
            cell.vertical_alignment = WD_ALIGN_VERTICAL.BOTTOM
            cell.paragraphs[0].style = word.styles["Title Page Signature"]
            cell.paragraphs[0].add_run(words)
        line = f"<w:tcBorders {nsdecls('w')}>{BORDER}</w:tcBorders>"
        line = line.format(side="bottom", space=0, color="000000")
        alignment = row.cells[1]._tc.tcPr.find(qn("w:vAlign"))
        alignment.addprevious(parse_xml(line))  # Word is strict about the order
    return table


def wrap_in_field(paragraphs: list[Paragraph], code: str) -> None:
    """Make paragraphs what a field shows until Word computes it."""
    first, last = paragraphs[0], paragraphs[-1]
    runs = list(first._p)[1:]
    start_field(first, code)
    for run in runs:
        first._p.append(run)
    end_field(last)


def saved(word: docx.document.Document) -> bytes:
    """Return the file, every part of it dated the same."""
    now, fixed = io.BytesIO(), io.BytesIO()
    word.save(now)
    with zipfile.ZipFile(now) as parts, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as file:
        for name in parts.namelist():
            file.writestr(zipfile.ZipInfo(name), parts.read(name), zipfile.ZIP_DEFLATED)
    return fixed.getvalue()
