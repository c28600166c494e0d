"""The markers of report.md: what stands between them is written by this module.

    <!-- fill: KIND ARGUMENTS -->  ...  <!-- end -->             a block, on lines of its own
    <!-- value: EXPRESSION ROUNDING -->0,35<!-- /value -->       a value in a line
    <!-- choose: CONDITION | WORDS | OTHER WORDS -->WORDS<!-- /choose -->       words by numbers
    <!-- claim: CONDITION -->                                    has to be true, or the build stops

blocks.py has the kinds of blocks, facts.py tells what expressions are. GitHub shows no comments.
"""

import re
from dataclasses import dataclass, field

import blocks
import facts
from facts import Problem

# What a marker encloses holds no other one: with a lost end it would take in the author's text.
BLOCK = re.compile(
    r"^<!-- fill: (?P<what>.*) -->\n(?P<old>(?:(?!<!-- (?:fill|end)).*\n)*)<!-- end -->$", re.M
)
INLINE = re.compile(
    r"<!-- (?P<kind>value|choose): (?P<what>(?:(?!-->).)*?) -->(?P<old>[^<\n]*)<!-- /(?P=kind) -->"
)
CLAIM = re.compile(r"<!-- claim: (.*?) -->")
COMMENT = re.compile(r"<!--.*?-->", re.S)
LEFT = re.compile(r"<!--.*?(?:-->|$)", re.M)
SENTENCE = re.compile(r"[^.!?…]*[.!?…]?\s*\Z")


@dataclass
class Filled:
    """The text with all blocks and values as they have to be, and what was found on the way."""

    text: str
    stale: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def fill(text: str) -> Filled:
    """Return a text with what its markers stand for."""
    filled, rest, data = Filled(text), without_code(text), facts.load()
    for marker in (BLOCK, INLINE, CLAIM):
        rest = marker.sub(lines_of, rest)
    for left in LEFT.finditer(rest):
        filled.problems.append(
            f"{place(rest, left.start())}: {left[0]} — не метка или метка без пары. "
            "Все метки названы в report/README.md."
        )
    for match in CLAIM.finditer(text):
        try:
            check_claim(match, data)
        except Problem as problem:
            filled.problems.append(f"{place(text, match.start())}: {problem}")
    # What stands within lines first: it changes no number of a line.
    replace(filled, INLINE, data)
    replace(filled, BLOCK, data)
    return filled


def replace(filled: Filled, marker: re.Pattern, data: dict) -> None:
    """Replace what stands between markers, and note what was out of date or wrong."""
    before = filled.text

    def one(match: re.Match) -> str:
        start, end = (position - match.start() for position in match.span("old"))
        here = place(before, match.start())
        try:
            new = enclosed(match.groupdict().get("kind", "fill"), match["what"], data)
        except Problem as problem:
            filled.problems.append(f"{here}: {problem}")
            return match[0]
        if new != match["old"]:
            filled.stale.append(f"{here}: {match['what']}")
        return match[0][:start] + new + match[0][end:]

    filled.text = marker.sub(one, before)


def enclosed(kind: str, what: str, data: dict) -> str:
    """Return a block, a value, or the words that a condition chooses."""
    if kind == "fill":
        return f"\n{blocks.block(what, data)}\n\n"
    if kind == "value":
        return facts.show(what, data)
    parts = [part.strip() for part in what.split("|")]
    if len(parts) != 3:
        raise Problem("метка choose: нужны условие, слова и другие слова, разделённые знаком |")
    condition, yes, no = parts
    return yes if facts.evaluate(condition, data) else no


def check_claim(match: re.Match, data: dict) -> None:
    """Raise Problem if the numbers contradict the sentence before a claim."""
    if facts.evaluate(match[1], data) is True:
        return
    line = match.string[: match.start()].rpartition("\n")[2]
    sentence = " ".join(SENTENCE.search(COMMENT.sub("", line))[0].split())
    values = facts.PATH.sub(lambda path: f"{path[0]} (= {facts.look_up(path[0], data)})", match[1])
    raise Problem(
        f"числа противоречат предложению «{sentence}»: неверно, что {values}. "
        "Перепишите предложение и условие в метке claim."
    )


def place(text: str, position: int) -> str:
    """Return the file and the line of a position."""
    return f"report.md:{text.count(chr(10), 0, position) + 1}"


def lines_of(match: re.Match) -> str:
    """Return the ends of the lines of what was found, so that numbers of lines stay."""
    return "\n" * match[0].count("\n")


def without_code(text: str) -> str:
    """Return a text with its blocks of code emptied, line for line."""
    return re.sub(r"^```.*?^```", lines_of, text, flags=re.M | re.S)
