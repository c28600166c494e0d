"""A folder of submissions: a table for the teacher, a text for each student."""

import argparse
import csv
import os
import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.check import find, isolate, outer
from tools.check.checks import CHECKS, ORDER
from tools.check.report import Page, complain
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
        try:
            reports = list(pool.map(one, submissions))
        except KeyboardInterrupt:
            outer.end_running()
            raise
    write(table, reports)
    page.line()
    hints = ", ".join(name for name in ORDER if not CHECKS[name].graded)
    page.line(words("class_done", count=len(reports), csv=table, texts=texts, hints=hints))
    return 0


def check(submission: Path, words: Words, wrapper: list[str]) -> tuple[dict, str]:
    """Check one submission, in a copy of its own; return the report and the text."""
    page = Page(words, to_screen=False)
    with tempfile.TemporaryDirectory(prefix="chat-check-", ignore_cleanup_errors=True) as place:
        try:
            pair = find.find(prepared(submission, Path(place), bool(wrapper)))
        except find.CannotRun as error:
            reason = words.reason(error.key, **{**error.values, "folder": submission.name})
            report = outer.report(None, [], error.key, reason, [], 0)
        else:
            page.line(words("checking", server=pair.server.shown(), client=pair.client.shown()))
            page.line()
            scratch = Path(place) if wrapper else None
            report = outer.run(
                pair, words, again=words("again_at_home"), wrapper=wrapper, scratch=scratch
            )
            for result in report["checks"]:
                page.check(result)
        report["folder"] = str(submission)
    page.summary(report)
    return report, "\n".join(page.text) + "\n"


def prepared(submission: Path, place: Path, protected: bool) -> Path:
    """Return the folder to check: a copy, where the inner process makes none; or CannotRun."""
    size = 0
    try:
        for folder, folders, files in os.walk(submission):
            folders[:] = set(folders) - find.uncopied(folder, folders)
            size += sum((Path(folder) / each).lstat().st_size for each in files)
        if size > MOST_COPIED:
            raise find.CannotRun("too_big", size=size // 1_000_000)
        if protected:
            return submission.resolve()
        target = place.resolve() / submission.name
        return Path(shutil.copytree(submission, target, ignore=find.uncopied, symlinks=True))
    except OSError as error:
        reason = find.told(error)
        raise find.CannotRun("unreadable", folder=submission.name, reason=reason) from None


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
