"""Собирает отчёт: report.pdf и report.docx из report.md, программ и результатов измерений.

python report/build.py            вписать листинги и числа в report.md, сделать PDF и DOCX
python report/build.py check      назвать всё, что устарело или неверно; ничего не менять
python report/build.py final      то же перед сдачей: незаполненные места считаются ошибками
python report/build.py values     показать всё, что можно назвать в метке value
python report/build.py runs       заново проверить программы: pytest и python3 steps check
python report/build.py runs my    проверить пару программ из папки my
python report/build.py pictures   заново нарисовать диаграммы из файлов .mmd
"""

import argparse
import io
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
    import word
    from facts import REPORT, SOURCE, Problem
except ModuleNotFoundError as error:
    sys.stderr = entry.Output(sys.stderr)  # Russian, whatever this system speaks
    sys.exit(MISSING.format(error.name))

PDF, DOCX = REPORT / "report.pdf", REPORT / "report.docx"
AGAIN = "python report/build.py"


def main() -> int:
    """Do what is asked for; return the exit status."""
    tasks = {task.__name__: task for task in (build, check, final, values, pictures)}
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
    tree = document.load(filled.text)
    for path, content in made(tree).items():
        if not holds(path, content):
            facts.write(path, content)
    for line in checks.placeholders(filled.text):
        print(f"предупреждение: {line}")
    return [*checks.problems(filled.text, tree.blocks), *runs.outdated()]


def made(tree: document.Document) -> dict[Path, bytes]:
    """Return the PDF and the DOCX of a report."""
    print("report.pdf и report.docx …", flush=True)
    content, pages = pdf.make(tree)
    return {PDF: content, DOCX: word.make(tree, pages)}


def check() -> list[str]:
    """Return what is out of date or wrong."""
    filled = fill.fill(facts.read(SOURCE))
    tree = document.load(filled.text)
    problems = filled.problems + [f"{line} — устарело: {AGAIN}" for line in filled.stale]
    problems += [*checks.problems(filled.text, tree.blocks), *runs.outdated()]
    for line in checks.placeholders(filled.text):
        print(f"предупреждение: {line}")
    if problems:
        return problems  # the PDF and the DOCX cannot be right before the text is
    for path, content in made(tree).items():
        if not holds(path, content):
            problems.append(f"{path.name} собран не из этих файлов: {AGAIN}")
    return problems


def final() -> list[str]:
    """Return what has to be done before the report is handed in."""
    return [*checks.placeholders(facts.read(SOURCE)), *check()]


def holds(path: Path, content: bytes) -> bool:
    """Return whether a file holds this content; of a DOCX, neither dates nor pictures count."""
    if not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(io.BytesIO(content)) as new:
            names = [name for name in new.namelist() if not name.startswith("word/media/")]
            return all(old.read(name) == new.read(name) for name in names)
    except (KeyError, OSError, zipfile.BadZipFile):  # the PDF
        return path.read_bytes() == content


def values() -> list[str]:
    """Print every path with its value."""
    for path, value in facts.flat(facts.load()).items():
        print(f"{path} = {value}")
    return []


def pictures(*names: str) -> list[str]:
    """Draw the pictures with these names anew, or all."""
    makers = {f"diagrams/{path.stem}": drawing.diagram for path in drawing.DIAGRAMS.glob("*.mmd")}
    if unknown := [name for name in names if name not in makers]:
        raise Problem(f"нет картинки {unknown[0]!r}; есть: {', '.join(makers)}")
    for name in names or makers:
        print(f"{name} …", flush=True)
        makers[name](name, REPORT / f"{name}.svg")
    return []


if __name__ == "__main__":
    sys.exit(entry.run("build", main))
