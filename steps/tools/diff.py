"""Shows what changed between two steps, line by line, as `diff -u` does; on every system.

Run:       python3 steps diff 2 3             two steps
           python3 steps diff 3 my/3_1        a step and a folder of your own
           python3 steps diff 3 4 server.py   one file of them
Status:    0, or 2 if one of them cannot be read
"""

import difflib
import sys
from pathlib import Path

from tools import language
from tools.harness import STEPS
from tools.screen import BOLD, CYAN, GREEN, RED, Screen

LOOKS = {"+": GREEN, "-": RED, "@": CYAN}  # of a line, by its first character


def folder_of(text: str) -> Path:
    """Return the folder of a step, by its number, or any other folder."""
    return STEPS[int(text)] if text in map(str, STEPS) else Path(text)


def programs(folder: Path) -> dict[str, list[str]]:
    """Return the lines of each Python file in a folder, by its name."""
    files = sorted(folder.glob("*.py"))
    return {file.name: file.read_text("utf-8").splitlines() for file in files}


def compare(old: list[str], new: list[str]) -> list[str]:
    """Return what `diff -u` prints after its two first lines."""
    return list(difflib.unified_diff(old, new, lineterm=""))[2:]


def show(name: str, old: list[str] | None, new: list[str] | None, screen: Screen) -> None:
    """Print the difference of one file; None: it is not there."""
    if old is None or new is None:
        what = "новый файл" if old is None else "этого файла больше нет"
        screen.line(screen.paint(f"── {name}: {what}, строк: {len(old or new)}", BOLD))
        return
    lines = compare(old, new)
    added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    what = f"добавлено строк: {added}, убрано: {removed}" if lines else "без изменений"
    screen.line(screen.paint(f"── {name}: {what}", BOLD))
    for line in lines:
        print(screen.paint(line, LOOKS.get(line[0], "")))


def main(arguments: list[str]) -> int:
    """Read the command line and show the difference; return the exit status."""
    language.choose(["--lang", "ru"])
    about = "Показывает, что изменилось: + строка добавлена, - строка убрана."
    parser = language.Parser("steps diff", about, choice=False)
    where = "номер шага (1…4) или папка"
    parser.add_argument("old", metavar="БЫЛО", help=where)
    parser.add_argument("new", metavar="СТАЛО", help=where)
    parser.add_argument("file", metavar="ФАЙЛ", nargs="?", help="только этот файл")
    args = parser.parse_args(arguments)
    try:
        before, after = programs(folder_of(args.old)), programs(folder_of(args.new))
    except (OSError, UnicodeError) as error:
        print(f"steps diff: файл не прочитать: {error}", file=sys.stderr)
        return 2
    for text, files in ((args.old, before), (args.new, after)):
        if not files:
            parser.error(f"{text}: это не номер шага (1…4) и не папка с программами на Python")
    wanted = [args.file] if args.file else sorted(before.keys() | after.keys())
    screen = Screen()
    for name in wanted:
        if name not in before and name not in after:
            parser.error(f"{name}: такого файла нет ни там, ни там")
        show(name, before.get(name), after.get(name), screen)
    return 0
