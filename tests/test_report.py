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
import pypdfium2
import pypdfium2.raw as raw
import pytest
from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
from docx.oxml.ns import qn
from PIL import Image

import facts
from facts import Problem

ROOT = Path(__file__).parent.parent
COPIED = ("steps", "tests", "report", "notebooks", ".pytest.ini", "README.md")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "site", ".ipynb_checkpoints")
MM = 72 / 25.4  # points
LEFT, RIGHT, TOP, BOTTOM = 30 * MM, (210 - 15) * MM, (297 - 20) * MM, 20 * MM
NEAR = 3  # points
HERE = r"report\.md:\d+: "
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
    for name, value in fields.items():
        assert (f"впишите своё в поле '{name}'" in done.stdout) == str(value).startswith("[")
    left = (ROOT / "report/report.md").read_text("utf-8").count("[впишите: ")
    assert done.stdout.count("впишите своё вместо «[впишите: ") == left >= 3


def test_before_it_is_handed_in_a_placeholder_is_an_error(copy):
    done = run(copy, "final")
    assert done.returncode == 1
    assert "report/student.toml: впишите своё в поле 'student'" in done.stderr
    change(copy / "report/student.toml", r"\[.*\]", "слово", count=0)
    change(copy / "report/report.md", r"\[впишите[^]]*\]", "слово", count=0)
    assert run(copy).returncode == 0
    done = run(copy, "final")
    assert done.returncode == 0, done.stderr


def spoil(copy: Path) -> list[str]:
    """Break a report in many ways; return what the check has to say, as patterns."""
    report, steps = copy / "report/report.md", copy / "steps"
    text = report.read_text("utf-8")
    figure = max(map(int, re.findall(r"^Рисунок (\d+) — ", text, re.M)))
    source = max(map(int, re.findall(r"\[(\d+)\]", text)))
    value = re.search(r"value: ([\w.]+_us) ", text)[1]

    change(steps / "step1_echo/server.py", r"^def echo\(connection", "def echo(peer")
    double(copy / "notebooks/results/summary.json", value)
    change(copy / "tests/properties.py", "третий участник слышит", "третий участник видит")
    change(copy / "report/diagrams/step4.mmd", r"\Z", "\n%% changed\n")
    (copy / "report/pictures/step3.svg").unlink()
    change(report, r"(fill: listing \S+step2_two_user/server\.py) \S+", r"\1 no_such_function")
    change(report, r"(value: runs\.tests)\.passed", r"\1.no_such_value")
    change(report, rf"(рисун\w+\s){figure}\b", r"\g<1>1", count=0)
    change(report, r"^Таблица 2 — ", "Таблица 20 — ")
    change(report, r"^Листинг 3 — .*\n", "")
    change(report, rf"^{source}\. .*\n", "")
    change(report, r"разделе 8", "разделе 88")
    change(
        report,
        r"^(<!-- fill: output)",
        r"Строка.\n\n<!-- value: machine.cores -->2<!-- /value -->\n\n\1",
    )
    return [
        r"report\.md:\d+: listing steps/step1_echo/server\.py .*устарело: python report/build\.py",
        rf"report\.md:\d+: {value} .*устарело",
        r"report\.md:\d+: table properties — устарело",
        r"report\.md:\d+: в файле steps/step2_two_user/server\.py нет no_such_function",
        r"report\.md:\d+: нет значения runs\.tests\.no_such_value\b",
        rf"{HERE}diagrams/step4\.svg не соответствует .*build\.py pictures diagrams/step4",
        r"report\.md:\d+: pictures/step3\.svg: нет файла",
        rf"report\.md:\d+: Рисунок {figure}: нет ссылки в тексте",
        r"report\.md:\d+: «Таблица 20» должен иметь номер 2",
        r"report\.md:\d+: Таблица 2: ссылка есть, а подписи нет",
        r"report\.md:\d+: программа без подписи: напишите над ней «Листинг N — …»",
        rf"report\.md:\d+: источник \[{source}\]: ссылка есть, а в списке нет",
        r"report\.md:\d+: раздела 88 нет",
        r"report\.md:\d+: поставьте перед меткой value слово",
        r"report/runs\.json: проверены не эти программы",
    ]


