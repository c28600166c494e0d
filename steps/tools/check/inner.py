"""The process that runs one pair. It writes what it finds as lines of JSON to standard output.

The outer process reads: {"event": "begin", "id": ...}, {"event": "check", ...},
{"event": "end", "reason_id": ..., "reason": ..., "lines": [...]}.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from tools.check import isolate
from tools.check.checks import CHECKS
from tools.check.find import CannotRun, Pair, Side, told, uncopied
from tools.check.lab import Failure, Lab, NotChecked
from tools.check.room import ClientEnded, ServerEnded
from tools.check.screen import visible
from tools.check.words import Words

MOST_SECONDS = 180  # without namespaces more: a port may be held for a minute between two rooms
MOST_SECONDS_UNPROTECTED = 600
FOR_HINTS = 100  # seconds after which no hint is looked for


class Session:
    """One run of the checks over a pair."""

    def __init__(self, settings: dict) -> None:
        self.settings = settings
        self.words = Words(settings["lang"])
        sides = [Side(**{**side, "folder": Path(side["folder"])}) for side in settings["sides"]]
        pair = Pair(Path(settings["folder"]), *sides, sources=settings["sources"])
        self.lab = Lab(pair, self.words)
        self.channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
        self.began = time.monotonic()

    def tell(self, event: str, **values: object) -> None:
        """Write an event."""
        self.channel.write(json.dumps({"event": event, **values}, ensure_ascii=False) + "\n")
        self.channel.flush()

    def stop(self, why: str) -> None:
        """End at once: a bound was passed."""
        values = {"seconds": most_seconds(isolate.inside()), "most": isolate.MOST_PROCESSES}
        self.tell("end", reason_id=why, reason=self.words.reason(why, **values), lines=[])
        if not isolate.inside():
            isolate.end_descendants()
        os._exit(0)  # in namespaces everything else ends with this process

    def end_with_outer(self) -> None:
        """Wait until the outer process has gone; end with it, however it ended."""
        os.read(0, 1)
        if not isolate.inside():
            isolate.end_descendants()
        os._exit(1)

    def run(self) -> None:
        """Run all checks, or the one that is asked for and those that it waits for."""
        wanted = needed(self.settings["only"])
        key, reason, lines = "", "", []
        try:
            self.copy_folder()
            for name in CHECKS:
                if name in wanted:
                    self.tell("begin", id=name)
                    self.tell("check", **self.one(name))
        except CannotRun as error:
            key, reason = error.key, self.words.reason(error.key, **error.values)
            lines = error.values.get("lines", [])
        finally:
            self.lab.close()
            isolate.end_descendants()
        self.tell("end", reason_id=key, reason=reason, lines=lines)

    def copy_folder(self) -> None:
        """Let the programs write into a copy, if that is asked for."""
        if self.settings["scratch"]:
            folder = Path(self.settings["folder"])
            try:
                isolate.own_copy(folder, Path(self.settings["scratch"]), uncopied)
            except OSError as error:
                raise CannotRun("unreadable", folder=folder.name, reason=told(error)) from None

    def one(self, name: str) -> dict:
        """Run a check; return its result as it stands in the JSON."""
        lab, check = self.lab, CHECKS[name]
        began = time.monotonic()
        lab.done.clear()
        lab.hints.clear()
        result = {"id": name, "graded": check.graded, "status": "pass", "verdict": ""}
        result |= {"note": "", "waits_for": None, "story": None, "hints": []}
        if check.waits_for and check.waits_for not in lab.passed:
            why = self.words.not_checked("waits", check=check.waits_for)
            return result | {
                "status": "not_run", "verdict": "waits", "note": why,
                "waits_for": check.waits_for, "seconds": 0.0,
            }  # fmt: skip
        try:
            if not check.graded and time.monotonic() - self.began > FOR_HINTS:
                raise NotChecked("no_time")
            remark = check.run(lab)
            lab.passed.add(name)
            if remark:
                result |= {"verdict": remark, "note": self.words.remark(remark)}
        except Failure as failure:
            lab.photograph(failure)
            result |= {"status": "fail", "verdict": failure.verdict.partition(".")[2]}
            result["story"] = self.story(name, failure)
        except NotChecked as error:
            note = self.words.not_checked(error.key, **error.values)
            result |= {"status": "not_run", "verdict": error.key, "note": note}
        except (ServerEnded, ClientEnded):
            note = self.words.not_checked("server_gone")
            result |= {"status": "not_run", "verdict": "server_gone", "note": note}
        except (OSError, ValueError, LookupError, TypeError) as error:
            note = self.words.not_checked("broken", reason=f"{type(error).__name__}: {error}")
            result |= {"status": "not_run", "verdict": "broken", "note": note}
        for hint in lab.hints:
            story = None if hint.passed else self.story(name, hint.failure)
            verdict = "" if hint.passed else hint.failure.verdict.partition(".")[2]
            result["hints"].append(
                {"part": hint.part, "status": "pass" if hint.passed else "fail",
                 "verdict": verdict, "story": story}
            )  # fmt: skip
        failed = result["status"] != "pass" or any(not hint.passed for hint in lab.hints)
        if name == "survives" or (failed and name not in ("author", "joined", "left", "idle")):
            lab.close()
        return result | {"seconds": round(time.monotonic() - began, 1)}

    def story(self, name: str, failure: Failure) -> dict:
        """Return the five parts of a failure."""
        words = self.words.verdict(failure.verdict, **failure.values)
        if failure.error and failure.verdict.startswith(("survives", "talk.server")):
            words["cause"] = self.words("error_ended", **failure.error)
        most = 3 if name == "stalled" else 12  # lines of one letter tell nothing
        screens = {
            who: visible(raw, most, str(self.lab.pair.folder)) for who, raw in failure.pictures
        }
        return {
            "typed": list(failure.typed),
            "expected": words["expected"],
            "seen": screens,
            "cause": words["cause"],
            "read": words["read"],
            "again": f"{self.settings['again']} --only {name}",
            "server_said": failure.server_said,
        }


def most_seconds(protected: bool) -> int:
    """Return the seconds after which a run is stopped."""
    return MOST_SECONDS if protected else MOST_SECONDS_UNPROTECTED


def needed(only: str | None) -> list[str]:
    """Return the checks to run: all, or one and those before it that it rests on."""
    if not only:
        return list(CHECKS)
    wanted = [only]
    while CHECKS[wanted[0]].waits_for:
        wanted.insert(0, CHECKS[wanted[0]].waits_for)
    if only in ("joined", "left", "idle", "lines", "word"):
        wanted[-1:] = ["author", "third", only]  # they ask less of a chat for two
    return wanted


def main() -> None:
    """Read the settings from standard input, run the checks."""
    settings = json.loads(sys.stdin.readline())
    isolate.take_signals()
    isolate.adopt_orphans()
    session = Session(settings)
    isolate.watch(session.stop, most_seconds(isolate.inside()))
    threading.Thread(target=session.end_with_outer, daemon=True).start()
    session.run()
    os._exit(0)


if __name__ == "__main__":
    main()
