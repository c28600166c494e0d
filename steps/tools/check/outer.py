"""Runs the inner process over a pair, bounds its time, and makes one report of what it tells."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tools.check import isolate
from tools.check.checks import ORDER
from tools.check.find import Pair
from tools.check.inner import most_seconds
from tools.check.words import Words

STEPS = Path(__file__).parents[2]
PROGRAM = f"import sys; sys.path.insert(0, {str(STEPS)!r}); from tools.check import inner"
VERSION = 1

running: set[subprocess.Popen] = set()  # the inner processes


def run(
    pair: Pair,
    words: Words,
    only: str | None = None,
    again: str = "",
    wrapper: list[str] | None = None,
    scratch: Path | None = None,
    progress: Callable[[dict], None] = lambda event: None,
) -> dict:
    """Check a pair; return the report, in the shape that main.py documents.

    With `scratch`, an empty folder, the programs write into a copy in memory (in namespaces).
    """
    began = time.monotonic()
    wrapper = isolate.wrapper() if wrapper is None else wrapper
    settings = {
        "folder": str(pair.folder),
        "sides": [
            {**vars(side), "folder": str(side.folder)} for side in (pair.server, pair.client)
        ],
        "sources": pair.sources,
        "lang": words.language,
        "only": only,
        "again": again,
        "scratch": str(scratch) if scratch else "",
    }
    checks, key, reason, lines = {}, "lost", words.reason("lost"), []
    for event in events(wrapper, settings):
        progress(event)
        if event["event"] == "check":
            checks[event["id"]] = {key: event[key] for key in event if key != "event"}
        elif event["event"] == "end":
            key, reason, lines = event["reason_id"], event["reason"], event["lines"]
    shown = [checks[name] for name in ORDER if name in checks and only in (None, name)]
    return report(pair, shown, key, reason, lines, time.monotonic() - began)


def report(
    pair: Pair | None, checks: list[dict], key: str, reason: str, lines: list[str], seconds: float
) -> dict:
    """Return the report as it stands in the JSON."""
    graded = [each for each in checks if each["graded"]]
    failed = any(each["status"] == "fail" for each in graded)
    counted = [each for each in graded if each["status"] != "not_run" or each["waits_for"]]
    return {
        "version": VERSION,
        "folder": str(pair.folder) if pair else "",
        "server": pair.server.command if pair else [],
        "client": pair.client.command if pair else [],
        "status": 2 if reason else 1 if failed else 0,
        "reason_id": key or None,
        "reason": reason or None,
        "last_lines": lines,
        "score": sum(each["status"] == "pass" for each in counted),
        "of": len(counted),
        "seconds": round(seconds, 1),
        "checks": checks,
    }


def events(wrapper: list[str], settings: dict):
    """Start the inner process and yield what it tells; end it when its time is over."""
    environment = isolate.outer_environment(bool(wrapper))
    inner = subprocess.Popen(
        [*wrapper, sys.executable, "-c", f"{PROGRAM}; inner.main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        encoding="utf-8",
        errors="replace",
        **isolate.apart(),
    )
    # The inner process ends by itself before this.
    guard = threading.Timer(most_seconds(bool(wrapper)) + 15, inner.kill)
    guard.start()
    running.add(inner)
    try:
        inner.stdin.write(json.dumps(settings) + "\n")
        inner.stdin.flush()  # and stays open: when this process ends, the inner one sees it
        for line in inner.stdout:
            event = read(line)
            if event:
                yield event
    except BrokenPipeError:
        pass
    finally:
        guard.cancel()
        running.discard(inner)
        close_input(inner)  # after Ctrl-C: it ends all that it has started, and itself
        try:
            inner.wait(5)
        except subprocess.TimeoutExpired:
            inner.kill()
            inner.wait()
        inner.stdout.close()


def close_input(inner: subprocess.Popen) -> None:
    """Tell an inner process to end: see Session.end_with_outer."""
    with contextlib.suppress(OSError):
        inner.stdin.close()


def end_running() -> None:
    """End all inner processes: somebody has pressed Ctrl-C."""
    for inner in list(running):
        close_input(inner)


def read(line: str) -> dict | None:
    """Return the event that a line of the inner process tells, if it does."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
