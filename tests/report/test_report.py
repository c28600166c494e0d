"""The report: it numbers itself, names every fault, asks for the student's part, keeps to ГОСТ."""

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

import blocks
import document
import facts
import own
import pdf
import runs
from facts import Problem
from text import Report

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "report/report.md").read_text("utf-8")
COPIED = ("steps", "tests", "report", "notebooks", ".pytest.ini", "README.md")
NOT_COPIED = shutil.ignore_patterns("__pycache__", "pairs", "*.gz", ".ipynb_checkpoints")
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


@pytest.fixture(scope="module")
def data() -> dict:
    return facts.load()


def changed(data: dict, **values: object) -> dict:
    """Return facts with other values, given by paths with `__` for the dots."""
    data = json.loads(json.dumps(data))
    for path, value in values.items():
        *keys, last = path.split("__")
        place = data
        for key in keys:
            place = place[key]
        place[last] = value
    return data


def shown(report: Report) -> str:
    """Return the words of a report as one line."""
    assert not report.problems
    return " ".join(report.markdown.replace("\u00a0", " ").split())


# What a student does


def said(sentence: str, times: int) -> str:
    """Return a sentence so many times, each with a number of its own."""
    return " ".join(sentence.format(n) for n in range(times)).replace("\n ", "\n").strip()


PROGRAM = "def ask(connection):\n" + "".join(f"    print('моё {n}')\n" for n in range(6))
OWN = (
    "Меня интересовало, что увидят остальные.",
    "Измерения взяты готовые.",
    "Я заменил вход (листинг @mine). "
    + said("Теперь имя спрашивает отдельная функция номер {}.", 40),
    "Листинг @mine — Вход\n\n{{listing my/server.py ask}}",
    "На рисунке @my-talk видно трёх участников.\n\n![Трое](pictures/talk.png)\n\n"
    "Рисунок @my-talk — Разговор троих",
    "Что прошло, показано в листинге @cut.\n\nЛистинг @cut — Сеанс\n\n```text\n$ {proof}\n```",
    "**Ответ.** Порций было 14, их видно в сеансе. " + said("Буквы в порции {} разорваны.", 18),
    said("Трудно было начать писать сервер {}. Но потом я понял всё.\n\n", 3),
)


def finished(variant: str = "1") -> str:
    """Return report.md as a student hands it in."""
    proof, times = blocks.drawn(variant)[2:]
    answers = iter(OWN)
    text = re.sub(r"\[впишите[^]]*\]", lambda _: next(answers), SOURCE)
    assert not list(answers)
    return text.replace("{proof}", "\n".join([proof] * times))


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory) -> Path:
    """A project with a report that may be handed in."""
    project = copied(tmp_path_factory.mktemp("handed_in"))
    (project / "my").mkdir()
    (project / "my/server.py").write_text(PROGRAM, "utf-8")
    Image.new("RGB", (1200, 300), "white").save(project / "report/pictures/talk.png")
    (project / "report/report.md").write_text(finished(), "utf-8-sig")  # as Notepad saves it
    known = json.loads((project / "report/runs.json").read_text("utf-8"))
    score = {**known["scores"]["step4"], "folder": "my", "sources": runs.digest(project / "my")}
    (project / "report/runs.json").write_text(json.dumps({**known, "own": score}), "utf-8")
    student = project / "report/student.toml"
    change(student, r"\[.*\]", "слово", count=0)
    for name, value in NAMES.items():
        line = f"{name} = {json.dumps(value, ensure_ascii=False)}"
        change(student, f"^{name} = .*", line.replace("\\", r"\\"))
    done = run(project, "final")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^можно сдавать: своих слов \d+, \d+ % текста$", done.stdout, re.M)
    return project


NAMES = {
    "university": "МГТУ #1 <b>$x$</b> & *Ко* [a](b)",
    "subject": '`Сети` | \\ _и_ "C" ~~@~~ {b}',
    "group": "ИВТ-21",
    "role": "Выполнили: студенты",
    "student": "Константинопольская А. В.",
    "coauthor": "Вторая А. Б.",
    "teacher": "Преображенский И. К.",
    "teacher_title": "доцент кафедры ИВС, к. т. н.",
}


