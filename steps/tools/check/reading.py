"""What a line on a screen means to the one who reads it: a question, an author, news."""

import re
from collections.abc import Iterable

# What a program may ask for. The first pattern that fits decides.
KINDS = {
    "address": r"(host|ip|address)\s*(:|and|и)\s*port|(адрес|хост|ip)\s*(:|и)\s*порт",
    "port": r"\bport\b|порт\b|порта\b",
    "host": r"\bhost|\bip\b|ip[- ]?addr|\baddress\b|server name|name of the server|\bserver\b"
    r"|хост|\bадрес|айпи|\bсервер",
    "password": r"passw|парол|passphrase",
    "message": r"message|\bmsg\b|\btext\b|сообщени|\bтекст|^you\b|^me\b|^вы\b|^я\b|say something",
    "name": r"nick|\bnames?\b|user ?names?|имя|имени|имен\b|\bник|псевдоним|логин|login|\balias"
    r"|handle|who are you|as whom|call you|как (вас|тебя) (зовут|называть)|представ|\buser\b"
    r"|кто вы|кто ты|your id\b|\bnombre|usuario|\bnom\b|pseudo|benutzer|\bnome\b|kullan",
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
TIME = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|\d{1,2}:\d{2}(:\d{2})?([.,]\d+)?( ?[AP]M)?")


def question(lines: list[str], known: Iterable[str] = ()) -> str:
    """Return what the program asks for: a key of KINDS, "unknown", or "" for nothing.

    `lines` is what has been drawn since the last answer; `known` are names of people: a line
    that has one in it is a prompt to talk, or news, and asks for no name.
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
    for line in filled[-4:-1]:
        if re.search(r"[:?]$", line) and question([line]) == "name":
            return "name"
    return ""


def names(text: str, name: str) -> bool:
    """Return whether `text` has the name in it as a word of its own."""
    return bool(re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text, re.IGNORECASE))


def mark(lines: list[str], text: str) -> str | None:
    """Return what stands beside `text` to name its author; None if nobody can see the text.

    It is the rest of the line, or, where that says nothing, the line above.
    """
    for number, line in enumerate(lines):
        if text not in line:
            continue
        rest = bare(line.replace(text, " ", 1))
        if rest or number == 0:
            return rest
        return bare(lines[number - 1])
    return None


def bare(mark: str) -> str:
    """Return a mark without the time of day and without what is no word."""
    without_time = TIME.sub("", mark)
    return without_time.strip() if re.search(r"\w", without_time) else ""


def news(lines: list[str], prompt: str = "") -> list[str]:
    """Return the lines that tell something: not empty, no repeated prompt."""
    told = []
    for line in lines:
        stripped = line.strip()
        if stripped.startswith(("Traceback (most recent", "Exception in thread")):
            break  # of the client's own: not what the chat tells
        if prompt.strip() and stripped.startswith(prompt.strip()):
            stripped = stripped[len(prompt.strip()) :].strip()
        if stripped and not BARE.match(stripped):
            told.append(stripped)
    return told


def told_who(lines: list[str], name: str) -> str:
    """Return "who", "not_who" or "nothing": what these news say about a person."""
    if any(names(line, name) for line in lines):
        return "who"
    return "not_who" if lines else "nothing"


def letters_whole(text: str, start: str, letters: str, end: str) -> bool:
    """Return whether all letters stand between the two words, in order and with nothing else."""
    begin, stop = text.find(start), text.rfind(end)
    between = text[begin + len(start) : stop] if 0 <= begin < stop else ""
    return re.sub(r"\s", "", between) == letters