def double(path: Path, value: str, factor: float = 2) -> None:
    """Change a number in a JSON file, given by its dotted path."""
    data = place = json.loads(path.read_text("utf-8"))
    *keys, last = value.split(".")
    for key in keys:
        place = place[key]
    place[last] = factor * place[last] + 1
    path.write_text(json.dumps(data), "utf-8")


def test_the_check_names_every_fault_with_its_line_and_writes_nothing(copy):
    faults = spoil(copy)
    before = contents_of(copy)
    done = run(copy, "check")
    assert done.returncode == 1
    assert contents_of(copy) == before
    for fault in faults:
        assert re.search(f"^{fault}", done.stderr, re.M), f"{fault}\n{done.stderr}"
    lines = (copy / "report/report.md").read_text("utf-8").splitlines()
    for number, word in re.findall(r"report\.md:(\d+): (?:«)?(Таблица 20|раздел)", done.stderr):
        assert word in lines[int(number) - 1]


@pytest.mark.parametrize(
    ("value", "factor", "sentence"),
    [
        ("compared.single.p99_ms", 0, "При большой нагрузке помогают пачки"),
        ("compared.batched.p99_ms", 999, "В обеих парах с пачками задержка меньше"),
        ("stall.step4.received", 0, "На шаге 4 остальные получили все сообщения."),
        ("stall.step3.silent_at_end_s", -0.5, "На шаге 3 остальные после этого перестали"),
        ("latency.step4.10.last_high_us", 99, "На шаге 4 при 10 клиентах последний получатель"),
        ("nagle.without.waited_percent", 0, "С этим параметром доля таких рассылок"),
        ("runs.scores.step4.passed", 0, "Задание выполнено"),
    ],
)
def test_a_number_that_contradicts_its_sentence_stops_the_build(copy, value, factor, sentence):
    file = "report/runs.json" if value.startswith("runs.") else "notebooks/results/summary.json"
    double(copy / file, value, factor)
    before = (copy / "report/report.pdf").read_bytes()
    done = run(copy)
    assert done.returncode == 1
    told = re.search(
        rf"^report\.md:(\d+): числа противоречат .*{sentence}.*claim\.$", done.stderr, re.M
    )
    assert told, done.stderr
    assert sentence in (copy / "report/report.md").read_text("utf-8").splitlines()[int(told[1]) - 1]
    assert (copy / "report/report.pdf").read_bytes() == before


def test_every_conclusion_that_speaks_of_measurements_has_a_claim():
    text = (ROOT / "report/report.md").read_text("utf-8")
    conclusions = text.partition("\n## 9 ")[2].partition("\n## ")[0]
    lines = [line for line in conclusions.splitlines() if "<!-- value: " in line]
    assert len(lines) >= 3
    assert all("<!-- claim: " in line for line in lines)


def test_other_numbers_choose_other_words(copy):
    summary = copy / "notebooks/results/summary.json"
    data = json.loads(summary.read_text("utf-8"))
    for value, number, said in (
        ("fit.step4.r2", 0.999, "Эти прогоны лежат на прямой почти точно"),
        ("fit.step4.r2", 0.5, "Отдельные прогоны отклоняются"),
        ("compared.step4.p99_high_ms", 0.1, "Так было в каждом повторе."),
        ("compared.step4.p99_high_ms", 9999, "Но разброс повторов велик"),
        ("nagle.cause.alternate_percent", 100, "ждёт примерно каждая вторая"),
        ("nagle.cause.alternate_percent", 10, "Ждёт ли рассылка, зависит от того"),
    ):
        group, *keys, last = value.split(".")
        place = data[group]
        for key in keys:
            place = place[key]
        place[last] = number
        data["nagle"]["without"]["waited_percent"] = 50
        data["compared"]["batched"]["p99_high_ms"] = 0.1
        summary.write_text(json.dumps(data), "utf-8")
        run(copy)
        text = (copy / "report/report.md").read_text("utf-8")
        shown = re.sub(r"<!--.*?-->", "", text).replace("\u00a0", " ")
        assert said in shown, value