def test_before_it_is_handed_in_all_that_is_missing_is_named_at_once(data, monkeypatch):
    monkeypatch.setattr(facts, "runs", lambda: {})
    told = "\n".join(own.missing(Report(SOURCE, data)))
    fields = tomllib.loads((ROOT / "report/student.toml").read_text("utf-8"))
    for name, value in fields.items():
        assert (f"впишите своё в поле {name!r}" in told) == str(value).startswith("[")
    assert len(re.findall(r"^report\.md:\d+: впишите своё вместо", told, re.M)) == len(OWN)
    for part in ("нет строки о Ваших программах", "нужен листинг из своих файлов", "нет снимка"):
        assert part in told
    for part in ("нет сеанса Вашего варианта", "нет ответа", "выводов .* — 0", "своих слов 0"):
        assert re.search(part, told)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "Меня интересовало",
            "[Впишите: что-нибудь] Меня",
            r"report\.md:5: впишите своё вместо .*",
        ),
        (
            "Теперь имя .*",
            "",
            r"report\.md:\d+: предложений 2, а нужно не меньше 6.*",
        ),
        (
            "my/server.py ask",
            "steps/step1_echo/server.py echo",
            r".*нужен листинг из своих файлов.*",
        ),
        (
            r"!\[Трое.*\n\nРисунок @my-talk — .*",
            "Рисунок.",
            r".*нет снимка экрана \(PNG\) или текста.*",
        ),
        ("--cut 3\n```", "--cut 5\n```", r".*нет сеанса Вашего варианта.*«--cut 3»"),
        (r"\*\*Ответ\.\*\* ", "", r".*нет ответа в разделе.*"),
        (" Но потом я понял всё.", "", r".*из двух предложений и больше — 2, а нужно 3.*"),
        (
            "Буквы в порции 0 .*",
            "Их две. " * 50,
            r".*своих слов \d+, а нужно не меньше 300.*",
        ),
        (r"^### Собств.*", "", r".*нет раздела \{#conclusions\}.*"),
    ],
)
def test_a_part_of_the_student_that_is_missing_is_named(data, monkeypatch, old, new, told):
    text, count = re.subn(old, new, finished(), count=1, flags=re.M)
    assert count
    monkeypatch.setattr(own, "pair", lambda: [])
    monkeypatch.setattr(Report, "picture", lambda self, part: part.raw)
    monkeypatch.setattr(
        blocks,
        "read",
        lambda path, read=facts.read: PROGRAM if path.startswith("my/") else read(path),
    )
    fields = dict.fromkeys(data["student"], "слово") | {"variant": "1"}
    whole = Report(finished(), changed(data, student=fields))
    assert not whole.problems
    assert list(own.missing(whole)) == []
    report = Report(text, changed(data, student=fields))
    assert any(re.fullmatch(told, line) for line in own.missing(report)), list(own.missing(report))


def test_a_pair_that_fails_or_was_changed_since_is_named_and_the_conclusion_says_so(
    data, monkeypatch
):
    score = {"passed": 6, "of": 13, "failed": "третьего слышно", "folder": "steps", "sources": "x"}
    monkeypatch.setattr(facts, "runs", lambda: {"own": score})
    told = list(own.pair())
    assert "программы изменились после проверки. Повторите: python report/build.py runs" in told[0]
    assert "пройдено 6 из 13 основных проверок; первая непройденная — «третьего слышно»" in told[1]
    pair = {"name": "программы автора из папки `my`", **score}
    words = shown(Report(SOURCE, changed(data, pair=pair)))
    assert (
        "выполнено не полностью: программы автора из папки `my` прошли основных проверок 6 из 13"
        in words
    )
    assert "Задание выполнено: программы шага 4 прошли все" in shown(Report(SOURCE, data))


def test_the_pair_of_the_student_is_in_the_table_and_in_the_conclusion(handed_in):
    text = words(" ".join(p.get_textpage().get_text_bounded() for p in pages_of(handed_in)))
    score = facts.runs()["scores"]["step4"]  # which the fixture has given to the pair
    assert f"Собственная (my) {score['passed']} из {score['of']}" in text
    assert "Задание выполнено: программы автора из папки my прошли" in text.replace("\x02 ", "")


