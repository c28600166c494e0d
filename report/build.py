"""Собирает отчёт из report.md, программ и результатов измерений.

python report/build.py            собрать report.pdf и report.docx
python report/build.py final      то же и назвать всё, чего не хватает для сдачи
python report/build.py runs my    проверить пару своих программ из папки my
python report/build.py runs       заново проверить программы шагов: pytest и python3 steps check
python report/build.py values     показать всё, что можно назвать в метке {{…}}
python report/build.py diagrams   заново нарисовать диаграммы из файлов .mmd
"""

import argparse
import io
import sys
import zipfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "steps"))

from tools import entry

MISSING = (
    "build: нет библиотеки {}. Установите report/requirements.txt, как показано в README.md, "
    "и запускайте Python из .venv."
)

try:
    import document
    import drawing
    import facts
    import own
    import pdf
    import runs
    import word
    from facts import REPORT, SOURCE, Problem
    from text import Report, unprintable
except ModuleNotFoundError as error:
    sys.stderr = entry.Output(sys.stderr)  # Russian, whatever this system speaks
    sys.exit(MISSING.format(error.name))

PDF, DOCX = REPORT / "report.pdf", REPORT / "report.docx"


def main() -> int:
    """Do what is asked for; return the exit status."""
    tasks = {task.__name__: task for task in (build, final, values, diagrams)}
    tasks["runs"] = runs.make
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", nargs="?", choices=tasks, default="build")
    parser.add_argument("names", nargs="*", help="runs: папка с парой программ; diagrams: имена")
    options = parser.parse_args()
    most = {"runs": 1, "diagrams": 99}.get(options.task, 0)
    if len(options.names) > most:
        parser.error(f"{options.task}: лишние слова: {' '.join(options.names[most:])}")
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
    """Make the PDF and the DOCX; return what is wrong."""
    report, problems = made()
    if not problems:
        for line in [*own.placeholders(report), *runs.outdated()]:
            print(f"предупреждение: {line}")
    return problems


def final() -> list[str]:
    """Make the PDF and the DOCX; return what has to be done before the report is handed in."""
    report, problems = made()
    problems += [] if problems else [*own.missing(report), *runs.outdated()]
    if not problems:
        print(own.said(report))
    return problems


def made() -> tuple[Report, list[str]]:
    """Return the report and what is wrong with it; if that is nothing, write its files."""
    report = Report(facts.read(SOURCE), facts.load())
    problems = [*report.problems]
    for name, value in report.data["student"].items():
        if bad := unprintable(value):
            problems.append(f"{facts.STUDENT}: поле {name!r}: знак {bad} не напечатается")
    if not problems:
        print("report.pdf и report.docx …", flush=True)
        tree = document.load(report.markdown)
        content, pages = pdf.make(tree)
        for path, new in ((PDF, content), (DOCX, word.make(tree, pages))):
            if not holds(path, new):
                facts.write(path, new)
    return report, problems


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


def diagrams(*names: str) -> list[str]:
    """Draw the diagrams with these names anew, or all."""
    texts = {path.stem: path for path in sorted(drawing.DIAGRAMS.glob("*.mmd"))}
    if unknown := [name for name in names if name not in texts]:
        raise Problem(f"нет диаграммы {unknown[0]!r}; есть: {', '.join(texts)}")
    for name in names or texts:
        drawing.diagram(texts[name], texts[name].with_suffix(".svg"))
    return []


if __name__ == "__main__":
    sys.exit(entry.run("build", main))
