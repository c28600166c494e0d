"""Shows verdicts: a line or a story for each as they come, a table and a sentence at the end."""

import os
import re
import shutil
import sys
import textwrap
import zipfile
from pathlib import Path

from tools.check.asks import CHECKS, first_to_mend
from tools.check.guard import STEPS

GREEN, RED, YELLOW, BOLD, DIM = "32", "31", "33", "1", "2"
SIGNS = {"pass": ("✓", GREEN), "fail": ("✗", RED), "not_run": ("·", DIM), "more": ("!", YELLOW)}
WORDS = {"pass": "да", "fail": "нет", "not_run": "не проверено"}
MORE = "дополнительная, оценку не снижает"


def program() -> list[str]:
    """Return how the checker is started: in the repository, or as one file (--pack)."""
    python = "py" if os.name == "nt" else "python3"
    return [python, STEPS.name] if STEPS.is_file() else [python, "steps", "check"]


def complain(text: str) -> int:
    """Say in one line what is wrong with the command; return the exit status."""
    print(f"{' '.join(program()[1:])}: {text}", file=sys.stderr)
    return 2


class Page:
    """Standard output, or a text that is kept."""

    def __init__(self, to_screen: bool = True, only: str | None = None) -> None:
        self.to_screen, self.only, self.text = to_screen, only, []
        dumb = os.environ.get("TERM") == "dumb"
        self.live = to_screen and sys.stdout.isatty() and not dumb  # lines can be written over
        self.coloured = self.live and not os.environ.get("NO_COLOR")
        if to_screen:
            sys.stdout.reconfigure(encoding="utf-8", errors="replace")
        if self.live and os.name == "nt":
            os.system("")  # from now on the console obeys escape sequences
        self.width = max(60, min(100, shutil.get_terminal_size().columns)) if to_screen else 100
        self.waiting = False
        self.answered: set[tuple[str, str]] = set()

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

    def event(self, kind: str, event: dict) -> None:
        """Show what a trial tells."""
        if kind == "found":
            self.line(f"Сервер: {event['shown'][0]}")
            self.line(f"Клиент: {event['shown'][1]}")
            self.line()
        elif kind == "begin":
            self.wait(f"{event['id']}: {event['title']}")
        elif kind == "check" and self.only in (None, event["id"]):
            self.check(event)

    def check(self, result: dict) -> None:
        """Show one verdict: a line, and a story if it has one."""
        if result["waits_for"]:
            return  # the table says so, in one line
        sign, style = SIGNS[kind_of(result)]
        note = MORE if kind_of(result) == "more" else result["note"]
        note = f" ({note})" if note else ""
        self.line(f"{self.paint(sign, style)} {result['id']:<9} {result['title']}{note}")
        if result["story"]:
            self.story(result["story"], CHECKS[result["id"]].pointer(result["verdict"]))

    def story(self, story: dict, pointer: tuple[str, str]) -> None:
        """Show the parts of a failure; where there are no guides at hand, also the answer, once."""
        self.part("что сделано", story["typed"][-12:])
        self.part("ожидалось", [story["expected"]])
        for who, lines in story["seen"].items():
            whose = "сервера" if who == "server" else who
            self.verbatim(f"на экране {whose}", lines or ["(ничего не появилось)"])
        if story["server_said"]:
            self.verbatim("сервер", story["server_said"])
        self.part("вероятно", [story["cause"]])
        self.part("прочитать", [story["read"]], wrap=False)
        if STEPS.is_file() and pointer not in self.answered:
            self.answered.add(pointer)
            self.verbatim("там сказано", section(zipfile.Path(STEPS, pointer[0]), pointer[1]))
        self.part("повторить", [story["again"]], wrap=False)
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
        if self.text and self.text[-1]:
            self.line()
        if report["reason"]:
            self.line(self.paint(f"Проверить не удалось: {report['reason']}", BOLD))
            if report["last_lines"]:
                self.verbatim("Последние строки программы", report["last_lines"])
        checks = report["checks"]
        if not checks:
            return
        if report["reason"]:
            self.line()
        for each in checks:
            sign, style = SIGNS[kind_of(each)]
            verdict = WORDS[each["status"]]
            if each["status"] == "not_run":
                verdict = f"{verdict}: {each['note']}"
            more = "" if each["graded"] else "   дополнительная"
            self.line(f"  {self.paint(sign, style)} {each['id']:<10}{verdict:<14}{more}")
        self.line(totals(report))
        if first := first_to_mend(checks):
            self.line(self.paint(f"Сначала исправьте «{first}»: {CHECKS[first].title}.", BOLD))
        elif self.only:
            self.line(
                f"Проверено только «{self.only}» и то, без чего эта проверка невозможна. Дальше "
                "проверьте всё: та же команда без --only."
            )
        elif report["of"] and report["score"] == report["of"]:
            skipped = [e["id"] for e in checks if e["graded"] and e["status"] == "not_run"]
            but = f", кроме непроверенных: {', '.join(skipped)}" if skipped else ""
            self.line(self.paint(f"Все основные проверки пройдены{but}.", BOLD))


def section(page: Path | zipfile.Path, heading: str) -> list[str]:
    """Return the lines of a guide below a heading, without the empty ones at the ends."""
    level, fenced, found = 0, False, []
    for line in page.read_text("utf-8").splitlines():
        fenced ^= line.startswith("```")
        title = None if fenced else re.match("(#+) (.+)", line)
        if title and level and len(title[1]) <= level:
            break
        if level:
            found.append(line)
        elif title and title[2] == heading:
            level = len(title[1])
    return "\n".join(found).strip("\n").split("\n")


def kind_of(result: dict) -> str:
    """Return the key of a verdict's sign."""
    return "more" if result["status"] == "fail" and not result["graded"] else result["status"]


def totals(report: dict) -> str:
    """Return the sentence that counts."""
    more = [each for each in report["checks"] if not each["graded"]]
    passed = sum(each["status"] == "pass" for each in more)
    graded = "не оценены" if report["score"] is None else f"{report['score']} из {report['of']}"
    counted = f"Основные проверки: {graded}."
    if more:
        counted += f" Дополнительные: {passed} из {len(more)}."
    return f"{counted} Время: {report['seconds']} с."
