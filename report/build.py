"""Собирает отчёт: report.pdf и report.docx из report.md, программ и результатов измерений.

python report/build.py          вписать листинги и числа в report.md, сделать PDF и DOCX
python report/build.py check    назвать всё, что устарело или неверно; ничего не менять
python report/build.py final    то же перед сдачей: незаполненные места считаются ошибками
python report/build.py values   показать всё, что можно назвать в метке value
python report/build.py runs     заново проверить программы: pytest и python3 steps check
python report/build.py site     сделать сайт в папке report/site
"""

import argparse
import io
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "steps"))
sys.dont_write_bytecode = True  # `check` writes nothing at all

import facts  # noqa: E402
from tools import entry  # noqa: E402

try:
    import checks
    import document
    import fill
    import pdf
    import runs
    import student
    import word
except ModuleNotFoundError as error:
    sys.exit(facts.missing("build", error))

from facts import REPORT, SOURCE, Problem  # noqa: E402

PDF, DOCX = REPORT / "report.pdf", REPORT / "report.docx"
AGAIN = "python report/build.py"


def main() -> int:
    """Do what is asked for; return the exit status."""
    tasks = {"build": build, "check": check, "final": final, "values": values, "site": site}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", nargs="?", choices=[*tasks, "runs"], default="build")
    parser.add_argument("folder", nargs="?", help="runs: папка со своими сервером и клиентом")
    options = parser.parse_args()
    try:
        work = (runs.make, options.folder) if options.task == "runs" else (tasks[options.task],)
        problems = work[0](*work[1:])
    except Problem as problem:
        problems = [str(problem)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def step(name: str, work: Callable, *arguments: object) -> object:
    """Do a part of the work, and print what it is and how long it takes."""
    print(f"{name} … ", end="", flush=True)
    start = time.perf_counter()
    try:
        result = work(*arguments)
    except Problem:
        print("не вышло", flush=True)
        raise
    print(f"{time.perf_counter() - start:.1f} с", flush=True)
    return result


def build() -> list[str]:
    """Fill report.md, make the PDF and the DOCX; return what is still wrong."""
    filled = step("заполнение report.md", fill.fill, facts.read(SOURCE))
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
    content, pages = step("report.pdf", pdf.make, tree, title)
    return content, step("report.docx", word.make, tree, title, pages)


def warn(text: str) -> None:
    """Print what the author has not filled in yet."""
    for line in unfilled(text):
        print(f"предупреждение: {line}")


def unfilled(text: str) -> list[str]:
    """Return what the author has not filled in yet."""
    return student.placeholders(student.load()) + list(checks.placeholders(text))


def check() -> list[str]:
    """Return what is out of date or wrong."""
    filled = step("report.md", fill.fill, facts.read(SOURCE))
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
    """Return the files within a DOCX, whatever the machine that packed them."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            return {name: file.read(name) for name in file.namelist()}
    except zipfile.BadZipFile:
        return {}


def values() -> list[str]:
    """Print every path with its value."""
    for path, value in facts.flat(fill.known()).items():
        print(f"{path} = {value}")
    return []


def site() -> list[str]:
    """Make the site of the report."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", REPORT / "mkdocs.yml"]
    done = subprocess.run(command, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})
    return ["mkdocs не сделал сайт: причина выше"] if done.returncode else []


if __name__ == "__main__":
    sys.exit(entry.run("build", main))