def test_each_variant_has_a_question_of_its_own_with_commands_that_exist():
    drawn = [blocks.drawn(str(variant)) for variant in range(1, 100)]
    assert len({(text, proof) for text, _, proof, _ in drawn}) == 99
    for *_, commands, proof, times in {each[1:]: each for each in drawn[:6]}.values():
        for command in commands.splitlines():
            _, *words = command.split()
            program = words[: 2 if words[0] == "steps" else 1]
            done = subprocess.run(
                [sys.executable, *program, "-h"], cwd=ROOT, capture_output=True, encoding="utf-8"
            )
            assert done.returncode == 0
            for word in words[len(program) :]:
                assert word in done.stdout or word.isdigit()
        assert times == 1 or proof in commands


def test_the_steps_themselves_are_no_pair_of_a_student():
    with pytest.raises(Problem, match="это программы шага без изменений, а нужны Ваши"):
        runs.make("steps/step3_multi_threaded")
    with pytest.raises(Problem, match="скопируйте эту папку в папку проекта"):
        runs.make("/tmp")


def test_a_pair_that_cannot_be_checked_is_told_and_changes_nothing(copy):
    (copy / "my").mkdir()
    before = (copy / "report/runs.json").read_bytes()
    done = run(copy, "runs", "my")
    assert done.returncode == 1
    assert re.fullmatch(r"проверка my не состоялась: Сервер не найден .*\n", done.stderr)
    assert (copy / "report/runs.json").read_bytes() == before


# The text


def lines_with(text: str, word: str) -> list[int]:
    return [n for n, line in enumerate(text.splitlines(), 1) if word in line]


@pytest.mark.parametrize(
    ("old", "new", "at", "fault"),
    [
        (
            "^## Задание",
            "```python\nprint()\n\n## Задание",
            "```python",
            "программа не закрыта: .*",
        ),
        (r"^\{\{listing \S+ echo serve\}\}\n", "", "Листинг @echo —", "подпись без того, что .*"),
        ("^Листинг @echo — .*\n", "", "echo serve", "нет подписи: поставьте над этим «Листинг .*"),
        (r"Листинг @room —", "Листинг @echo —", "Листинг @echo — Шаг 3", "имя @echo уже занято .*"),
        (
            r" \(рисунок @line\)",
            "",
            "Рисунок @line",
            r"назовите это в тексте .*«\(рисунок @line\)»",
        ),
        (
            "рисунке @screen1",
            "листинге @screen1",
            "листинге @screen1",
            "@screen1 — это рисунок: .*",
        ),
        (r" \[@nagle\]", " @nagle", "отправленные раньше @nagle", r"@nagle — это источник: .*"),
        (r" \[@nagle\]", "", "@nagle Nagle", r"на источник @nagle нет ссылки: .*"),
        (r"\n\nРисунок @line — .*", "", "straight_line.svg", "картинка без подписи: .*"),
        (
            "pictures/step1.svg",
            "pictures/my step.png",
            "my step",
            ".*: в имени картинки пробел: .*",
        ),
        ("pictures/step1.svg", "pictures/no.png", "no.png", r"pictures/no\.png: нет файла: .*"),
        ("pictures/step1.svg", "report.md", "](report.md)", r"report\.md: это не картинка: .*"),
        (r"pictures/step1\.svg", "https://a.ru/b.png", "a.ru", r".*: скачайте картинку .*"),
        (r"(step1\.svg\)\n)", r"\1Слова.\n", "step1.svg", "отделите картинку пустыми строками .*"),
        (r"^(\| Сообщение .*)", r"\1 лишнее |", "лишнее", "ячеек 4, а в заголовке таблицы 3: .*"),
        ("^Научиться", "Научиться 🚀", "🚀", r"знак 🚀 \(U\+1F680\) не напечатается: .*"),
        ("^Научиться", "<table>Научиться", "<table>", "<table>: HTML в отчёт не попадает: .*"),
        (
            r"runs\.tests\.passed",
            "runs.no.value",
            "runs.no.value",
            r"нет значения runs\.no\.value.*",
        ),
        (
            r"\{\{if fit[^|]*\|",
            "{{if fit.step4.r2 > 0:",
            "{{if fit",
            r".*: нужно \{\{if условие: .*",
        ),
        ("echo serve", "no_such", "no_such", r"в файле \S+ нет no_such: исправьте имя в метке"),
        (
            "listing steps/step1_echo/server.py echo",
            "listing no.py echo",
            "no.py",
            r"no\.py: файл не .*",
        ),
        ("table properties", "table none", "table none", "неизвестная таблица 'none'; есть: .*"),
        ("table properties", "table", "{{table}}", "метка table: не те слова .*"),
    ],
)
def test_a_fault_is_told_in_one_line_with_its_place_and_a_remedy(data, old, new, at, fault):
    text, count = re.subn(old, new, SOURCE, count=1, flags=re.M)
    assert count
    place = lines_with(text, at)[0]
    told = Report(text, data).problems
    assert any(re.fullmatch(rf"report\.md:{place}: {fault}", line) for line in told), told
    assert all("\n" not in line for line in told)


