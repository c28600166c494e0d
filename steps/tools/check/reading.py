"""What people make of a screen: its lines, a question, an author, news, an error.

Not a whole terminal: a log. It keeps every line that was ever seen, in order, also where the
program clears the screen or moves the cursor up.
"""

import itertools
import os
import re
from collections import Counter
from collections.abc import Iterable

TOKEN = re.compile(
    r"\x1b\[([0-?]*)[ -/]*([@-~])"  # a control sequence: its numbers, its letter
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # the window's title
    r"|\x1b[()#%*+ -/][0-~]|\x1b[0-~]"  # character sets, keypad modes
    r"|([^\x00-\x1f\x7f]+)"  # text
    r"|([\x00-\x1f\x7f])"  # one control character
)
FRAME = re.compile(r'\s*File "(.+?)", line (\d+)')
LIBRARY = re.compile(r"[\\/]lib(64)?[\\/]|^<", re.IGNORECASE)
MARKS = re.compile(r"\s+[~^]+\s*$")
TRACEBACK = re.compile(r"Traceback .*\n(?:[ \t].*\n)*\S.*")
AN_ERROR = re.compile(r"\w*(?:Error|Exception)\b|\bErrno\b|\bE[A-Z]{5,}\b")
LETTER = re.compile(r"[^\W\d_]")

# What a program may ask for. The first pattern that fits decides.
KINDS = {
    "address": r"(host|ip|address)\s*(:|and|и)\s*port|(адрес|хост|ip)\s*(:|и)\s*порт",
    "port": r"\bport\b|порт\b|порта\b",
    "host": r"\bhost|\bip\b|ip[- ]?addr|\baddress\b|server name|name of the server|\bserver\b"
    r"|хост|\bадрес|айпи|\bсервер",
    "password": r"passw|парол|passphrase",
    "name": r"nick|\bnames?\b|user ?names?|имя|имени|имен\b|\bник|псевдоним|логин|login|\balias"
    r"|handle|who are you|as whom|call you|как (вас|тебя) (зовут|называть)|представ|\buser\b"
    r"|кто вы|кто ты|your id\b|\bnombre|usuario|\bnom\b|pseudo|benutzer|\bnome\b|kullan",
    "message": r"message|\bmsg\b|\btext\b|сообщени|\bтекст|^you\b|^me\b|^вы\b|^я\b|say something",
    "room": r"\broom|channel|group|комнат|канал|групп",
}
ORDERS = re.compile(
    r"enter|choose|input|type|pick|select|provide|please|what|введ|вводит|укаж|выбер|напиш|назов"
    r"|представ|придум|как (вас|тебя)|девайте|set your|who are",
    re.IGNORECASE,
)
ENDS = re.compile(r"[:?>»=\]\-…]\s*$")
BARE = re.compile(r"^[\s>»$#:=*\-.+|~]*$")  # a prompt without words
TAKEN = re.compile(
    r"taken|already|in use|exist|not available|unavailable|another|different|duplicate|reserved"
    r"|занят|уже|использу|существует|друго|недоступ|повтор",
    re.IGNORECASE,
)
TIME = re.compile(  # of day, or a date; no part of an address
    r"(?<![\d.:])(?:\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?!\.?\d)"
    r"|\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?(?: ?[AP]M)?(?![\d.]*:?\d))"
)


# Lines


def draw(raw: str) -> list[str]:
    """Return the lines that `raw` draws; the last one is the line the cursor is in."""
    lines, row, column = [], "", 0
    for match in TOKEN.finditer(raw):
        numbers, letter, text, control = match.groups()
        if text:
            row = row[:column].ljust(column) + text + row[column + len(text) :]
            column += len(text)
        elif control == "\n":
            lines.append(row)
            row, column = "", 0
        elif control == "\r":
            column = 0
        elif control == "\b":
            column = max(0, column - 1)
        elif control == "\t":
            column += 8 - column % 8
        elif letter:
            count = int("0" + re.match(r"\d{,4}", numbers)[0])
            if letter == "K" or (letter == "J" and count == 0):
                row = {0: row[:column], 1: " " * column + row[column:], 2: ""}.get(count, row)
            elif letter in "JHfABEFd":  # the cursor goes elsewhere: what stood there was seen
                if row.strip():
                    lines.append(row)
                row, column = "", 0
            elif letter == "C":
                column += max(count, 1)
            elif letter == "D":
                column = max(0, column - max(count, 1))
            elif letter == "G":
                column = max(count, 1) - 1
            elif letter == "P":
                row = row[:column] + row[column + max(count, 1) :]
    return [*lines, row]


