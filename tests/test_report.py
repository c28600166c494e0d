"""The report: it is up to date, its check names every fault, and its files keep to ГОСТ 7.32."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import docx
import pypandoc
import pypdfium2
import pytest
from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
from docx.oxml.ns import qn

import facts
import tables
import values
from project import Problem

ROOT = Path(__file__).parent.parent
COPIED = ("steps", "tests", "report", "notebooks", ".pytest.ini", "README.md")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "site", ".ipynb_checkpoints")
MM = 72 / 25.4  # points
LEFT, RIGHT, TOP, BOTTOM = 30 * MM, (210 - 15) * MM, (297 - 20) * MM, 20 * MM
NEAR = 3  # points
TEXT = 1  # a piece of text on a page of a PDF


def copied(project: Path) -> Path:
    """Copy the project to a folder, and return that."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, project / name, ignore=NOT_COPIED)
        else:
            shutil.copy(source, project / name)
    return project


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project that a test may change."""
    return copied(tmp_path)


def run(project: Path, *task: str) -> subprocess.CompletedProcess:
    """Run report/build.py of a project."""
    command = [sys.executable, "report/build.py", *task]
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    pipes = {"capture_output": True, "encoding": "utf-8"}
    done = subprocess.run(command, cwd=project, env=environment, timeout=150, **pipes)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def change(path: Path, old: str, new: str, count: int = 1) -> None:
    """Replace what a pattern matches in a file; it has to match."""
    text, changes = re.subn(old, new, path.read_text("utf-8"), count=count, flags=re.M)
    assert changes, f"no {old} in {path.name}"
    path.write_text(text, "utf-8", newline="\n")


def contents_of(folder: Path) -> dict[Path, bytes]:
    """Return all files in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_report_is_up_to_date_and_placeholders_are_warned_of():
    fields = tomllib.loads((ROOT / "report/student.toml").read_text("utf-8"))
    done = run(ROOT, "check")
    assert done.returncode == 0, done.stderr
    placeholders = [name for name, value in fields.items() if str(value).startswith("[")]
    assert ("warning: " in done.stdout) == bool(placeholders)
    assert all(name in done.stdout for name in placeholders)


def spoil(copy: Path) -> list[str]:
    """Break a report in many ways; return what the check has to say, as patterns."""
    report, steps = copy / "report/report.md", copy / "steps"
    text = report.read_text("utf-8")
    figure = max(map(int, re.findall(r"^Рисунок (\d+) — ", text, re.M)))
    source = max(map(int, re.findall(r"\[(\d+)\]", text)))
    value = re.search(r"value: ([\w.]+_us)\b", text)[1]

    change(steps / "step1_echo/server.py", r"^(def echo\(.*)$", r"\1  # changed")
    double(copy / "notebooks/results/summary.json", value)
    change(copy / "report/tables.py", "третьему отвечают", "третьего слышат")
    change(copy / "report/diagrams/step1.mmd", r"\Z", "\n%% changed\n")
    (copy / "report/diagrams/step2.png").unlink()
    change(report, r"(fill: listing \S+step2_two_user/server\.py) \w+", r"\1 no_such_function")
    change(report, r"(value: tests)\.count", r"\1.no_such_value")
    change(report, rf"(рисун\w+\s){figure}\b", r"\g<1>1", count=0)
    change(report, r"^Таблица 2 — ", "Таблица 20 — ")
    change(report, r"^Листинг 3 — .*\n", "")
    change(report, rf"^{source}\. .*\n", "")
    change(report, r"^## 9 ", "## 19 ")
    return [
        r"report\.md:\d+: listing steps/step1_echo/server\.py .*is out of date",
        rf"report\.md:\d+: {value} .*is out of date",
        r"report\.md:\d+: table properties is out of date",
        r"report\.md:\d+: contents is out of date",
        r"report\.md:\d+: steps/step2_two_user/server\.py does not define no_such_function",
        r"report\.md:\d+: there is no value tests\.no_such_value\b.*",
        r"diagrams/step1\.svg is not made from its sources as they are now",
        r"diagrams/step2\.svg is missing, or the PNG beside it",
        rf"Рисунок {figure} is not referred to in the text",
        r"«Таблица 20 — .*» has to be number 2",
        r"Таблица 2 is referred to, but missing",
        r"the listing `.*` has no caption above it",
        rf"source \[{source}\] is cited, but there are {source - 1} sources",
    ]


def double(path: Path, value: str) -> None:
    """Change a number in a JSON file, given by its dotted path."""
    data = place = json.loads(path.read_text("utf-8"))
    *keys, last = value.split(".")
    for key in keys:
        place = place[key]
    place[last] = 2 * place[last] + 1
    path.write_text(json.dumps(data), "utf-8")