def test_a_letter_that_no_font_has_is_told_of_a_listing_and_of_a_field(copy):
    (copy / "my").mkdir()
    (copy / "my/a.py").write_text("def hi():\n    print('🚀')\n", "utf-8")
    change(copy / "report/report.md", r"step1_echo/server.py echo serve", "../my/a.py hi")
    done = run(copy)
    assert re.search(
        r"^report\.md:\d+: знак 🚀 .* из этого файла не напечатается", done.stderr, re.M
    )
    shutil.copy(ROOT / "report/report.md", copy / "report/report.md")
    change(copy / "report/student.toml", "^city = .*", 'city = "Город 🚀"')
    assert run(copy).stderr == "report/student.toml: поле 'city': знак 🚀 не напечатается\n"


def test_a_picture_of_many_megabytes_is_told(data, tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(bytes(36_000_000))
    monkeypatch.setattr("text.REPORT", tmp_path)
    told = Report(SOURCE.replace("pictures/step1.svg", "a.png"), data).problems
    assert any("a.png: 36 МБ — больше 5 МБ: уменьшите снимок" in line for line in told)


def test_a_section_that_is_deleted_names_all_that_hangs_on_it_at_once(data):
    start, end = SOURCE.index("### Шаг 3."), SOURCE.index("### Шаг 4.")
    text = SOURCE[:start] + SOURCE[end:]
    [told] = [line for line in Report(text, data).problems if "на @handle ссылаются" in line]
    named = [int(number) for number in re.search(r"строки ([\d, ]+)\)", told)[1].split(", ")]
    assert named == lines_with(text, "@handle")
    assert "верните их или уберите ссылки" in told


def test_nothing_is_made_of_a_text_with_faults(copy):
    change(copy / "report/report.md", "pictures/step1.svg", "pictures/no.png")
    before = (copy / "report/report.pdf").read_bytes()
    done = run(copy)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert (copy / "report/report.pdf").read_bytes() == before


def test_a_listing_in_the_middle_changes_no_other_line(data):
    mine = "Сеанс — листинг @mine.\n\nЛистинг @mine — Моё\n\n```text\nпривет\n```\n\n"
    before = Report(SOURCE, data)
    after = Report(SOURCE.replace("### Шаг 2.", f"{mine}### Шаг 2."), data)
    assert not after.problems
    place = int(before.names["client"][1])
    assert after.names["mine"][1] == str(place)
    assert after.names["client"][1] == str(place + 1)
    assert f"листинг [{place + 1}](#client)" in shown(after)
    assert re.search(rf'#client \.listing number="{place + 1}"', after.markdown)
    assert before.names["a-room"][1] == after.names["a-room"][1] == "А.2"


def test_sources_and_sections_are_numbered_as_they_come(data):
    report = Report(SOURCE, data)
    cited = sorted((places[0], name) for name, places in report.named.items())
    sources = [name for _, name in cited if report.names[name][0] == "source"]
    assert [report.names[name][1] for name in sources] == [str(n + 1) for n in range(len(sources))]
    moved = SOURCE.replace("## Задание", "## Новое\n\nСлова [@python].\n\n## Задание")
    later = Report(moved, data)
    assert later.names["python"][1] == "1"
    assert int(later.names["own"][1]) == int(report.names["own"][1]) + 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"fit__step4__r2": 0.999}, "Эти прогоны лежат на прямой почти точно"),
        ({"fit__step4__r2": 0.5}, "Отдельные прогоны отклоняются"),
        ({"fit__forwarder__us_per_recipient": 0.1}, "Остальное время занимает сама программа чата"),
        (
            {"latency__step4__10__last_high_us": 1e9},
            "Время рассылки при 100 и при 10 клиентах отлич",
        ),
        ({"compared__batched__p99_ms": 1e9}, "Не в каждой паре с пачками задержка меньше"),
        ({"compared__step4__p99_high_ms": 1e9}, "Разброс повторов велик"),
        ({"compared__step4__p99_ms": 1e9}, "пачки задержки не уменьшили"),
        (
            {"rate__step3__3000__messages_per_send": 1.0},
            "передаёт при этом в среднем 1,0 сообщения",
        ),
        ({"stall__step4__received": 0}, "Как зависший получатель действует на остальных"),
        ({"stall__step3__silent_at_end_s": 0.0}, "На шаге 3 остальные получили"),
        ({"nagle__without__waited_percent": 0.0}, "с `TCP_NODELAY` и без него на этой машине нет"),
        ({"nagle__cause__alternate_percent": 10}, "Ждёт ли рассылка, зависит от того"),
        ({"knee__step3__rate_per_s": None}, "Шаг 3 не справляется ни с одной из них"),
        ({"knee__step4__rate_per_s": None}, "шаг 4 не справляется ни с одной"),
        ({"runs__scores__step3__passed": 0}, "команду выхода проверяют тесты (таблица [2]"),
    ],
)
def test_other_numbers_choose_other_words(data, values, said):
    assert said in shown(Report(SOURCE, changed(data, **values)))


