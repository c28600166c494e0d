"""Build the lab report: report.pdf and report.docx out of report.md, the code and the results.

Run:  python report/build.py           fill the markers of report.md, make the PDF and the DOCX
      python report/build.py check     say what is out of date or wrong; write nothing
      python report/build.py values    print what an inline value can name
      python report/build.py site      make the site in report/site

fill.py and values.py tell what the markers of report.md mean.
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

from tools import entry  # noqa: E402

try:
    import checks
    import document
    import facts
    import fill
    import pdf
    import student
    import word
    from project import REPORT, SOURCE, Problem, read
except ModuleNotFoundError as error:
    sys.exit(entry.missing("build", error, "report"))

PDF, DOCX = REPORT / "report.pdf", REPORT / "report.docx"
AGAIN = "run: python report/build.py"


def main() -> int:
    """Do what is asked for; return the exit status."""
    tasks = {"build": build, "check": check, "values": values, "site": site}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", nargs="?", choices=tasks, default="build")
    task = parser.parse_args().task
    try:
        return tell(tasks[task]())
    except Problem as problem:
        return tell([str(problem)])


def tell(problems: list[str]) -> int:
    """Print problems, one line each; return the exit status."""
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
        print("stopped", flush=True)
        raise
    print(f"{time.perf_counter() - start:.1f} s", flush=True)
    return result


def build() -> list[str]:
    """Fill report.md, make the PDF and the DOCX; return what is still wrong."""
    fields = load_student()
    filled = step("filling report.md", fill.fill, read(SOURCE))
    if filled.problems:
        return filled.problems
    for line in filled.stale:
        print(f"  {line}: written anew")
    SOURCE.write_text(filled.text, "utf-8", newline="\n")
    tree = document.load(filled.text)
    if absent := list(checks.missing(tree)):
        return absent
    title = student.title_page(fields, tree.theme)
    content, pages = step("making report.pdf", pdf.make, tree, title)
    PDF.write_bytes(content)
    DOCX.write_bytes(step("making report.docx", word.make, tree, title, pages))
    return list(checks.problems(filled.text, tree))


def check() -> list[str]:
    """Return what is out of date or wrong."""
    fields = load_student()
    filled = step("comparing report.md", fill.fill, read(SOURCE))
    tree = document.load(filled.text)
    problems = filled.problems + [f"{line} is out of date ({AGAIN})" for line in filled.stale]
    problems += checks.problems(filled.text, tree)
    if problems:
        return problems  # the PDF and the DOCX cannot be right before the text is
    title = student.title_page(fields, tree.theme)
    content, pages = step("comparing report.pdf", pdf.make, tree, title)
    if not PDF.is_file() or PDF.read_bytes() != content:
        problems.append(f"report.pdf is not made from these sources ({AGAIN})")
    content = step("comparing report.docx", word.make, tree, title, pages)
    if not DOCX.is_file() or parts(DOCX.read_bytes()) != parts(content):
        problems.append(f"report.docx is not made from these sources ({AGAIN})")
    return problems


def load_student() -> dict[str, str]:
    """Return the fields of student.toml; warn of those that are not filled in yet."""
    fields = student.load()
    if names := student.placeholders(fields):
        print(f"warning: {student.FILE} has placeholders: {', '.join(names)}")
    return fields


def parts(content: bytes) -> dict[str, bytes]:
    """Return the files within a DOCX, whatever the machine that packed them."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            return {name: file.read(name) for name in file.namelist()}
    except zipfile.BadZipFile:
        return {}


def values() -> list[str]:
    """Print every path with its value."""
    for path, value in facts.flat(facts.load()).items():
        print(f"{path} = {value}")
    return []


def site() -> list[str]:
    """Make the site of the report."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", REPORT / "mkdocs.yml"]
    done = subprocess.run(command, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})
    return ["mkdocs could not make the site"] if done.returncode else []


if __name__ == "__main__":
    sys.exit(entry.run("build", main))