def test_the_check_names_every_fault_and_writes_nothing(copy):
    faults = spoil(copy)
    before = contents_of(copy)
    done = run(copy, "check")
    assert done.returncode == 1
    assert contents_of(copy) == before
    for fault in faults:
        assert re.search(f"^{fault}", done.stderr, re.M), f"{fault}\n{done.stderr}"


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("student.toml", "^student =", "studnet =", r"report/student\.toml: .*'studnet'.*"),
        ("student.toml", "^city = .*", "", r"report/student\.toml: the field 'city' is missing"),
        ("student.toml", "^city = .*", "city = Paris", r"report/student\.toml is no TOML: .*"),
        ("student.toml", "^city = .*", 'city = ["a", "b"]', r".*'city' has to be a line .*"),
        ("student.toml", "^year = .*", "year = true", r".*'year' has to be a line of text .*"),
        ("student.toml", "^city = .*", r'city = "a\\tb"', r".*'city' has to be a line of text .*"),
        ("report.md", "^<!-- fill: head", "<!-- fil: head", r"report\.md:3: .* is no marker"),
        ("report.md", "^<!-- end -->\n", "", r"report\.md:3: fill is not closed"),
        ("report.md", "<!-- /value -->", "", r"report\.md:\d+: value is not closed"),
        ("report.md", "^## 1 ", "<!-- end -->\n\n## 1 ", r"report\.md:\d+: .*end.* closes nothing"),
        ("report.pdf", "", "", r"report\.pdf is not made from these sources \(run: .*\)"),
    ],
)
def test_the_check_names_a_fault_in_one_line(copy, file, old, new, fault):
    path = copy / "report" / file
    if old:
        change(path, old, new)
    else:
        path.write_bytes(path.read_bytes()[:-1])
    done = run(copy, "check")
    assert done.returncode == 1
    assert re.fullmatch(fault, done.stderr.splitlines()[0]), done.stderr


def test_the_same_sources_give_the_same_files(copy):
    for name in ("report.pdf", "report.docx"):
        (copy / "report" / name).unlink()
    done = run(copy)
    assert done.returncode == 0, done.stderr
    new, old = copy / "report", ROOT / "report"
    assert (new / "report.md").read_text("utf-8") == (old / "report.md").read_text("utf-8")
    assert (new / "report.pdf").read_bytes() == (old / "report.pdf").read_bytes()
    assert unpacked(new / "report.docx") == unpacked(old / "report.docx")


def test_a_missing_picture_is_told_before_the_pdf_is_made(copy):
    change(copy / "report/report.md", r"\(diagrams/step1\.svg\)", "(diagrams/none.svg)")
    done = run(copy)
    assert done.returncode == 1
    assert done.stderr == "diagrams/none.svg is missing, or the PNG beside it\n"
    assert "making report.pdf" not in done.stdout


NASTY = {
    "university": "МГТУ #1 <b>$x$</b> & *Ко* [a](b)",
    "subject": '`Сети` | \\ _и_ "C" ~~@~~ {b}',
    "group": "ИВТ-21",
    "student": "Константинов Александр Владимирович",
    "teacher": "Преображенский И. К.",
    "teacher_title": "доцент кафедры вычислительной техники, к. т. н.",
}


@pytest.fixture(scope="module")
def titled(tmp_path_factory) -> Path:
    """A report with a title page of long fields and of marks that mean something elsewhere."""
    project = copied(tmp_path_factory.mktemp("titled"))
    for name, value in NASTY.items():
        line = f"{name} = {json.dumps(value, ensure_ascii=False)}"
        change(project / "report/student.toml", f"^{name} = .*", line.replace("\\", r"\\"))
    done = run(project)
    assert done.returncode == 0, done.stderr
    return project


def words(text: str) -> str:
    """Return a text with single spaces, wherever its lines break."""
    return " ".join(text.split())


def test_the_head_and_the_title_pages_show_fields_as_they_are(titled):
    text = (titled / "report/report.md").read_text("utf-8").partition("<!-- end -->")[0]
    head = words(pypandoc.convert_text(text, "plain", "gfm", ["--columns=1000"]))
    cells = docx.Document(titled / "report/report.docx").tables[0]._cells
    lines = docx.Document(titled / "report/report.docx").paragraphs[:12]
    in_docx = words(" ".join(part.text for part in [*lines, *cells]))
    for name, value in NASTY.items():
        assert value in in_docx
        assert name == "teacher_title" or value in head