def test_a_conclusion_says_at_least_where_messages_are_missing(data):
    for lost, said in ((1, True), (0, False)):
        text = shown(Report(SOURCE, changed(data, compared__single__lost=lost)))
        assert ("с опыта — не меньше" in text) == said


def test_every_conclusion_that_speaks_of_measurements_is_chosen_by_them():
    conclusions = SOURCE.partition("\n## Выводы\n")[2].partition("\n## ")[0]
    outside = re.sub(r"\{\{if (?:[^{}]|\{\{[^{}]*\}\})*\}\}", "", conclusions)
    assert conclusions.count("{{if ") >= 4
    assert "{{" not in outside
    assert not re.search(r"\d", re.sub(r"шаг\w* \d|p99", "", outside))


def test_no_measured_number_is_typed_by_hand():
    measured = SOURCE.partition("\n## Измерения\n")[2].partition("\n## ")[0]
    words = re.sub(r"\{\{(?:[^{}]|\{\{[^{}]*\}\})*\}\}|p99|99 ?%|99-м|95-", "", measured)
    typed = re.findall(r"\d[\d ]*", re.sub(r"[Шш]аг\w* \d", "", words))
    assert [number.strip() for number in typed] == ["10", "100"]  # keys of the values


# Files


def unpacked(path: Path) -> dict[str, bytes]:
    """Return the files within a DOCX but its pictures, which are packed as machines do."""
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist() if "/media/" not in name}


def test_the_pdf_and_the_docx_are_made_from_these_sources(copy):
    for name in ("report.pdf", "report.docx"):
        (copy / "report" / name).unlink()
    done = run(copy)
    assert done.returncode == 0, done.stderr
    assert "впишите своё вместо" in done.stdout
    new, old = copy / "report", ROOT / "report"
    assert (new / "report.pdf").read_bytes() == (old / "report.pdf").read_bytes()
    assert unpacked(new / "report.docx") == unpacked(old / "report.docx")


def test_programs_that_were_changed_since_they_were_run_are_told_of(copy):
    program = copy / "steps/step1_echo/server.py"
    change(program, r"\Z", "\n# thought about\n")
    assert "проверены не эти программы" not in run(copy, "final").stderr
    change(program, "65_536", "65_537")
    told = "report/runs.json: проверены не эти программы. Повторите: python report/build.py runs"
    assert told in run(copy, "final").stderr


