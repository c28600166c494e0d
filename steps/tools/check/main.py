"""Checks a chat, in any language, by what people see on their screens.

Run:       python3 steps check [FOLDER] [--server CMD] [--client CMD] [--only ID] [--json FILE]
           python3 steps check --class FOLDER [--csv FILE] [--jobs N]
           python3 steps check --pack FILE: one file that runs without the repository
Status:    0 if all graded checks pass, 1 if some fail, 2 if it could not be run

The JSON of --json: version (2), folder, server, client (lists of words), seconds, and
    status       the exit status
    reason       null, or why it could not be run (to the end); reason_id: the same as a word
    last_lines   the last lines of the program that ended, if one did
    score, of    graded checks that passed, and all that count; null if it could not be run
    checks       a list; each has id, title, graded, seconds, and
        status       "pass", "fail" or "not_run"
        verdict      a word that tells verdicts of one check apart: "late", "not_who", ...
        note         a remark in words; waits_for: the check that has to pass first, or null
        costs        whether it takes a point of the score away, if it is graded
        story        null, or what happened: typed (a list), expected, seen (lines for each
                     screen), server_said (lines), cause, read, again
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import zipapp
from pathlib import Path

from tools import entry, language
from tools.check import find, group, guard, trial
from tools.check.asks import CHECKS, ORDER
from tools.check.page import Page, complain, program


def parser() -> argparse.ArgumentParser:
    """Return the command line; what is wrong with it is said in one line."""
    language.choose(["--lang", "ru"])
    about = "Проверяет любой чат по тому, что видят люди на экранах."
    parser = language.Parser(" ".join(program()[1:]), about, choice=False)
    parser.add_argument("folder", nargs="?", metavar="ПАПКА", help="в ней сервер и клиент")
    example = 'команда: "python3 my_client.py"; вместо имени участника {name}'
    parser.add_argument("--server", metavar="КОМАНДА", help='команда: "python3 my_server.py"')
    parser.add_argument("--client", metavar="КОМАНДА", help=example)
    parser.add_argument("--only", metavar="ID", help="одна проверка и то, от чего она зависит")
    parser.add_argument("--json", metavar="ФАЙЛ", help="записать туда результат; - значит экран")
    parser.add_argument("--class", dest="class_", metavar="ПАПКА", help="в ней папки с работами")
    parser.add_argument("--csv", metavar="ФАЙЛ", help="таблица группы (class.csv), рядом обзор")
    parser.add_argument("--pack", metavar="ФАЙЛ", help="записать эту программу в один файл .pyz")
    how_many = "сколько работ сразу (сколько есть процессорных ядер)"
    parser.add_argument("--jobs", metavar="N", type=language.whole_number, help=how_many)
    return parser


def main(arguments: list[str]) -> int:
    """Read the command line, run the checks; return the exit status."""
    options = parser().parse_args(arguments)
    if options.only and options.only not in ORDER:
        return complain(f"--only {options.only}: такой проверки нет. Есть: {', '.join(ORDER)}.")
    if options.pack:
        return pack(Path(options.pack))
    folder = Path(options.class_ or options.folder or ".")
    try:
        os.listdir(folder)
    except FileNotFoundError:
        return complain(f"Нет папки {folder}.")
    except OSError as error:  # a file, or it may not be read
        return complain(f"Папку {folder} не открыть: {error.strerror}")
    if options.json and options.json != "-" and not options.class_:
        try:
            Path(options.json).touch()
        except OSError as error:
            return complain(f"{options.json} не записать: {error.strerror}")
    return group.run(folder, options) if options.class_ else one(folder, options)


def pack(target: Path) -> int:
    """Write the checker and the guides that it points at into one file; return the exit status."""
    try:
        if guard.STEPS.is_file():
            shutil.copy(guard.STEPS, target)
        else:
            with tempfile.TemporaryDirectory() as place:
                tools = guard.STEPS / "tools"
                parts = [tools / "__init__.py", tools / "entry.py", tools / "language.py"]
                parts += (tools / "check").glob("*.py")
                pointers = [check.pointer(key) for check in CHECKS.values() for key in check.causes]
                parts += {guard.STEPS / file for file, _ in pointers}
                for part in parts:
                    copied = Path(place, part.relative_to(guard.STEPS))
                    copied.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(part, copied)
                start = "tools.check.main:packed"
                zipapp.create_archive(place, target, "/usr/bin/env python3", start, compressed=True)
    except OSError as error:
        return complain(f"{target} не записать: {error.strerror}")
    print(f"Записано: {target}. Запуск: {program()[0]} {target.name} ПАПКА")
    return 0


def packed() -> None:
    """Run the checker out of one file."""
    sys.exit(entry.run("check", lambda: main(sys.argv[1:])))


def one(folder: Path, options: argparse.Namespace) -> int:
    """Check one pair; return the exit status."""
    page = Page(to_screen=options.json != "-", only=options.only)
    report = trial.run(folder.resolve(), options, again(options), page, guard.wrapper())
    if options.json:
        text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
        if options.json == "-":
            sys.stdout.reconfigure(encoding="utf-8")
            sys.stdout.write(text)
        else:
            Path(options.json).write_text(text, "utf-8")
    return report["status"]


def again(options: argparse.Namespace) -> str:
    """Return the command that checks the same pair again."""
    words = program() + ([] if options.folder is None else [options.folder])
    for name in "server", "client":
        if value := getattr(options, name):
            words += [f"--{name}", value]
    return find.typed(words)
