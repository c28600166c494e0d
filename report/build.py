"""Собирает отчёт: report.pdf и report.docx из report.md, программ и результатов измерений.

python report/build.py            вписать листинги и числа в report.md, сделать PDF и DOCX
python report/build.py check      назвать всё, что устарело или неверно; ничего не менять
python report/build.py final      то же перед сдачей: незаполненные места считаются ошибками
python report/build.py values     показать всё, что можно назвать в метке value
python report/build.py runs       заново проверить программы: pytest и python3 steps check
python report/build.py runs my    проверить пару программ из папки my
python report/build.py pictures   заново сделать картинки терминалов и диаграммы
python report/build.py site       сделать страницу report/site/index.html
"""

import argparse
import io
import os
import sys
import zipfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "steps"))
sys.dont_write_bytecode = True  # `check` writes nothing at all

from tools import entry  # noqa: E402

MISSING = (
    "build: нет библиотеки {}. Установите report/requirements.txt, как показано в README.md, "
    "и запускайте Python из .venv."
)

try:
    import checks
    import document
    import drawing
    import facts
    import fill
    import pdf
    import runs
    import student
    import word
    from facts import REPORT, SOURCE, Problem
except ModuleNotFoundError as error:
    sys.exit(MISSING.format(error.name))

PDF, DOCX = REPORT / "report.pdf", REPORT / "report.docx"
AGAIN = "python report/build.py"
SITE = (
    *("--standalone", "--embed-resources", "--toc", "--toc-depth=2", "--mathml"),
    *(f"--resource-path={REPORT}", f"--css={REPORT / 'site.css'}", "--metadata=lang:ru"),
)


def main() -> int:
    """Do what is asked for; return the exit status."""
    tasks = {task.__name__: task for task in (build, check, final, values, pictures, site)}
    tasks["runs"] = runs.make
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", nargs="?", choices=tasks, default="build")
    parser.add_argument("names", nargs="*", help="runs: папка с парой программ; pictures: картинки")
    options = parser.parse_args()
    if options.names and options.task not in ("runs", "pictures"):
        parser.error(f"{options.task}: лишние слова: {' '.join(options.names)}")
    try:
        problems = tasks[options.task](*options.names)
    except Problem as problem:
        problems = [str(problem)]
    except ModuleNotFoundError as error:  # few machines have what draws
        problems = [MISSING.format(error.name)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def build() -> list[str]:
    """Fill report.md, make the PDF and the DOCX; return what is still wrong."""
    filled = fill.fill(facts.read(SOURCE))
    if filled.problems:
        return filled.problems
    if filled.stale:
        print(f"вписано заново мест: {len(filled.stale)}; первое — {filled.stale[0]}")
    facts.write(SOURCE, filled.text.encode())
    if absent := list(checks.missing(filled.text)):
        return absent
    content, in_word = made(filled.text)
    facts.write(PDF, content)
    facts.write(DOCX, in_word)
    warn(filled.text)
    return list(checks.problems(filled.text)) + runs.outdated()


def made(text: str) -> tuple[bytes, bytes]:
    """Return the PDF and the DOCX."""
    tree = document.load(text)
    title = student.title_page(student.load(), tree.theme)
    print("report.pdf и report.docx …", flush=True)
    content, pages = pdf.make(tree, title)
    return content, word.make(tree, title, pages)


def warn(text: str) -> None:
    """Print what the author has not filled in yet."""
    for line in unfilled(text):
        print(f"предупреждение: {line}")


def unfilled(text: str) -> list[str]:
    """Return what the author has not filled in yet."""
    return student.placeholders(student.load()) + list(checks.placeholders(text))


def check() -> list[str]:
    """Return what is out of date or wrong."""
    filled = fill.fill(facts.read(SOURCE))
    problems = filled.problems + [f"{line} — устарело: {AGAIN}" for line in filled.stale]
    problems += [*checks.problems(filled.text), *runs.outdated()]
    warn(filled.text)
    if problems:
        return problems  # the PDF and the DOCX cannot be right before the text is
    content, in_word = made(filled.text)
    if not PDF.is_file() or PDF.read_bytes() != content:
        problems.append(f"report.pdf собран не из этих файлов: {AGAIN}")
    if not DOCX.is_file() or parts(DOCX.read_bytes()) != parts(in_word):
        problems.append(f"report.docx собран не из этих файлов: {AGAIN}")
    return problems


def final() -> list[str]:
    """Return what has to be done before the report is handed in."""
    return unfilled(facts.read(SOURCE)) + check()


def parts(content: bytes) -> dict[str, bytes]:
    """Return the texts within a DOCX; the pictures are those of the PDF."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            names = [name for name in file.namelist() if not name.startswith("word/media/")]
            return {name: file.read(name) for name in names}
    except zipfile.BadZipFile:
        return {}


def values() -> list[str]:
    """Print every path with its value."""
    for path, value in facts.flat(fill.known()).items():
        print(f"{path} = {value}")
    return []


def pictures(*names: str) -> list[str]:
    """Draw the pictures with these names anew, or all."""
    import diagrams

    makers = {f"diagrams/{path.stem}": diagrams.make for path in diagrams.FOLDER.glob("*.mmd")}
    if os.name == "nt":
        print(f"картинки терминалов пропущены: {drawing.NO_TERMINALS}")
    else:
        import terminals

        makers |= dict.fromkeys(terminals.STORIES, terminals.make)
    if unknown := [name for name in names if name not in makers]:
        raise Problem(f"нет картинки {unknown[0]!r}; есть: {', '.join(makers)}")
    for name in names or makers:
        print(f"{name} …", flush=True)
        makers[name](name, REPORT / f"{name}.svg")
    return []


def site() -> list[str]:
    """Make the page of the report for a browser."""
    text = facts.read(SOURCE)
    if absent := list(checks.missing(text)):
        return absent
    tree, fields = document.load(text), student.load()
    looks = {
        "title": tree.theme,
        "subtitle": f"Отчёт по лабораторной работе. {fields['subject']}",
        "author": f"{student.authors(fields)}, группа {fields['group']}",
        "date": f"{fields['city']}, {fields['year']}",
    }
    options = [f"--metadata={name}:{value}" for name, value in looks.items()]
    html = document.pandoc(document.to_json(tree.blocks), "json", "html", *SITE, *options)
    (REPORT / "site").mkdir(exist_ok=True)
    facts.write(REPORT / "site" / "index.html", html.encode())
    return []


if __name__ == "__main__":
    sys.exit(entry.run("build", main))