def visible(raw: str, most: int = 12, folder: str = "") -> list[str]:
    """Return the last lines of `raw` as they came, each control character written out.

    Lines that repeat are counted. Tracebacks keep only what is in `folder`, the student's own code.
    """
    lines = own_frames(raw.replace("\r\n", "\n").split("\n"), folder)
    shown = []
    for line, repeated in itertools.groupby(harmless(line) for line in lines if line):
        count = sum(1 for _ in repeated)
        shown.append(shortened(line) if count == 1 else f"{shortened(line)}   (×{count})")
    return shown[-most:]


def harmless(text: str) -> str:
    """Return a text as Python writes it: what steers a terminal is written out, not obeyed."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def shortened(line: str) -> str:
    """Return a line without its middle, if it is long."""
    return line if len(line) <= 150 else f"{line[:70]} … {line[-30:]}"


# Errors


def own_frames(lines: list[str], folder: str) -> list[str]:
    """Return lines without the frames of Python's library, and without the marks below code."""
    own, frame, foreign = [], None, False
    for line in lines:
        if found := FRAME.match(line):
            frame, inside = found, bool(folder) and found[1].startswith(folder)
            foreign = not inside and bool(LIBRARY.search(found[1]))
            line = line.replace(f"{folder}{os.sep}", "") if inside else line
        elif not line.startswith("    "):
            frame, foreign = None, False
        if not foreign and not (frame and MARKS.match(line)):
            own.append(line)
    return own


def traceback_of(raw: str) -> str:
    """Return the last traceback in a program's output, up to the line that names the error."""
    text = raw.replace("\r\n", "\n")
    begin = text.rfind("Traceback (most recent")
    found = TRACEBACK.match(text, begin) if begin >= 0 else None
    return found[0] if found else ""


def own_error(traceback: str, folder: str) -> dict[str, str]:
    """Return the error of a traceback and the last place in `folder` that led to it, or {}."""
    lines = traceback.split("\n")
    for number in range(len(lines) - 2, -1, -1):
        if (frame := FRAME.match(lines[number])) and frame[1].startswith(folder):
            place = {"file": os.path.relpath(frame[1], folder), "line": frame[2]}
            return {"error": lines[-1].strip(), "code": lines[number + 1].strip(), **place}
    return {}


def told_error(raw: str) -> str:
    """Return the last line in which a program tells of an error by itself, or ""."""
    lines = draw(raw)
    told = [line.strip() for line in lines[:-1] or lines if AN_ERROR.search(line)]
    return told[-1][:150] if told else ""


def repeated_error(raw: str) -> tuple[str, int]:
    """Return the line on an error that stands most often on a screen, and how often."""
    lines = Counter(line.strip() for line in draw(raw) if AN_ERROR.search(line))
    [(line, count)] = lines.most_common(1) or [("", 0)]
    return line[:150], count


# Questions


def question(lines: list[str], known: Iterable[str] = ()) -> str:
    """Return what the program asks for: a key of KINDS, "unknown", or "" for nothing.

    `lines` is what has been drawn since the last answer; `known` are names that were given: a
    line that has one in it is a prompt to talk, or news, and one about messages asks for no name.
    """
    unfinished = bool(lines and lines[-1].strip())
    filled = [line.strip() for line in lines if line.strip()]
    if not filled:
        return ""
    last = filled[-1]
    if BARE.match(last):
        if len(filled) < 2:
            return ""
        last, unfinished = filled[-2], True
    if not (unfinished or ENDS.search(last) or ORDERS.search(last)):
        return ""
    if any(names(last, name) for name in known) and not TAKEN.search(last):
        return ""
    kind = next((kind for kind, fits in KINDS.items() if re.search(fits, last, re.I)), "")
    if kind == "name" and known and re.search(KINDS["message"], last, re.I):
        kind = "message"
    if kind == "host" and not (unfinished or ORDERS.search(last)):
        kind = ""  # "Connected to server:"
    if kind in ("room", "port") and not (ENDS.search(last) or ORDERS.search(last)):
        kind = ""
    if not kind and unfinished and re.search(r"[:?]\s*$", last):
        return "unknown"
    return "" if kind == "message" else kind