def test_a_comment_in_a_step_makes_nothing_wrong_but_a_changed_line_does(copy):
    program = copy / "steps/step1_echo/server.py"
    change(program, r"\Z", "\n# thought about\n")
    done = run(copy)
    assert done.returncode == 0, done.stderr
    change(program, "65_536", "65_537")
    done = run(copy)
    assert done.returncode == 1
    assert "pictures/step1.svg не соответствует программам" in done.stderr


def test_a_student_puts_in_a_listing_a_screenshot_and_a_second_author(copy):
    (copy / "my").mkdir()
    (copy / "my/server.py").write_text("def mine() -> None:\n    print('мой код')\n", "utf-8")
    Image.new("RGB", (1200, 300), "white").save(copy / "report/pictures/мой.png")
    report = copy / "report/report.md"
    report.write_bytes(b"\xef\xbb\xbf" + report.read_bytes())  # as Windows' Notepad begins it
    change(
        report,
        r"fill: listing steps/step1_echo/server\.py .*? -->",
        "fill: listing my/server.py mine -->",
    )
    change(report, r"pictures/step1\.svg", "pictures/мой.png")
    student = copy / "report/student.toml"
    change(student, "^coauthor = .*", 'coauthor = "Вторая А. Б."')
    change(student, "^role = .*", 'role = "Выполнили: студенты"')
    student.write_bytes(b"\xef\xbb\xbf" + student.read_bytes())
    done = run(copy)
    assert done.returncode == 0, done.stderr
    assert report.read_bytes().startswith(b"# ")
    word = docx.Document(copy / "report/report.docx")
    assert any("мой код" in paragraph.text for paragraph in word.paragraphs)
    assert "Вторая А.\u00a0Б." in [cell.text for cell in word.tables[0]._cells]
    assert "Выполнили: студенты" in pages_of(copy)[0].get_textpage().get_text_bounded()


