"""What the bytes of a program look like on a screen.

Not a whole terminal: a log. It keeps every line that was ever seen, in order, also where the
program clears the screen or moves the cursor up.
"""

import itertools
import os
import re

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
NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


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
            first = re.match(r"\d*", numbers).group()
            count = int(first[:4]) if first else 0
            if letter == "K":
                row = {0: row[:column], 1: " " * column + row[column:], 2: ""}.get(count, row)
            elif letter == "J" and count == 0:
                row = row[:column]
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
    written = ("".join(map(written_out, line)) for line in lines if line)
    shown = []
    for line, repeated in itertools.groupby(written):
        short = line if len(line) <= 150 else f"{line[:70]} … {line[-30:]}"
        count = sum(1 for _ in repeated)
        shown.append(short if count == 1 else f"{short}   (×{count})")
    return shown[-most:]


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
        frame = FRAME.match(lines[number])
        if frame and frame[1].startswith(folder):
            place = {"file": os.path.relpath(frame[1], folder), "line": frame[2]}
            return {"error": lines[-1].split(":")[0], "code": lines[number + 1].strip(), **place}
    return {}


def written_out(character: str) -> str:
    """Return a character, or how Python writes it where nobody could see it."""
    code = ord(character)
    if character in NAMED:
        return NAMED[character]
    return f"\\x{code:02x}" if code < 32 or 127 <= code < 160 else character