def test_on_the_title_page_of_the_pdf_no_column_runs_into_another(titled):
    page = pages_of(titled)[0].get_textpage()
    left = words(page.get_text_bounded(right=LEFT + 76 * MM, top=140 * MM, bottom=50 * MM))
    right = words(page.get_text_bounded(left=RIGHT - 60 * MM - NEAR, top=140 * MM, bottom=50 * MM))
    assert left == f"Выполнил: студент группы ИВТ-21 Проверил: {NASTY['teacher_title']}"
    assert right == f"{NASTY['student']} {NASTY['teacher']}"
    shown = words(page.get_text_bounded())
    assert NASTY["university"] in shown
    assert NASTY["subject"] in shown


def unpacked(path: Path) -> dict[str, bytes]:
    """Return the files within a DOCX: how well they are packed may differ by machine."""
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def pages_of(project: Path) -> list[pypdfium2.PdfPage]:
    """Return the pages of the PDF."""
    return list(pypdfium2.PdfDocument(project / "report/report.pdf"))


def test_the_title_page_shows_every_field():
    fields = tomllib.loads((ROOT / "report/student.toml").read_text("utf-8"))
    text = " ".join(pages_of(ROOT)[0].get_textpage().get_text_bounded().split())
    for value in fields.values():
        assert str(value) in text


def test_the_pdf_has_12_to_20_pages_of_a4_before_the_appendix():
    pages = pages_of(ROOT)
    texts = [page.get_textpage().get_text_bounded() for page in pages]
    assert all(page.get_size() == pytest.approx((210 * MM, 297 * MM)) for page in pages)
    [appendix] = [
        number for number, text in enumerate(texts) if "ПРИЛОЖЕНИЕ А" in text.splitlines()
    ]
    assert 12 <= appendix <= 20


def test_every_page_but_the_first_has_its_number_and_nothing_leaves_the_margins():
    for number, page in enumerate(pages_of(ROOT), 1):
        texts = [item.get_bounds() for item in page.get_objects(filter=[TEXT])]
        below = [bounds for bounds in texts if bounds[1] < BOTTOM - NEAR]
        if number == 1:
            assert not below
        else:
            assert page.get_textpage().get_text_bounded(top=BOTTOM - NEAR) == str(number)
            assert (below[0][0] + below[0][2]) / 2 == pytest.approx((LEFT + RIGHT) / 2, abs=NEAR)
        assert min(left for left, *_ in texts) > LEFT - NEAR, number
        assert max(right for _, _, right, _ in texts) < RIGHT + NEAR, number
        assert max(top for *_, top in texts) < TOP + NEAR, number


def test_the_docx_has_the_styles_of_the_standard():
    word = docx.Document(ROOT / "report/report.docx")
    normal = word.styles["Normal"]
    assert (normal.font.name, normal.font.size.pt) == ("Times New Roman", 14)
    assert normal.paragraph_format.line_spacing == 1.5
    assert normal.paragraph_format.first_line_indent.mm == pytest.approx(12.5, abs=0.1)
    assert normal.paragraph_format.alignment == ALIGN.JUSTIFY
    [section] = word.sections
    sides = (section.left_margin, section.right_margin, section.top_margin, section.bottom_margin)
    assert [round(side.mm) for side in sides] == [30, 15, 20, 20]
    assert "PAGE" in section.footer._element.xml
    assert section.different_first_page_header_footer
    assert "PAGE" not in section.first_page_footer._element.xml
    fields = [field.text for field in word.element.iter(qn("w:instrText"))]
    assert [field.split()[0] for field in fields] == ["TOC"]


def test_the_docx_styles_each_paragraph_by_what_it_is():
    word = docx.Document(ROOT / "report/report.docx")
    text = (ROOT / "report/report.md").read_text("utf-8")
    styles = [paragraph.style.name for paragraph in word.paragraphs]
    sections, structural = re.findall(r"^## \d", text, re.M), re.findall(r"^## \D", text, re.M)
    assert styles.count("Heading 1") == len(sections)
    assert styles.count("Structural Heading") + styles.count("Appendix Heading") == len(structural)
    assert styles.count("Heading 2") == len(re.findall(r"^### ", text, re.M))
    for word_style, name in (("Image", "Рисунок"), ("Table", "Таблица"), ("Listing", "Листинг")):
        captions = re.findall(rf"^{name} \d+ — ", text, re.M)
        assert styles.count(f"{word_style} Caption") == len(captions)
    blocks = len(re.findall(r"^```\w", text, re.M))
    assert styles.count("Source Code") + styles.count("Source Code Small") == blocks
    assert set(styles) & {"Body Text", "First Paragraph", "Compact"} == set()


def test_the_docx_keeps_rows_and_small_tables_and_listings_whole():
    word = docx.Document(ROOT / "report/report.docx")
    for table in word.tables[1:]:  # the first is on the title page
        assert all(row._tr.trPr.find(qn("w:cantSplit")) is not None for row in table.rows)
        *upper, last = [row.cells[0].paragraphs[0].paragraph_format for row in table.rows]
        assert all(row.keep_with_next for row in upper)
        assert not last.keep_with_next
    code = word.styles["Source Code"].paragraph_format
    assert code.keep_together
    assert code.left_indent.pt == code.right_indent.pt == 4.5


