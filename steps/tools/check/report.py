"""Shows verdicts: a line or a story for each as they come, a table and a sentence at the end."""

import os
import shutil
import sys
import textwrap

from tools.check.words import Words

GREEN, RED, YELLOW, BOLD, DIM = "32", "31", "33", "1", "2"
SIGNS = {"pass": ("✓", GREEN), "fail": ("✗", RED), "not_run": ("·", DIM), "hint": ("!", YELLOW)}


def complain(text: str) -> int:
    """Say in one line what is wrong with the command; return the exit status."""
    print(f"steps check: {text}", file=sys.stderr)
    return 2


def first_to_mend(checks: list[dict]) -> str:
    """Return the id of the graded check whose cause comes first, or "" if all pass."""
    failed = [each["id"] for each in checks if each["graded"] and each["status"] == "fail"]
    if failed[:1] == ["left"] and "idle" in failed:
        return "idle"  # a loop that misses the end of a connection tells nobody of it, either
    return failed[0] if failed else ""


class Page:
    """Standard output, or a text that is kept."""

    def __init__(self, words: Words, to_screen: bool = True) -> None:
        self.words, self.to_screen, self.text = words, to_screen, []
        self.terminal = to_screen and sys.stdout.isatty()
        dumb = os.environ.get("TERM") == "dumb"
        self.live = self.terminal and not dumb  # a line can be written over
        self.coloured = self.live and not os.environ.get("NO_COLOR")
        if to_screen:
            sys.stdout.reconfigure(encoding="utf-8", errors="replace")
        if self.live and os.name == "nt":
            os.system("")  # from now on the console obeys escape sequences
        self.width = max(60, min(100, shutil.get_terminal_size().columns))
        self.waiting = False

    def paint(self, text: str, style: str) -> str:
        """Return a text in a style, if there are styles here."""
        return f"\x1b[{style}m{text}\x1b[0m" if self.coloured and text else text

    def line(self, text: str = "") -> None:
        """Show a line."""
        self.clear()
        self.text.append(text.rstrip())
        if self.to_screen:
            print(text.rstrip(), flush=True)

    def wait(self, text: str) -> None:
        """Show what is under way, on a line that the next one replaces."""
        if self.live:
            self.clear()
            print(f"  … {text}"[: self.width], end="", flush=True)
            self.waiting = True

    def clear(self) -> None:
        """Take away what is under way, if it is shown."""
        if self.waiting:
            print("\r\x1b[K", end="")
            self.waiting = False

    # Verdicts

    def event(self, event: dict) -> None:
        """Show what the inner process tells."""
        if event["event"] == "begin":
            self.wait(f"{event['id']}: {self.words.title(event['id'])}")
        elif event["event"] == "check":
            self.check(event)

    def check(self, result: dict) -> None:
        """Show one verdict: a line, and a story if it has one."""
        status = result["status"]
        if result["waits_for"]:
            return  # the table says so, in one line
        if status == "fail" and not result["graded"]:
            status = "hint"
        sign, style = SIGNS[status]
        title = self.words.title(result["id"])
        note = f" ({result['note']})" if result["note"] else ""
        if status == "hint":
            note = f" ({self.words('hint_failed')})"
        self.line(f"{self.paint(sign, style)} {result['id']:<9} {title}{note}")
        if result["story"]:
            self.story(result["story"])
        for hint in result["hints"]:
            if hint["story"]:
                sign = self.paint(*SIGNS["hint"])
                self.line(f"{sign} {result['id']:<9} {self.words('hint_failed')}:")
                self.story(hint["story"])

    def story(self, story: dict) -> None:
        """Show the five parts of a failure."""
        self.part(self.words("typed"), story["typed"][-12:])
        self.part(self.words("expected"), [story["expected"]])
        for who, lines in story["seen"].items():
            label = f"{self.words('seen')} {self.words('of_server') if who == 'server' else who}"
            self.verbatim(label, lines or [self.words("nothing")])
        if story["server_said"]:
            self.verbatim(self.words("server_said"), story["server_said"])
        self.part(self.words("cause"), [story["cause"]])
        self.part(self.words("read"), [story["read"]])
        self.part(self.words("again"), [story["again"]], wrap=False)
        self.line()

    def part(self, label: str, paragraphs: list[str], wrap: bool = True) -> None:
        """Show a part of a story: its name, and what it says, beside it."""
        label = f"    {label}:".ljust(18)
        for paragraph in paragraphs:
            lines = textwrap.wrap(paragraph, self.width - 18) if wrap else [paragraph]
            for text in lines or [""]:
                self.line(self.paint(label, DIM) + text)
                label = " " * 18

    def verbatim(self, label: str, lines: list[str]) -> None:
        """Show lines of a screen as they are."""
        self.line(self.paint(f"    {label}:", DIM))
        for text in lines:
            self.line(f"      | {text}")

    def summary(self, report: dict) -> None:
        """Show the table, and what to mend first."""
        words = self.words
        if self.text and self.text[-1]:
            self.line()
        if report["reason"]:
            self.line(self.paint(words("could_not", reason=report["reason"]), BOLD))
            if report["last_lines"]:
                self.verbatim(words("last_lines").rstrip(":"), report["last_lines"])
        if not report["checks"]:
            return
        if report["reason"]:
            self.line()
        for each in report["checks"]:
            status = each["status"]
            kind = "" if each["graded"] else f"   {words('hint')}"
            if status == "fail" and not each["graded"]:
                sign, style = SIGNS["hint"]
            else:
                sign, style = SIGNS[status]
            verdict = words(status)
            if each["waits_for"]:
                verdict = f"{verdict}: {each['note']}"
            self.line(f"  {self.paint(sign, style)} {each['id']:<10}{verdict:<14}{kind}")
        hints = [each for each in report["checks"] if not each["graded"]]
        values = {"score": report["score"], "of": report["of"], "seconds": report["seconds"]}
        passed = sum(each["status"] == "pass" for each in hints)
        self.line(words("score", **values, hints=passed, of_hints=len(hints)))
        if first := first_to_mend(report["checks"]):
            self.line(self.paint(words("first", check=first, title=words.title(first)), BOLD))
        elif report["of"] and not report["reason"]:
            self.line(self.paint(words("all_pass"), BOLD))