def test_a_file_that_cannot_be_written_is_told_in_one_line(copy):
    pdf = copy / "report/report.pdf"
    pdf.unlink()
    pdf.mkdir()  # as if Word or a viewer held it
    done = run(copy)
    assert done.returncode == 1
    assert re.fullmatch(
        r"report/report\.pdf: файл не записать \(.*закройте его и повторите\.\n", done.stderr
    )


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("student.toml", "^student =", "studnet =", r"report/student\.toml: .*'studnet'.*"),
        ("student.toml", "^city = .*", "", r"report/student\.toml: поле 'city' не заполнено"),
        (
            "student.toml",
            "^city = .*",
            "city = Paris",
            r"report/student\.toml:\d+: ошибка в записи: .*",
        ),
        ("student.toml", "^city = .*", 'city = ["a", "b"]', r".*поле 'city': нужна строка .*"),
        ("student.toml", "^year = .*", "year = true", r".*поле 'year': нужна строка .*"),
        ("student.toml", "^city = .*", r'city = "a\\tb"', r".*поле 'city': нужна строка .*"),
        ("report.md", "^<!-- fill: output", "<!-- fil: output", rf"{HERE}<!-- fil: .* не метка.*"),
        ("report.md", "^<!-- end -->\n", "", rf"{HERE}<!-- fill: listing .* метка без пары.*"),
        ("report.md", "<!-- /value -->", "", rf"{HERE}<!-- value: .* метка без пары.*"),
        ("report.md", "<!-- /choose -->", "", rf"{HERE}<!-- choose: .* метка без пары.*"),
        ("report.md", "^## 1 ", "<!-- end -->\n\n## 1 ", rf"{HERE}<!-- end --> .* без пары.*"),
        (
            "report.md",
            "pictures/step1.svg",
            "pictures/no.png",
            rf"{HERE}pictures/no\.png: нет файла\..*",
        ),
        (
            "report.md",
            r"\(pictures/step1.svg\)",
            "(https://example.org/a.png)",
            rf"{HERE}https://example\.org/a\.png: скачайте картинку .*",
        ),
        (
            "report.md",
            r"(pictures/step1\.svg\)\n)",
            r"\1Слова сразу под картинкой.\n",
            rf"{HERE}pictures/step1\.svg: отделите картинку пустыми строками .*",
        ),
        ("report.md", "^```sh$", "```", rf"{HERE}программа без подписи: .*"),
        ("report.md", "^## 3 ", "## 4 ", rf"{HERE}раздел 4 должен иметь номер 3"),
        (
            "report.md",
            "^## 1 ",
            "<table><tr><td>мой</td></tr></table>\n\n## 1 ",
            rf"{HERE}<table>: HTML в отчёт не попадает\. .*",
        ),
        ("report.md", "^## 1 ", "<!-- моё\n\n## 1 ", rf"{HERE}<!-- моё — не метка .*"),
        (
            "report.md",
            r"<!-- claim: runs\.scores[^>]*-->",
            "<!-- claim: machine.cores -->",
            rf"{HERE}числа противоречат .* неверно, что machine\.cores \(= .*",
        ),
        (
            "report.md",
            "^<!-- fill: output tests",
            "<!-- fill: ",
            rf"{HERE}неизвестный вид метки .*",
        ),
        ("runs.json", r"(?s)\A.*", "{}", r"report/runs\.json: нет результатов\. .*"),
        ("report.pdf", "", "", r"report\.pdf собран не из этих файлов: .*"),
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
    change(copy / "report/report.md", r"\(diagrams/step4\.svg\)", "(diagrams/none.svg)")
    done = run(copy)
    assert done.returncode == 1
    assert re.match(r"report\.md:\d+: diagrams/none\.svg: нет файла", done.stderr)
    assert "report.pdf" not in done.stdout


def test_a_pair_that_cannot_be_checked_is_told_and_changes_nothing(copy):
    (copy / "my").mkdir()
    before = (copy / "report/runs.json").read_bytes()
    done = run(copy, "runs", "my")
    assert done.returncode == 1
    assert re.fullmatch(r"проверка my не состоялась: Сервер не найден .*\n", done.stderr)
    assert (copy / "report/runs.json").read_bytes() == before


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


def test_the_title_page_of_the_docx_shows_fields_as_they_are(titled):
    word = docx.Document(titled / "report/report.docx")
    cells = word.tables[0]._cells
    shown = words(" ".join(part.text for part in [*word.paragraphs[:12], *cells]))
    assert all(value in shown for value in NASTY.values())


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
    assert fields.pop("accessed") not in text  # it is for the sources
    for value in fields.values():
        assert str(value) in text


def test_the_pdf_has_15_to_18_pages_of_a4_before_the_appendix():
    pages = pages_of(ROOT)
    texts = [page.get_textpage().get_text_bounded() for page in pages]
    assert all(page.get_size() == pytest.approx((210 * MM, 297 * MM)) for page in pages)
    [appendix] = [
        number for number, text in enumerate(texts) if "ПРИЛОЖЕНИЕ А" in text.splitlines()
    ]
    assert 15 <= appendix <= 18


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


def test_no_letter_of_the_pdf_is_smaller_than_8_points_and_listings_have_two_sizes():
    matrix, code = raw.FS_MATRIX(), set()
    for number, page in enumerate(pages_of(ROOT), 1):
        text = page.get_textpage()
        for place in range(text.count_chars()):
            if text.get_text_range(place, 1).isspace():  # the end of a line has no size
                continue
            raw.FPDFText_GetMatrix(text, place, matrix)
            size = raw.FPDFText_GetFontSize(text, place) * abs(matrix.d)
            assert size > 7.9, f"page {number}: {text.get_text_range(place, 20)!r} in {size:.1f} pt"
            if 7.9 < size < 8.6:
                code.add(round(size, 1))
    assert {8.0, 8.5} <= code


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
    marks = [mark.get(qn("w:name")) for mark in word.element.iter(qn("w:bookmarkStart"))]
    assert len(fields) > 10
    for field in fields:  # the contents: pages of headings, computed on opening
        assert re.fullmatch(r"\s*PAGEREF (\w+) \\h\s*", field)
        assert field.split()[1] in marks
    starts = word.element.xpath("//w:fldChar[@w:fldCharType='begin']")
    assert all(start.get(qn("w:dirty")) == "true" for start in starts)
    settings = word.settings.element
    assert settings.find(qn("w:updateFields")).get(qn("w:val")) == "true"
    assert settings.find(qn("w:autoHyphenation")) is not None


