"""One trial: a process of its own runs all checks over one submission, and tells what it finds.

`run` starts that process (in namespaces, where the system has them), bounds its time, and makes
one report of what it tells. `main` is that process. It tells its events on its standard output,
a line each: the secret that `run` has given it, then an object of JSON: {"event": "begin", "id":
...}, {"event": "check", ...}, {"event": "end", "reason_id": ..., "reason": ..., "lines": [...]}.
"""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.check import guard, system
from tools.check.asks import CHECKS, ORDER, needed
from tools.check.conversation import ClientEnded, ServerEnded
from tools.check.examiner import GONE, Check, Examiner, Failure, NotChecked
from tools.check.find import CannotDrive, Side, Submission, copy
from tools.check.reading import harmless, visible

VERSION = 2
MOST_SECONDS = {True: 200, False: 600}  # without namespaces a port may be held for a minute
FOR_MORE = 120  # seconds after which no check is begun that does not count
# Verdicts that tell more than an error of the server does:
PRECISE = (*("late", "not_who", "after_enter", "none"), *("crashes", "hangs", "pool", "locked"))

running: set[subprocess.Popen] = set()  # the processes of the trials


def run(
    pair: Submission,
    only: str | None = None,
    again: str = "",
    wrapper: list[str] | None = None,
    hidden: Path | None = None,
    progress: Callable[[dict], None] = lambda event: None,
) -> dict:
    """Check a submission; return the report, in the shape that main.py documents.

    `hidden` is a folder that it shall not see, if there are namespaces: the others' work.
    """
    began = time.monotonic()
    wrapper = guard.wrapper() if wrapper is None else wrapper
    checks, key, reason, lines = {}, "lost", "Проверка прервалась без результата.", []
    with tempfile.TemporaryDirectory(prefix="chat-check-", ignore_cleanup_errors=True) as place:
        settings = {
            "folder": str(pair.folder),
            "sides": [
                {**vars(side), "folder": str(side.folder)} for side in (pair.server, pair.client)
            ],
            "sources": pair.sources,
            "only": only,
            "again": again,
            "place": os.path.realpath(place),
            "hidden": [os.path.realpath(hidden)] if hidden else [],
        }
        for event in events(wrapper, settings):
            progress(event)
            if event["event"] == "check":
                checks[event["id"]] = {key: event[key] for key in event if key != "event"}
            elif event["event"] == "end":
                key, reason, lines = event["reason_id"], event["reason"], event["lines"]
    shown = [checks[name] for name in ORDER if name in checks and only in (None, name)]
    return report(pair, shown, key, reason, lines, time.monotonic() - began)


def report(
    pair: Submission | None,
    checks: list[dict],
    key: str,
    reason: str,
    lines: list[str],
    seconds: float,
) -> dict:
    """Return the report as it stands in the JSON; who could not be driven has no score."""
    graded = [each for each in checks if each["graded"]]
    passed = sum(each["status"] == "pass" for each in graded)
    lost = sum(each["costs"] for each in graded)
    return {
        "version": VERSION,
        "folder": str(pair.folder) if pair else "",
        "server": pair.server.command if pair else [],
        "client": pair.client.command if pair else [],
        "status": 2 if key else 1 if lost else 0,
        "reason_id": key or None,
        "reason": reason or None,
        "last_lines": lines,
        "score": None if key else passed,
        "of": None if key else passed + lost,
        "seconds": round(seconds, 1),
        "checks": checks,
    }


