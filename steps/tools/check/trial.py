"""One trial: a process of its own runs all checks over one submission, and tells what it finds.

`run` starts that process (in namespaces, where the system has them), bounds its time, and makes
one report of what it tells. `main` is that process. It tells its events on its standard output,
a line each: the secret that `run` has given it, then an object of JSON: {"event": "found",
"shown": ...}, {"event": "begin", "id": ...}, {"event": "check", ...}, {"event": "end", ...}.
"""

import argparse
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tools.check import guard, system
from tools.check.asks import CHECKS, ORDER, needed
from tools.check.conversation import ClientEnded, ServerEnded
from tools.check.examiner import Check, Examiner, Failure, NotChecked
from tools.check.find import CannotDrive, copy, find, moved, words_of
from tools.check.page import Page
from tools.check.reading import harmless, visible

MOST_SECONDS = {True: 200, False: 600}  # without namespaces a port may be held for a minute
FOR_MORE = 120  # seconds after which no check is begun that does not count
# Verdicts that tell more than an error of the server does:
PRECISE = (*("late", "not_who", "after_enter", "none"), *("crashes", "hangs", "pool", "locked"))

running: set[subprocess.Popen] = set()  # the processes of the trials


def run(
    folder: Path,
    options: argparse.Namespace,
    again: str,
    page: Page,
    wrapper: list[str],
    hidden: Path | None = None,
) -> dict:
    """Check a submission and show it on a page; return the report that main.py documents.

    `hidden` is a folder that it shall not see, if there are namespaces: the others' work.
    """
    began = time.monotonic()
    report = {"version": 2, "folder": harmless(str(folder)), "server": [], "client": []}
    checks, end = {}, ending("lost", "Проверка прервалась без результата.")
    with tempfile.TemporaryDirectory(prefix="chat-check-", ignore_cleanup_errors=True) as place:
        try:
            for event in events(wrapper, {
                "folder": str(folder),
                "server": options.server and words_of(options.server, folder),
                "client": options.client and words_of(options.client, folder),
                "only": options.only,
                "again": again,
                "place": os.path.realpath(place),
                "hidden": [os.path.realpath(hidden)] if hidden else [],
            }):  # fmt: skip
                kind = event.pop("event")
                page.event(kind, event)
                if kind == "found":
                    report |= {"server": event["server"], "client": event["client"]}
                elif kind == "check":
                    checks[event["id"]] = event
                elif kind == "end":
                    end = event
        except CannotDrive as error:
            end = ending(error.key, error.text, error.lines)
    shown = [checks[name] for name in ORDER if name in checks and options.only in (None, name)]
    report |= scored(shown, end, time.monotonic() - began)
    page.summary(report)
    return report


def ending(key: str = "", reason: str = "", lines: list[str] | None = None) -> dict:
    """Return how a trial has ended: without a reason, or why it could not go on to its end."""
    return {"reason_id": key or None, "reason": reason or None, "last_lines": lines or []}


def scored(checks: list[dict], end: dict, seconds: float) -> dict:
    """Return the report's part on the checks; who could not be driven has no score."""
    graded = [each for each in checks if each["graded"]]
    passed = sum(each["status"] == "pass" for each in graded)
    lost = sum(each["costs"] for each in graded)
    driven = end["reason_id"] is None
    return {
        "status": (1 if lost else 0) if driven else 2,
        **end,
        "score": passed if driven else None,
        "of": passed + lost if driven else None,
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
    timer = threading.Timer(MOST_SECONDS[bool(wrapper)] + 15, inner.kill)  # it ends before this
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
        self.folder, self.place = Path(settings["folder"]), Path(settings["place"])
        self.copied = self.place / "copy" / self.folder.name
        self.examiner: Examiner | None = None
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
            "broken": "Программы мешали самой проверке и были остановлены.",
            "memory": "Программы заняли слишком много памяти и были остановлены.",
        }
        self.tell("end", **ending(why, texts[why]))
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
        end = ending()
        try:
            self.prepare()
            for name in needed(self.settings["only"]):
                self.tell("begin", id=name, title=CHECKS[name].title)
                result = self.one(CHECKS[name])
                if result["graded"] and result["verdict"] == "broken":  # no score then
                    end = ending("broken", f"Проверка {name} не удалась: {result['note']}.")
                self.tell("check", **result)
        except CannotDrive as error:
            end = ending(error.key, error.text, error.lines)
        except Exception as error:
            end = ending("broken", f"Ошибка самой проверки: {type(error).__name__}: {error}.")
        with contextlib.suppress(OSError):
            if self.examiner:
                self.examiner.close()
            system.end_descendants(everybody=guard.inside())
        self.tell("end", **end)

    def prepare(self) -> None:
        """Copy the submission: whatever the programs change, they change in the copy. Read it."""
        given = [self.settings["server"], self.settings["client"]]
        if guard.inside():
            paths = [Path(word) for words in given for word in words or () if word.startswith("/")]
            outside = [each.parent for each in paths if not each.is_relative_to(self.folder)]
            needed = [Path(sys.prefix), Path(sys.base_prefix), *outside]
            hidden = [*guard.HIDDEN, *self.settings["hidden"]]
            guard.hide(self.place, hidden, needed, lambda: copy(self.folder, self.copied))
        else:
            (self.place / "tmp").mkdir()
            copy(self.folder, self.copied)
        pair = find(
            self.copied, *(words and moved(words, self.folder, self.copied) for words in given)
        )
        self.tell(
            "found",
            shown=[pair.server.shown(), pair.client.shown()],
            server=moved(pair.server.command, self.copied, self.folder),
            client=moved(pair.client.command, self.copied, self.folder),
        )
        self.examiner = Examiner(pair, self.place)

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
            gone = NotChecked("server_gone", "сервер или клиент не запустились ещё раз", costs=True)
            why = error if isinstance(error, NotChecked) else gone
            result |= {"verdict": why.key, "note": why.text, "costs": why.costs}
        except CannotDrive:
            raise
        except Exception as error:  # the checker's own, but a program may have caused it
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
        cause, expected = (text.format(**failure.values) for text in check.causes[failure.verdict])
        if check.explain and failure.reason and failure.verdict not in PRECISE:
            if failure.verdict.endswith("newcomer"):  # first what has become of the accept loop
                cause = f"{cause} {failure.reason}"
            elif failure.explained:
                cause = failure.reason
            else:
                cause = f"{failure.reason} {cause}"
        most = 3 if check.name == "stalled" else 12  # lines of one letter tell nothing
        folder = str(self.copied)
        file, heading = check.pointer(failure.verdict)
        return {
            "typed": failure.typed,
            "expected": expected,
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
