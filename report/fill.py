"""The markers of report.md: what stands between them is written by this module.

    <!-- fill: KIND ARGUMENTS -->          a block: listing, file, table, head, contents
    <!-- end -->

    <!-- value: EXPRESSION UNIT ROUNDING -->0,35<!-- /value -->          a value in a line

Kinds of blocks: `listing FILE NAME...`, `file FILE` (both also `without-docstrings`), `table NAME`
(a function of tables.py), `head` (from student.toml) and `contents`. values.py explains values.
GitHub shows none of the comments.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import facts
import listings
import student
import tables
import values
from project import Problem

BLOCK = re.compile(r"^<!-- fill: (?P<what>.*?) -->\n(?P<old>.*?)^<!-- end -->$", re.M | re.S)
VALUE = re.compile(r"<!-- value: (?P<what>.*?) -->(?P<old>.*?)<!-- /value -->", re.S)
KNOWN = re.compile(r"<!-- (fill: .*|end|value: .*|/value|pagebreak|width: \d+%) -->")
COMMENT = re.compile(r"<!--.*?-->", re.S)
HEADING = re.compile(r"^(#{2,3}) (.+)$", re.M)
NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")  # GitHub leaves these out


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
        data = facts.load()
        # Values first: they change no number of a line.
        replace(filled, VALUE, lambda what: values.show(what, data))
        replace(filled, BLOCK, lambda what: f"\n{block(what, text, data)}\n\n")
    return filled


def replace(filled: Filled, marker: re.Pattern, new: Callable[[str], str]) -> None:
    """Replace what stands between markers, and note what was out of date or wrong."""
    before = filled.text

    def one(match: re.Match) -> str:
        start, end = match.span("old")
        line = before.count("\n", 0, match.start()) + 1
        try:
            text = new(match["what"])
        except Problem as problem:
            filled.problems.append(f"report.md:{line}: {problem}")
            return match[0]
        if text != match["old"]:
            filled.stale.append(f"report.md:{line}: {match['what']}")
        return before[match.start() : start] + text + before[end : match.end()]

    filled.text = marker.sub(one, before)


def check_markers(filled: Filled) -> None:
    """Note comments that are no markers, and markers without their other half."""
    opened = start = ""
    for match in COMMENT.finditer(without_code(filled.text)):
        place = f"report.md:{match.string.count(chr(10), 0, match.start()) + 1}"
        known = KNOWN.fullmatch(match[0])
        word = known[1].partition(":")[0] if known else ""
        closes = {"end": "fill", "/value": "value"}.get(word, "")
        if not known:
            filled.problems.append(f"{place}: {match[0]} is no marker")
            continue
        if opened and closes != opened:
            filled.problems.append(f"{start}: {opened} is not closed")
        if closes and closes != opened:
            filled.problems.append(f"{place}: {match[0]} closes nothing")
        opened, start = (word, place) if word in ("fill", "value") else ("", "")
    if opened:
        filled.problems.append(f"{start}: {opened} is not closed")


def block(what: str, text: str, data: dict) -> str:
    """Return the Markdown of a block."""
    kind, *words = what.split()
    kinds = {
        "listing": listings.definitions,
        "file": listings.whole_file,
        "table": lambda name: table(name, data),
        "head": student.head,
        "contents": lambda: contents(text),
    }
    if kind not in kinds:
        raise Problem(f"unknown kind {kind!r}; known: {', '.join(kinds)}")
    try:
        inspect.signature(kinds[kind]).bind(*words)
    except TypeError as error:
        raise Problem(f"{kind}: {error}") from None
    return kinds[kind](*words)


def table(name: str, data: dict) -> str:
    """Return a table of tables.py as Markdown."""
    if name not in tables.TABLES:
        raise Problem(f"unknown table {name!r}; known: {', '.join(tables.TABLES)}")
    return tables.markdown(tables.TABLES[name](data))


def contents(text: str) -> str:
    """Return a list of links to the headings, as GitHub names their anchors."""
    lines = []
    for marks, title in HEADING.findall(COMMENT.sub("", without_code(text))):
        anchor = NOT_IN_ANCHOR.sub("", title.lower()).replace(" ", "-")
        lines.append(f"{'    ' * (len(marks) - 2)}- [{title}](#{anchor})")
    return "\n".join(lines)


def without_code(text: str) -> str:
    """Return a text with its blocks of code emptied, line for line."""
    return re.sub(r"^```.*?^```", lambda code: "\n" * code[0].count("\n"), text, flags=re.M | re.S)
