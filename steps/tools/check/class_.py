"""A folder of submissions: a table for the teacher, a text for each student."""

import argparse
import csv
import os
import shutil
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.check import find, isolate, outer
from tools.check.checks import ORDER
from tools.check.report import Page
from tools.check.words import Words

MOST_COPIED = 40_000_000  # bytes of a submission


def run(folder: Path, options: argparse.Namespace, words: Words) -> int:
    """Check every folder below `folder`; return the exit status."""
    submissions = sorted(
        each for each in folder.iterdir() if each.is_dir() and each.name not in find.SKIPPED
        and not each.name.startswith(".")
    )  # fmt: skip
    if not submissions:
        return complain(words("no_submissions", folder=folder))
    table = Path(options.csv or "class.csv")
    texts = table.with_name(f"{table.stem}-texts")
    try:
        texts.mkdir(parents=True, exist_ok=True)
        table.touch()
    except OSError as error:
        return complain(words("cannot_write", file=error.filename, reason=error.strerror))
    page = Page(words)
    wrapper = isolate.wrapper()
    page.line(words("warns"))
    page.line(words("protected" if wrapper else "unprotected"))
    page.line()
    jobs = (options.jobs or 1) if wrapper else 1
    lock, done = threading.Lock(), []

    def one(submission: Path) -> tuple[Path, dict]:
        report, text = check(submission, words, wrapper)
        (texts / f"{submission.name}.txt").write_text(text, "utf-8")
        with lock:
            done.append(submission)
            remark = report["reason"] or f"{report['score']}/{report['of']}"
            page.line(f"{len(done):>3}/{len(submissions)} {submission.name:<24} {remark}")
        return submission, report

    with ThreadPoolExecutor(jobs) as pool:
        reports = list(pool.map(one, submissions))
    write(table, reports)
    page.line()
    page.line(words("class_done", count=len(reports), csv=table, texts=texts))
    return 0


def check(submission: Path, words: Words, wrapper: list[str]) -> tuple[dict, str]:
    """Check one submission, in a copy of its own; return the report and the text."""
    page = Page(words, to_screen=False)
    with tempfile.TemporaryDirectory(prefix="chat-check-", ignore_cleanup_errors=True) as place:
        try:
            too_big(submission)
            folder = submission.resolve()
            if not wrapper:
                folder = copied(submission, Path(place).resolve() / submission.name)
            pair = find.find(folder)
        except find.CannotRun as error:
            reason = words.reason(error.key, **{**error.values, "folder": submission.name})
            report = outer.report(None, [], error.key, reason, [], 0)
        else:
            values = {"server": name(pair.server), "client": name(pair.client)}
            page.line(words("checking", **values))
            page.line()
            scratch = Path(place) if wrapper else None
            report = outer.run(
                pair, words, again=".", wrapper=wrapper, scratch=scratch, progress=page.event
            )
        report["folder"] = str(submission)
    page.summary(report)
    return report, "\n".join(page.text) + "\n"


def name(side: find.Side) -> str:
    return Path(side.command[-1]).name


def too_big(submission: Path) -> None:
    """Raise CannotRun if a submission cannot be copied."""
    size = 0
    for folder, folders, files in os.walk(submission):
        folders[:] = set(folders) - find.uncopied(folder, folders)
        size += sum((Path(folder) / each).lstat().st_size for each in files)
    if size > MOST_COPIED:
        raise find.CannotRun("too_big", size=size // 1_000_000)


def copied(submission: Path, target: Path) -> Path:
    """Copy a submission, so that its programs do not write into the original."""
    shutil.copytree(submission, target, ignore=find.uncopied, symlinks=True)
    return target


def write(table: Path, reports: list[tuple[Path, dict]]) -> None:
    """Write the table: a row for each submission, a column for each check."""
    with table.open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["submission", *ORDER, "score", "of", "seconds", "remark"])
        for submission, report in reports:
            verdicts = {each["id"]: each for each in report["checks"]}
            cells = [cell(verdicts.get(check)) for check in ORDER]
            score = [report["score"], report["of"]] if report["checks"] else ["", ""]
            numbers = [*score, report["seconds"]]
            rows.writerow([submission.name, *cells, *numbers, report["reason"] or ""])


def cell(result: dict | None) -> str:
    """Return a verdict for the table: pass, fail or not_run, and which of its kind."""
    if result is None:
        return ""
    verdict = result["verdict"] if result["status"] == "fail" else ""
    return f"{result['status']}:{verdict}" if verdict else result["status"]


def complain(text: str) -> int:
    print(f"steps check: {text}", file=sys.stderr)
    return 2
