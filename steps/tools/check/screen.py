"""What the bytes of a program look like on a screen.

Not a whole terminal: a log. It keeps every line that was ever seen, in order, also where the
program clears the screen or moves the cursor up.
"""

import re

TOKEN = re.compile(
    r"\x1b\[([0-?]*)[ -/]*([@-~])"  # a control sequence: its numbers, its letter
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # the window's title
    r"|\x1b[()#%*+ -/][0-~]|\x1b[0-~]"  # character sets, keypad modes
    r"|([^\x00-\x1f\x7f]+)"  # text
    r"|([\x00-\x1f\x7f])"  # one control character
)
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


def visible(raw: str, most: int = 12) -> list[str]:
    """Return the last lines of `raw` as they came, each control character written out."""
    lines = raw.replace("\r\n", "\n").split("\n")
    shown = ["".join(map(written_out, line)) for line in lines if line]
    return [line if len(line) <= 150 else f"{line[:70]} … {line[-30:]}" for line in shown[-most:]]


def written_out(character: str) -> str:
    """Return a character, or how Python writes it where nobody could see it."""
    code = ord(character)
    if character in NAMED:
        return NAMED[character]
    return f"\\x{code:02x}" if code < 32 or 127 <= code < 160 else character