def test_a_file_that_cannot_be_written_is_told_in_one_line(copy):
    (copy / "report/report.pdf").unlink()
    (copy / "report/report.pdf").mkdir()  # as if Word or a viewer held it
    done = run(copy)
    assert done.returncode == 1
    told = r"report/report\.pdf: файл не записать \(.*закройте его и повторите\.\n"
    assert re.fullmatch(told, done.stderr)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("^student =", "studnet =", r"report/student\.toml: неизвестное поле 'studnet'.*"),
        ("^city = .*", "", r"report/student\.toml: поле 'city' не заполнено"),
        ("^city = .*", "city = Paris", r"report/student\.toml:\d+: ошибка в записи: .*"),
        ("^city = .*", 'city = ["a"]', r".*поле 'city': нужна строка .*"),
        ("^year = .*", "year = true", r".*поле 'year': нужна строка .*"),
        ("^city = .*", r'city = "a\\tb"', r".*поле 'city': нужна строка .*"),
        ("^variant = .*", "variant = 0", r".*поле 'variant': нужен номер варианта, .*"),
    ],
)
def test_a_field_that_makes_no_sense_is_told_in_one_line(tmp_path, monkeypatch, old, new, fault):
    path = tmp_path / "student.toml"
    shutil.copy(ROOT / "report/student.toml", path)
    change(path, old, new)
    monkeypatch.setattr(facts, "read", lambda _: path.read_text("utf-8"))
    monkeypatch.setattr(facts, "STUDENT", "report/student.toml")
    with pytest.raises(Problem) as told:
        facts.student()
    assert re.fullmatch(fault, str(told.value))


# The PDF


def pages_of(project: Path) -> list[pypdfium2.PdfPage]:
    return list(pypdfium2.PdfDocument(project / "report/report.pdf"))