def events(wrapper: list[str], settings: dict) -> Iterator[dict]:
    """Start the process of a trial and yield what it tells; end it when its time is over."""
    secret = secrets.token_hex(16)
    inner = subprocess.Popen(
        [*wrapper, *guard.PYTHON, "-c", f"{guard.LOAD} trial; trial.main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=guard.outer_environment(bool(wrapper)),
        encoding="utf-8",
        errors="replace",
        **guard.apart(),
    )
    # The process ends by itself before this.
    timer = threading.Timer(MOST_SECONDS[bool(wrapper)] + 15, inner.kill)
    timer.start()
    running.add(inner)
    try:
        inner.stdin.write(json.dumps({**settings, "secret": secret}) + "\n")
        inner.stdin.flush()  # and stays open: when this process ends, the other one sees it
        for line in inner.stdout:
            said, _, event = line.partition(" ")
            if secrets.compare_digest(said.encode(), secret.encode()):
                yield harmless_all(json.loads(event))
    except BrokenPipeError:
        pass
    finally:
        timer.cancel()
        running.discard(inner)
        close_input(inner)  # after Ctrl-C: it ends all that it has started, and itself
        try:
            inner.wait(5)
        except subprocess.TimeoutExpired:
            inner.kill()
            inner.wait()
        inner.stdout.close()


def harmless_all(value: object) -> object:
    """Return an event whose texts steer no terminal: what programs have written stands in it."""
    if isinstance(value, dict):
        return {key: harmless_all(each) for key, each in value.items()}
    if isinstance(value, list):
        return [harmless_all(each) for each in value]
    return harmless(value) if isinstance(value, str) else value


def close_input(inner: subprocess.Popen) -> None:
    """Tell the process of a trial to end: see Trial.end_with_outer."""
    with contextlib.suppress(OSError):
        inner.stdin.close()


def end_running() -> None:
    """End all trials: somebody has pressed Ctrl-C."""
    for inner in list(running):
        close_input(inner)


# The process of a trial


class Trial:
    """One run of the checks over a submission."""

    def __init__(self, settings: dict) -> None:
        self.settings = settings
        sides = [Side(**{**side, "folder": Path(side["folder"])}) for side in settings["sides"]]
        self.pair = Submission(Path(settings["folder"]), *sides, sources=settings["sources"])
        self.place = Path(settings["place"])
        copied = self.pair.moved(self.place / "copy" / self.pair.folder.name)
        self.examiner = Examiner(copied, self.place)
        self.channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self.began = time.monotonic()

    def tell(self, event: str, **values: object) -> None:
        """Write an event."""
        text = json.dumps({"event": event, **values}, ensure_ascii=False)
        self.channel.write(f"{self.settings['secret']} {text}\n")
        self.channel.flush()

    def stop(self, why: str) -> None:
        """End at once: a bound was passed."""
        texts = {
            "time": f"Время вышло: {MOST_SECONDS[guard.inside()]} с.",
            "processes": f"Программы создали больше {guard.MOST_PROCESSES} процессов и были "
            "остановлены.",
            "memory": "Программы заняли слишком много памяти и были остановлены.",
        }
        self.tell("end", reason_id=why, reason=texts[why], lines=[])
        self.end(0)

    def end(self, status: int) -> None:
        """End with all that was started; in namespaces it ends with this process."""
        if not guard.inside():
            system.end_descendants(everybody=False)
        os._exit(status)

    def end_with_outer(self) -> None:
        """Wait until the outer process has gone; end with it, however it ended."""
        os.read(0, 1)
        self.end(1)

    def run(self) -> None:
        """Run all checks, or the one that is asked for and those that it waits for."""
        key, reason, lines = "", "", []
        try:
            self.prepare()
            for name in needed(self.settings["only"]):
                self.tell("begin", id=name, title=CHECKS[name].title)
                self.tell("check", **self.one(CHECKS[name]))
        except CannotDrive as error:
            key, reason, lines = error.key, error.text, error.lines
        except (
            Exception
        ) as error:  # whatever it is: no score then, for a program may have caused it
            key, reason = "broken", f"Ошибка самой проверки: {type(error).__name__}: {error}."
        with contextlib.suppress(OSError):
            self.examiner.close()
            system.end_descendants(everybody=guard.inside())
        self.tell("end", reason_id=key, reason=reason, lines=lines)

    def prepare(self) -> None:
        """Copy the submission: whatever the programs change, they change in the copy."""
        target = self.examiner.pair.folder
        if not guard.inside():
            (self.place / "tmp").mkdir()
            copy(self.pair.folder, target)
            return
        words = [*self.pair.server.command, *self.pair.client.command]
        paths = [Path(word).parent for word in words if Path(word).is_absolute()]
        prefixes = [Path(sys.prefix), Path(sys.base_prefix)]
        hidden = [*guard.HIDDEN, *self.settings["hidden"]]
        guard.hide(self.place, hidden, [*prefixes, *paths], lambda: copy(self.pair.folder, target))

    def one(self, check: Check) -> dict:
        """Run a check; return its result as it stands in the JSON."""
        ex, name = self.examiner, check.name
        began = time.monotonic()
        ex.done.clear()
        if ex.now and ex.now.server:
            ex.mark_beginning()
        result = {"id": name, "title": check.title, "graded": check.graded, "status": "not_run"}
        result |= {"verdict": "", "note": "", "waits_for": None, "story": None, "costs": False}
        try:
            if check.waits_for and check.waits_for not in ex.passed:
                result["waits_for"] = check.waits_for
                text = f"сначала должно получиться {check.waits_for}"
                raise NotChecked("waits", text, check.waits_for in ex.lost)
            if not check.graded and time.monotonic() - self.began > FOR_MORE:
                raise NotChecked("no_time", "проверка и так длилась долго")
            remark = check.run(ex)
            ex.passed.add(name)
            result |= {"status": "pass", "verdict": remark or ""}
            result["note"] = check.remarks[remark] if remark else ""
        except Failure as failure:
            ex.photograph(failure)
            result |= {"status": "fail", "verdict": failure.verdict, "costs": True}
            result["story"] = self.story(check, failure)
        except (NotChecked, ServerEnded, ClientEnded) as error:
            why = error if isinstance(error, NotChecked) else NotChecked(*GONE)
            result |= {"verdict": why.key, "note": why.text, "costs": why.costs}
        except Exception as error:  # the checker's own
            if check.graded or isinstance(error, CannotDrive):
                raise
            note = f"ошибка самой проверки ({type(error).__name__}: {error})"
            result |= {"verdict": "broken", "note": note}
        if result["costs"]:
            ex.lost.add(name)
        failed = result["status"] != "pass" and not result["waits_for"]
        if failed and name not in ("author", "joined", "left", "idle"):
            ex.close()
        return result | {"seconds": round(time.monotonic() - began, 1)}

    def story(self, check: Check, failure: Failure) -> dict:
        """Return what happened, in parts."""
        cause, expected = check.causes[failure.verdict], check.expected
        if isinstance(cause, tuple):
            cause, expected = cause
        cause = cause.format(**failure.values)
        if check.explain and failure.reason and failure.verdict not in PRECISE:
            cause = failure.reason
        most = 3 if check.name == "stalled" else 12  # lines of one letter tell nothing
        folder = str(self.examiner.pair.folder)
        file, heading = check.read
        return {
            "typed": failure.typed,
            "expected": expected.format(**failure.values),
            "seen": {who: visible(raw, most, folder) for who, raw in failure.pictures},
            "cause": cause,
            "read": f"steps/{file}, раздел «{heading}»",
            "again": f"{self.settings['again']} --only {check.name}",
            "server_said": failure.server_said,
        }


def main() -> None:
    """Read the settings from standard input, run the checks."""
    settings = json.loads(sys.stdin.readline())
    guard.close_self()
    system.adopt_orphans()
    trial = Trial(settings)
    guard.watch(trial.stop, MOST_SECONDS[guard.inside()])
    threading.Thread(target=trial.end_with_outer, daemon=True).start()
    trial.run()
    os._exit(0)