def test_the_docx_styles_each_paragraph_by_what_it_is():
    word = docx.Document(ROOT / "report/report.docx")
    text = (ROOT / "report/report.md").read_text("utf-8")
    styles = [paragraph.style.name for paragraph in word.paragraphs]
    sections, structural = re.findall(r"^## \d", text, re.M), re.findall(r"^## \D", text, re.M)
    assert styles.count("Heading 1") == len(sections)
    assert styles.count("Structural Heading") + styles.count("Appendix Heading") == len(structural)
    assert styles.count("Heading 2") == len(re.findall(r"^### ", text, re.M))
    for word_style, name in (("Image", "Рисунок"), ("Table", "Таблица"), ("Listing", "Листинг")):
        captions = re.findall(rf"^{name} [А-Я.\d]+ — ", text, re.M)
        assert styles.count(f"{word_style} Caption") == len(captions)
    blocks = len(re.findall(r"^```\w", text, re.M))
    assert styles.count("Source Code") + styles.count("Source Code Small") == blocks
    for name in ("Body Text", "First Paragraph", "Compact"):  # they look as Normal does
        assert word.styles[name].base_style.name == "Normal"
        assert word.styles[name]._element.pPr is None
        assert word.styles[name]._element.rPr is None


def test_the_docx_keeps_rows_and_small_tables_whole():
    word = docx.Document(ROOT / "report/report.docx")
    for table in word.tables[1:]:  # the first is on the title page
        assert all(row._tr.trPr.find(qn("w:cantSplit")) is not None for row in table.rows)
        *upper, last = [row.cells[0].paragraphs[0].paragraph_format for row in table.rows]
        assert all(row.keep_with_next for row in upper)
        assert not last.keep_with_next
    code = word.styles["Source Code"].paragraph_format
    assert not code.keep_together  # or pages would stay half empty
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


DATA = {"a": {"t_us": 1234.5, "n_bytes": 1_048_576, "rate": 12_345, "share": 0.1234, "name": "x"}}
DATA["a"] |= {"rates": [1000, 12_000], "never": None}


@pytest.mark.parametrize(
    ("marker", "shown"),
    [
        ("a.t_us ~3", "1230"),
        ("a.t_us / 1000 .2", "1,23"),
        ("a.n_bytes", "1\u00a0048\u00a0576"),
        ("a.rate", "12\u00a0345"),
        ("100 * a.share .1", "12,3"),
        ("a.share - 2 * a.share .2", "\u22120,12"),
        ("a.share", "0,12"),
        ("a.name", "x"),
        ("a.rates", "1000, 12\u00a0000"),
    ],
)
def test_a_value_is_computed_and_written_in_russian(marker, shown):
    assert facts.show(marker, DATA) == shown


@pytest.mark.parametrize(
    ("marker", "fault"),
    [
        ("a.share / 0", "не вычислить"),
        ("a.share +", "не вычислить"),
        ("a.name * 1.5", "не вычислить"),
        ("a.share if 1", "не понять"),
        ("__import__", "не понять"),
        ("a.none", "нет значения a.none"),
        ("a.never", "a.never: измерения не дали этого числа"),
        ("10 ** 400 * a.share", "не вычислить"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(marker, fault):
    with pytest.raises(Problem, match=re.escape(fault)):
        facts.show(marker, DATA)
