"""The markers of report.md: what stands between them is written by this module.

    <!-- fill: KIND ARGUMENTS -->  ...  <!-- end -->             a block, on lines of its own
    <!-- value: EXPRESSION ROUNDING -->0,35<!-- /value -->       a value in a line
    <!-- choose: CONDITION | WORDS | OTHER WORDS -->WORDS<!-- /choose -->       words by numbers
    <!-- claim: CONDITION -->                                    has to be true, or the build stops

Kinds of blocks: `listing FILE NAME...` (without docstrings), `file FILE`, `table NAME` and
`output NAME`. facts.py tells what expressions are. GitHub shows none of the comments.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import facts
import listings
import student
import tables
from facts import Problem

BLOCK = re.compile(r"^<!-- fill: (?P<what>.*?) -->\n(?P<old>.*?)^<!-- end -->$", re.M | re.S)
INLINE = re.compile(
    r"<!-- (?P<kind>value|choose): (?P<what>.*?) -->(?P<old>.*?)<!-- /(?P=kind) -->"
)
CLAIM = re.compile(r"<!-- claim: (.*?) -->")
OPENING = re.compile(r"<!-- (?:fill|value|choose): ")
WIDTH = re.compile(r"<!-- width: \d+% -->")
COMMENT = re.compile(r"<!--.*?-->", re.S)
SENTENCE = re.compile(r"[^.!?…]*[.!?…]?\s*\Z")


@dataclass
class Filled:
    """The text with all blocks and values as they have to be, and what was found on the way."""

    text: str
    stale: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def fill(text: str) -> Filled:
    """Return a text with what its markers stand for."""
    filled = Filled(text)
    check_markers(filled)
    if not filled.problems:
        data = known()
        check_claims(filled, data)
        # What stands within lines first: it changes no number of a line.
        replace(filled, INLINE, lambda match: inline(match["kind"], match["what"], data))
        replace(filled, BLOCK, lambda match: f"\n{block(match['what'], data)}\n\n")
    return filled


def known() -> dict:
    """Return everything that an expression can name."""
    return {**facts.load(), "student": student.load()}


def replace(filled: Filled, marker: re.Pattern, new: Callable[[re.Match], str]) -> None:
    """Replace what stands between markers, and note what was out of date or wrong."""
    before = filled.text

    def one(match: re.Match) -> str:
        start, end = match.span("old")
        try:
            text = new(match)
        except Problem as problem:
            filled.problems.append(f"{place(before, match.start())}: {problem}")
            return match[0]
        if text != match["old"]:
            filled.stale.append(f"{place(before, match.start())}: {match['what']}")
        return before[match.start() : start] + text + before[end : match.end()]

    filled.text = marker.sub(one, before)


def place(text: str, position: int) -> str:
    """Return the file and the line of a position."""
    return f"report.md:{text.count(chr(10), 0, position) + 1}"


def check_markers(filled: Filled) -> None:
    """Note comments that are no markers, and markers without their other half."""

    def emptied(match: re.Match) -> str:
        if len(OPENING.findall(match[0])) > 1:
            return match[0]  # the first one has no end: this is the end of another one
        return "\n" * match[0].count("\n")

    rest = without_code(filled.text)
    for marker in (BLOCK, INLINE, CLAIM, WIDTH):
        rest = marker.sub(emptied, rest)
    for left in COMMENT.finditer(rest):
        filled.problems.append(
            f"{place(rest, left.start())}: {left[0]} — не метка или метка без пары. "
            "Все метки названы в report/README.md."
        )


def check_claims(filled: Filled, data: dict) -> None:
    """Note each sentence that the numbers contradict."""
    for match in CLAIM.finditer(filled.text):
        here = place(filled.text, match.start())
        line = filled.text[: match.start()].rpartition("\n")[2]
        sentence = " ".join(SENTENCE.search(COMMENT.sub("", line))[0].split())
        try:
            if not facts.evaluate(match[1], data):
                known = facts.PATH.sub(
                    lambda path: f"{path[0]} (= {facts.look_up(path[0], data)})", match[1]
                )
                filled.problems.append(
                    f"{here}: числа противоречат предложению «{sentence}»: неверно, что {known}. "
                    "Перепишите предложение и условие в метке claim."
                )
        except Problem as problem:
            filled.problems.append(f"{here}: {problem}")


def inline(kind: str, what: str, data: dict) -> str:
    """Return a value, or the words that a condition chooses."""
    if kind == "value":
        return facts.show(what, data)
    parts = [part.strip() for part in what.split("|")]
    if len(parts) != 3:
        raise Problem("метка choose: нужны условие, слова и другие слова, разделённые знаком |")
    condition, yes, no = parts
    return yes if facts.evaluate(condition, data) else no


def block(what: str, data: dict) -> str:
    """Return the Markdown of a block."""
    kind, *words = what.split()
    kinds = {
        "listing": listings.definitions,
        "file": listings.whole_file,
        "table": lambda name: tables.table(name, data),
        "output": lambda name: tables.output(name, data),
    }
    if kind not in kinds:
        raise Problem(f"неизвестный вид метки {kind!r}; есть: {', '.join(kinds)}")
    try:
        inspect.signature(kinds[kind]).bind(*words)
    except TypeError:
        raise Problem(f"метка {kind}: не те слова после вида: {' '.join(words)}") from None
    return kinds[kind](*words)


def without_code(text: str) -> str:
    """Return a text with its blocks of code emptied, line for line."""
    return re.sub(r"^```.*?^```", lambda code: "\n" * code[0].count("\n"), text, flags=re.M | re.S)