def missed_question(lines: list[str]) -> str:
    """Return "name" if one of the last lines plainly asks for it, though others came after it.

    A client that prints from two threads may put its own greeting below the server's question.
    """
    filled = [line.strip() for line in lines if line.strip()]
    asked = [line for line in filled[-4:-1] if line.endswith((":", "?"))]
    return "name" if any(question([line]) == "name" for line in asked) else ""


# Authors and news


def names(text: str, name: str) -> bool:
    """Return whether `text` has the name in it as a word of its own."""
    return bool(re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text, re.IGNORECASE))


def mark(lines: list[str], text: str) -> str | None:
    """Return what stands beside `text` to name its author; None if nobody can see the text.

    It is the rest of the line, or, where that says nothing, the line above.
    """
    for number, line in enumerate(lines):
        if text in line:
            above = lines[number - 1] if number else ""
            return bare(line.replace(text, " ", 1)) or bare(above)
    return None


def bare(mark: str) -> str:
    """Return a mark without the time of day and without what is no word."""
    without_time = TIME.sub("", mark)
    return without_time.strip() if re.search(r"\w", without_time) else ""


def is_empty_message(line: str, form: str, author: str) -> bool:
    """Return whether a line is an author's mark and nothing more, or a piece of many such marks.

    Only letters are compared: a time or a number beside the mark is no text. `form` is the mark
    as it is known, or "".
    """
    if not form:
        return bool(re.fullmatch(rf"\W*{re.escape(author)}\W*[:>]\W*", bare(line), re.I))
    letters, wanted = ("".join(LETTER.findall(each)).lower() for each in (line, form))
    signs = iter(re.sub(r"[\w\s]", "", line))
    if not all(sign in signs for sign in re.sub(r"[\w\s]", "", form)):
        return False  # "- carl" is news where messages begin with "carl:"
    return bool(wanted) and letters in wanted * (len(letters) // len(wanted) + 2)


def news(lines: list[str], prompt: str = "") -> list[str]:
    """Return the lines that tell something: not empty, no repeated prompt."""
    told = []
    for line in lines:
        stripped = line.strip().removeprefix(prompt.strip()).strip()
        if stripped.startswith(("Traceback (most recent", "Exception in thread")):
            break  # of the client's own: not what the chat tells
        if stripped and not BARE.match(stripped):
            told.append(stripped)
    return told


def told_who(lines: list[str], name: str) -> str:
    """Return "who", "not_who" or "nothing": what these news say about somebody."""
    if any(names(line, name) for line in lines):
        return "who"
    return "not_who" if lines else "nothing"


def refused(lines: list[str]) -> bool:
    """Return whether these lines say that a name is taken."""
    return any(TAKEN.search(line) for line in lines)


def letters_whole(text: str, start: str, letters: str, end: str) -> bool:
    """Return whether all letters stand between the two words, in order and with nothing else."""
    begin, stop = text.find(start), text.rfind(end)
    between = text[begin + len(start) : stop] if 0 <= begin < stop else ""
    return re.sub(r"\s", "", between) == letters


def letters_that_came(raw: str, alphabet: str) -> int:
    """Return how many letters of the alphabet came in its order: words of an error do not count."""
    order = alphabet * 2
    total = begin = 0
    for end in range(1, len(raw) + 1):
        if end == len(raw) or raw[end - 1 : end + 1] not in order:
            total += end - begin if end - begin >= 5 else 0
            begin = end
    return total
