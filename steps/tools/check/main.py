"""Checks a chat, in any language, by what people see on their screens.

Run:       python3 steps check [FOLDER] [--server CMD] [--client CMD] [--only ID] [--json FILE]
           python3 steps check --class FOLDER [--csv FILE] [--jobs N]
Status:    0 if all graded checks pass, 1 if some fail, 2 if it could not be run

The JSON of --json, one object:
    version      1
    folder, server, client      what was run; commands are lists of words
    status       the exit status
    reason       null, or why it could not be run (to the end); reason_id: the same as a word
    last_lines   the last lines of the program that ended, if one did
    score, of    graded checks that passed, and all that count
    seconds      how long it took
    checks       a list; each has
        id, graded, seconds
        status       "pass", "fail" or "not_run"
        verdict      a word that tells verdicts of one check apart: "late", "not_who", ...
        note         a remark in words; waits_for: the check that has to pass first, or null
        story        null, or what happened: typed (a list), expected, seen (lines for each
                     screen), server_said (lines), cause, read, again
        hints        parts of a graded check that cost no marks: part, status, verdict, story
"""

import argparse
import json
import os
import sys
from pathlib import Path

from tools.check import class_, find, outer
from tools.check.checks import ORDER
from tools.check.report import Page, complain
from tools.check.words import Words


def parser() -> argparse.ArgumentParser:
    """Return the command line; what is wrong with it is said in one line."""
    usage = argparse.SUPPRESS
    parser = argparse.ArgumentParser("steps check", usage, __doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="with a server and a client")
    parser.add_argument("--server", metavar="CMD", help='its command: "python3 my_server.py"')
    parser.add_argument("--client", metavar="CMD", help='its command: "python3 my_client.py"')
    parser.add_argument("--only", metavar="ID", help="one check, and what it rests on")
    parser.add_argument("--json", metavar="FILE", help="write all verdicts there; - is the screen")
    parser.add_argument("--lang", choices=["ru", "en"], default="ru", help="the language")
    parser.add_argument("--class", dest="class_", metavar="FOLDER", help="of submissions")
    parser.add_argument("--csv", metavar="FILE", help="the table of a class (class.csv)")
    parser.add_argument("--jobs", metavar="N", type=positive, help="submissions at a time")
    return parser


def positive(text: str) -> int:
    """Return the number of submissions at a time; raises ValueError if it is none."""
    number = int(text)
    if not 1 <= number <= 64:
        raise ValueError(text)
    return number


def main(arguments: list[str]) -> int:
    """Read the command line, run the checks; return the exit status."""
    options = parser().parse_args(arguments)
    words = Words(options.lang)
    if options.only and options.only not in ORDER:
        return complain(words("unknown_id", only=options.only, known=", ".join(ORDER)))
    folder = Path(options.class_ or options.folder or ".")
    try:
        os.listdir(folder)
    except FileNotFoundError:
        return complain(words.reason("no_folder", folder=folder))
    except OSError as error:  # a file, or it may not be read
        return complain(words("cannot_open", folder=folder, reason=error.strerror))
    if options.json and options.json != "-" and not options.class_:
        try:
            Path(options.json).touch()
        except OSError as error:
            return complain(words("cannot_write", file=options.json, reason=error.strerror))
    if options.class_:
        return class_.run(folder, options, words)
    return one(folder, options, words)


def one(folder: Path, options: argparse.Namespace, words: Words) -> int:
    """Check one pair; return the exit status."""
    page = Page(words, to_screen=options.json != "-")
    try:
        pair = find.find(folder.resolve(), options.server, options.client)
    except find.CannotRun as error:
        reason = words.reason(error.key, **error.values)
        report = outer.report(None, [], error.key, reason, [], 0)
        report["folder"] = str(folder.resolve())
        return finish(report, options, words, page)
    page.line(words("checking", server=pair.server.shown(), client=pair.client.shown()))
    page.line()
    report = outer.run(
        pair, words, options.only, again(folder, options), progress=show(page, options.only)
    )
    return finish(report, options, words, page)


def show(page: Page, only: str | None):
    """Return what shows the events of a run: of one check alone, if only that is asked for."""

    def progress(event: dict) -> None:
        if event.get("id") == only or not only or event["event"] == "begin":
            page.event(event)

    return progress


def again(folder: Path, options: argparse.Namespace) -> str:
    """Return the command that checks the same pair again."""
    words = ["py" if os.name == "nt" else "python3", "steps", "check"]
    if options.folder is not None:
        words.append(str(folder))
    for name in "server", "client":
        if value := getattr(options, name):
            words += [f"--{name}", value]
    return find.typed(words)


def finish(report: dict, options: argparse.Namespace, words: Words, page: Page) -> int:
    """Show the table, write the JSON if it is asked for; return the exit status."""
    page.summary(report)
    if options.json:
        text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
        if options.json == "-":
            sys.stdout.reconfigure(encoding="utf-8")
            sys.stdout.write(text)
        else:
            Path(options.json).write_text(text, "utf-8")
    return report["status"]