def test_enumerations_have_brackets_and_the_list_of_sources_full_stops():
    text = (ROOT / "report/report.md").read_text("utf-8")
    last = len(re.findall(r"^\d+\. ", text.partition("\n## Список использованных")[2], re.M))
    pages = [page.get_textpage().get_text_bounded() for page in pages_of(ROOT)]
    [contents] = [number for number, page in enumerate(pages) if "СОДЕРЖАНИЕ" in page]
    [sources] = [n for n, page in enumerate(pages) if "СПИСОК ИСПОЛЬЗОВАННЫХ" in page]
    before = "\n".join(pages[contents + 1 : sources])
    assert re.search(r"^\s*1\) ", before, re.M)
    assert not re.search(r"^\s*\d+\. ", before, re.M)
    assert re.search(rf"^\s*{last}\. ", "\n".join(pages[sources:]), re.M)
    word = docx.Document(ROOT / "report/report.docx")
    numbering = word.part.numbering_part.element.iter(qn("w:lvlText"))
    assert {"%1)", "%1."} <= {level.get(qn("w:val")) for level in numbering}


def test_an_appendix_has_its_title_on_a_line_of_its_own():
    text = (ROOT / "report/report.md").read_text("utf-8")
    letter, title = re.search(r"^## Приложение (\w)\. (.*)", text, re.M).groups()
    word = docx.Document(ROOT / "report/report.docx")
    [heading] = [part for part in word.paragraphs if part.style.name == "Appendix Heading"]
    assert heading.text == f"ПРИЛОЖЕНИЕ {letter}\n{title}"
    [page] = [page for page in pages_of(ROOT) if is_appendix(page)]
    lines = page.get_textpage().get_text_bounded().splitlines()
    assert lines[:2] == [f"ПРИЛОЖЕНИЕ {letter}", title]


def is_appendix(page: pypdfium2.PdfPage) -> bool:
    """Return whether an appendix begins on a page."""
    return page.get_textpage().get_text_bounded().startswith("ПРИЛОЖЕНИЕ")


def test_the_times_of_the_table_are_whole_microseconds():
    rows = tables.latency(facts.load())
    cells = [cell for row in rows[1:] for cell in row]
    assert all(re.fullmatch(r"\d{1,4}|\d{2,3}(\u00a0\d{3})+", cell) for cell in cells)


def test_the_site_is_whole_and_needs_no_internet(copy):
    done = run(copy, "site")
    assert done.returncode == 0, done.stderr
    site = copy / "report/site"
    page = (site / "index.html").read_text("utf-8")
    loaded = re.findall(r'<(?:img|script|link)\b[^>]*?(?:src|href)="([^"]+)"', page)
    assert [address for address in loaded if "//" in address] == []
    assert all((site / address).is_file() for address in loaded if not address.startswith("data:"))
    pictures = [address for address in loaded if address.endswith(".svg")]
    text = (ROOT / "report/report.md").read_text("utf-8")
    assert len(pictures) == len(re.findall(r"^!\[", text, re.M))
    assert "Рисунок 1 — " in page


DATA = {"a": {"t_us": 1234.5, "t_ms": 2, "n_bytes": 1_048_576, "x_per_s": 12_345, "share": 0.1234}}


@pytest.mark.parametrize(
    ("marker", "shown"),
    [
        ("a.t_us", "1230"),
        ("a.t_us ms 2", "1,23"),
        ("a.t_us / a.t_ms ~2", "0,62"),
        ("a.n_bytes MiB 0", "1"),
        ("a.x_per_s", "12\u00a0345"),
        ("a.x_per_s * a.t_ms ~2", "25"),
        ("a.share % 1", "12,3"),
        ("2 * a.share - a.share 2", "0,12"),
    ],
)
def test_a_value_is_converted_and_written_in_russian(marker, shown):
    assert values.show(marker, DATA) == shown


@pytest.mark.parametrize(
    ("marker", "fault"),
    [
        ("a.share - 1", "a path has to follow -"),
        ("a.share / 0", "division by zero"),
        ("a.t_us bytes", "not in bytes"),
        ("a.t_us + a.n_bytes", "different units"),
        ("a.t_us 2 3", "cannot make out"),
        ("a.t_us ms ms", "cannot make out"),
        ("a.none", "there is no value a.none"),
        ("a", "there is no value a "),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(marker, fault):
    with pytest.raises(Problem, match=re.escape(fault)):
        values.show(marker, DATA)