def words(text: str) -> str:
    """Return a text with single spaces, wherever its lines break."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """The texts of the pages."""
    pages = (page.get_textpage().get_text_bounded() for page in pages_of(ROOT))
    return [page.replace("\x02\r\n", "").replace("\u00a0", " ") for page in pages]  # hyphens


def appendix(texts: list[str]) -> int:
    """Return how many pages there are before the appendix."""
    return next(n for n, text in enumerate(texts) if text.startswith("ПРИЛОЖЕНИЕ А"))


def test_there_are_15_to_17_pages_before_the_appendix_and_few_in_it(texts):
    assert all(page.get_size() == pytest.approx((210 * MM, 297 * MM)) for page in pages_of(ROOT))
    assert 15 <= appendix(texts) <= 17  # one or two of 18 are left for the student's words
    assert len(texts) - appendix(texts) <= 7


def test_no_listing_of_the_body_is_broken(texts):
    body = "\n".join(texts[: appendix(texts)])
    assert "Листинг 5 — " in words(body)
    assert "Продолжение" not in body
    assert "Продолжение листинга А.2" in words("".join(texts))


def test_the_lines_that_make_the_socket_stand_in_a_listing_of_the_body(texts):
    body = "".join(texts[: appendix(texts)])
    for line in ("socket.socket(socket.AF_INET, socket.SOCK_STREAM)", ".bind(", ".listen("):
        assert line in body


def test_a_figure_stands_on_the_page_that_names_it_or_on_the_next_in_its_section(texts, data):
    report = Report(SOURCE, data)
    sections = {part.start: part.section for part in report.parts}
    for name, (kind, number, start) in report.names.items():
        if kind not in ("figure", "table", "listing") or "." in number or name == "properties":
            continue
        said, stem = (("Рисунок", "рисун"), ("Таблица", "таблиц"), ("Листинг", "листинг"))[
            ("figure", "table", "listing").index(kind)
        ]
        [at] = [n for n, text in enumerate(texts) if f"{said} {number} — " in words(text)]
        named = [
            n for n, text in enumerate(texts[2:], 2) if re.search(rf"{stem}\w*\s+{number}\b", text)
        ]
        assert at - named[0] in (0, 1), name
        first = max(s for s in sections if s <= report.named[name][0])
        assert sections[first] == sections[start], name


def test_paragraphs_go_before_a_figure_but_none_goes_past_a_heading(data):
    def owners(blocks: list[dict]) -> dict[str, str]:
        found, heading = {}, ""
        for block in blocks:
            if block["t"] == "Header":
                heading = document.plain(block)
            found[document.plain(block)] = heading
        return found

    tree = document.load(Report(SOURCE, data).markdown)
    before = [document.plain(block) for block in tree.blocks]
    expected = owners(tree.blocks)
    pdf.make(tree)
    assert [document.plain(block) for block in tree.blocks] != before
    assert owners(tree.blocks) == expected


def test_a_reference_and_its_number_stay_on_one_line(data):
    markdown = Report(SOURCE, data).markdown
    references = re.findall(r"(?:рисун|таблиц|листинг|раздел|приложени)\w*(\s)\[", markdown, re.I)
    assert len(references) > 30
    assert set(references) == {"\u00a0"}
    assert not re.search(r"[Лл]истинг [\dА]|[Рр]исунок \d|[Тт]аблица \d", markdown)


def test_every_page_but_the_first_has_its_number_and_nothing_leaves_the_margins(handed_in):
    for project in (ROOT, handed_in):
        for number, page in enumerate(pages_of(project), 1):
            bounds = [item.get_bounds() for item in page.get_objects(filter=[TEXT])]
            below = [each for each in bounds if each[1] < BOTTOM - NEAR]
            if number == 1:
                assert not below
            else:
                assert page.get_textpage().get_text_bounded(top=BOTTOM - NEAR) == str(number)
                middle = (below[0][0] + below[0][2]) / 2
                assert middle == pytest.approx((LEFT + RIGHT) / 2, abs=NEAR)
            assert min(left for left, *_ in bounds) > LEFT - NEAR, number
            assert max(right for _, _, right, _ in bounds) < RIGHT + NEAR, number
            assert max(top for *_, top in bounds) < TOP + NEAR, number


def test_no_letter_of_the_pdf_is_smaller_than_8_points():
    matrix = raw.FS_MATRIX()
    for number, page in enumerate(pages_of(ROOT), 1):
        text = page.get_textpage()
        for place in range(text.count_chars()):
            if text.get_text_range(place, 1).isspace():  # the end of a line has no size
                continue
            raw.FPDFText_GetMatrix(text, place, matrix)
            size = raw.FPDFText_GetFontSize(text, place) * abs(matrix.d)
            assert size > 7.9, f"page {number}: {text.get_text_range(place, 20)!r} in {size:.1f} pt"


def test_the_lines_of_the_title_page_hold_real_names_and_any_signs(handed_in):
    lines = pages_of(handed_in)[0].get_textpage().get_text_bounded().splitlines()
    lines = [words(line) for line in lines]
    for line in (NAMES["university"], f"по дисциплине «{NAMES['subject']}»", "Выполнили: студенты"):
        assert line in lines
    assert "группы ИВТ-21 Константинопольская А. В." in " ".join(lines)
    assert "доцент кафедры ИВС, к. т. н. Преображенский И. К." in " ".join(lines)
    assert "«Многопользовательский чат на сокетах TCP и потоках выполнения»" in lines
    cells = docx.Document(handed_in / "report/report.docx").tables[0]._cells
    assert {"Вторая А.\u00a0Б.", "Константинопольская А.\u00a0В."} <= {cell.text for cell in cells}


def test_lists_keep_to_the_standard_and_addresses_break_at_slashes(texts):
    body = "\n".join(texts[2 : appendix(texts)])
    items = re.findall(r"^\s*(\d)\) (\w)", body, re.M)
    assert [number for number, _ in items] == ["1", "2", "3", "4", "5", "6"]
    assert all(letter.islower() for _, letter in items)
    [sources] = [text for text in texts if text.startswith("СПИСОК ИСПОЛЬЗОВАННЫХ")]
    last = len(re.findall(r"^@\w+ ", SOURCE, re.M))
    assert re.search(rf"^\s*{last}\. ", sources, re.M)
    assert not re.search(r"^\s*1\) ", sources, re.M)
    for address in re.findall(r"URL: https://(\S+)", SOURCE):
        parts = address.removesuffix("/").split("/")
        assert re.search(r"/\s*".join(map(re.escape, parts)), sources), address


def test_a_table_has_capitals_in_its_first_column_and_one_dash_for_what_is_not_there(data):
    tables = re.findall(r"(?:^\|.*\n?)+", Report(SOURCE, data).markdown, re.M)
    assert len(tables) == 4
    for table in tables:
        cells = [row.strip("|").split("|") for row in table.splitlines()]
        first = [row[0].strip(" `") for row in cells if not re.fullmatch(r"[-: ]+", row[0])]
        assert all(cell[0] == cell[0].upper() for cell in first), first
        assert " – " not in table


def test_a_time_of_messages_that_have_not_come_is_marked(data):
    _, _, step4, asyncio = blocks.batches(changed(data, compared__single__lost=1))
    assert step4[2].startswith("≥")
    *_, step4, asyncio = blocks.batches(
        changed(data, compared__single__lost=0, compared__asyncio__lost=0)
    )
    assert not any("≥" in cell for cell in (*step4, *asyncio))


# The DOCX


@pytest.fixture(scope="module")
def word() -> docx.document.Document:
    return docx.Document(ROOT / "report/report.docx")


def test_the_docx_has_the_styles_of_the_standard(word):
    normal = word.styles["Normal"]
    assert (normal.font.name, normal.font.size.pt) == ("Times New Roman", 14)
    assert normal.paragraph_format.line_spacing == 1.5
    assert normal.paragraph_format.first_line_indent.mm == pytest.approx(12.5, abs=0.1)
    assert normal.paragraph_format.alignment == ALIGN.JUSTIFY
    [section] = word.sections
    sides = (section.left_margin, section.right_margin, section.top_margin, section.bottom_margin)
    assert [round(side.mm) for side in sides] == [30, 15, 20, 20]
    assert "PAGE" in section.footer._element.xml
    assert "PAGE" not in section.first_page_footer._element.xml
    assert word.settings.element.find(qn("w:updateFields")).get(qn("w:val")) == "true"
    numbering = word.part.numbering_part.element.iter(qn("w:lvlText"))
    assert {"%1)", "%1."} <= {level.get(qn("w:val")) for level in numbering}


def test_the_contents_of_the_docx_lead_to_marks_within_headings(word):
    fields = [field.text.split() for field in word.element.iter(qn("w:instrText"))]
    assert len(fields) > 10
    assert all(field[0] == "PAGEREF" for field in fields)
    marks = {
        mark.get(qn("w:name")): mark.getparent().tag
        for mark in word.element.iter(qn("w:bookmarkStart"))
    }
    assert all(marks[field[1]] == qn("w:p") for field in fields)


def test_the_docx_styles_each_paragraph_by_what_it_is(word, data):
    styles = [paragraph.style.name for paragraph in word.paragraphs]
    report = Report(SOURCE, data)
    numbered = [number for number in report.headings.values() if number.isdigit()]
    assert styles.count("Heading 1") == len(numbered)
    assert styles.count("Structural Heading") == styles.count("Appendix Heading") == 1
    assert styles.count("Heading 2") == len(re.findall(r"^### ", SOURCE, re.M))
    for style, said in (("Image", "Рисунок"), ("Table", "Таблица"), ("Listing", "Листинг")):
        assert styles.count(f"{style} Caption") == len(re.findall(rf"^{said} @", SOURCE, re.M))
    [heading] = [part for part in word.paragraphs if part.style.name == "Appendix Heading"]
    assert re.fullmatch(r"ПРИЛОЖЕНИЕ А\n\w.*", heading.text)


def test_the_docx_keeps_pictures_within_the_margins_and_options_whole(word):
    pictures = list(word.element.iter(qn("wp:inline")))
    assert len(pictures) >= 6
    for picture in pictures:
        assert picture.get("distL") == picture.get("distR") == "0"
        assert int(picture.find(qn("wp:extent")).get("cx")) / 36_000 <= 165.1  # mm
    code = [part.text for paragraph in word.paragraphs for part in paragraph.runs]
    assert "\u2011\u2011max\u2011pending" in code


def test_the_docx_keeps_rows_and_small_tables_whole(word):
    for table in word.tables[1:]:  # the first is on the title page
        assert all(row._tr.trPr.find(qn("w:cantSplit")) is not None for row in table.rows)
        *upper, last = [row.cells[0].paragraphs[0].paragraph_format for row in table.rows]
        assert all(row.keep_with_next for row in upper)
        assert not last.keep_with_next


# Values

DATA = {"a": {"t_us": 1234.5, "n_bytes": 1_048_576, "rate": 12_345, "share": 0.1234, "name": "x"}}
DATA["a"] |= {"rates": [1000, 12_000], "never": None}


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("a.t_us ~3", "1230"),
        ("a.t_us / 1000 .2", "1,23"),
        ("a.n_bytes", "1\u00a0048\u00a0576"),
        ("100 * a.share .1", "12,3"),
        ("a.share - 2 * a.share .2", "\u22120,12"),
        ("a.share", "0,12"),
        ("a.name", "x"),
        ("a.rates", "1000, 12\u00a0000"),
    ],
)
def test_a_value_is_computed_and_written_in_russian(marker, said):
    assert facts.show(marker, DATA) == said


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
