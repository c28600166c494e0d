"""The checks, in their order. Each is a short function: it does what people do, and looks.

A check raises Failure with the name of a verdict (its text is in words.py), or NotChecked. It
returns the key of a remark for those that pass, or None.
"""

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tools.check import isolate
from tools.check.find import CannotRun
from tools.check.lab import HEARS, Failure, Hint, Lab, NotChecked
from tools.check.reading import bare, letters_whole, mark, names, told_who
from tools.check.room import ClientEnded, Person, Room, ServerEnded, last_lines, refused
from tools.check.session import wait_for

TOLD = 2.0  # seconds in which people learn who came and who went
STOPS = 2.0
STANDSTILL = 2.5  # seconds without a byte: no more will come
WORDS = 12.0  # for words to leave with
SLACK = 0.4  # seconds that a busy machine may add
BUSY, VERY_BUSY = 0.35, 0.6  # of a processor: all the time; at first, until something blocks
FLOOD_OUTPUT = 8_000  # bytes a second, of a program that has nothing to tell
ALPHABET = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
LETTERS = ALPHABET * (3000 // len(ALPHABET)) + ALPHABET[: 3000 % len(ALPHABET)]
FLOOD = ["x" * 399] * 400  # 160 KB: a stopped reader's buffers take some 50 KB
COMMAND = re.compile(r"\bjoin\b|\broom\b|channel|command|комнат|канал|команд", re.IGNORECASE)
LEAVING = (
    r"[/\\!:.#{]{0,2}(?:exit|quit|leave|bye|goodbye|stop|close|end|logout|disconnect|q|x|off"
    r"|выход|выйти|пока|стоп|конец|закрыть|отключиться)}?(?:[ _](?:the )?chat| из чата)?"
)
USUAL = ["/quit", "exit", "/exit", "quit", "q", "bye"]  # a Russian one ends who writes in ascii


@dataclass
class Check:
    """A check: its id, whether it counts, which one must have passed before."""

    name: str
    graded: bool
    waits_for: str
    run: Callable[[Lab], str | None] = field(repr=False)


# In the order in which they run: three look at one client's end, and what counts comes first.
CHECKS: dict[str, Check] = {}
ORDER = [  # in the order in which they are shown
    *("start", "talk", "author", "third", "joined", "left", "silent", "idle", "survives"),
    *("lines", "letters", "stalled", "name", "word", "stop", "restart"),
]


def check(graded: bool, waits_for: str = ""):
    """Enter a function into the list of checks under its own name."""

    def enter(function: Callable[[Lab], str | None]) -> Callable[[Lab], str | None]:
        name = function.__name__.removesuffix("_")
        CHECKS[name] = Check(name, graded, waits_for, function)
        return function

    return enter


@check(graded=True)
def start(lab: Lab) -> None:
    """The server starts and listens."""
    lab.note("starts_server")
    try:
        lab.room()
    except ServerEnded as error:
        room = lab.current
        if re.search("Address already in use|WinError 10048", room.server.raw()):
            raise CannotRun("port_taken", lines=last_lines(room.server)) from None
        if re.search("File too large|No space left on device", room.server.raw()):
            size = isolate.MOST_FILE // 1_000_000
            raise Failure("start.floods", ("server", 0), size=size) from None
        if str(error) == "ended":
            raise cannot_run("server_ended", last_lines(room.server)) from None
        if str(error) == "background":
            raise cannot_run("server_background", last_lines(room.server)) from None
        verdict = "start.udp" if room.udp() else "start.deaf"
        raise Failure(verdict, ("server", 0)) from None


@check(graded=True, waits_for="start")
def talk(lab: Lab) -> None:
    """What ann types appears on bob's screen, and the other way round."""
    try:
        first_words(lab)
    except (Failure, ClientEnded) as error:
        if isinstance(error, Failure) and not lab.named:
            lab.recipe.name_first = True
        lab.recipe.pace = 2.0
        lab.close()
        lab.done.clear()
        try:
            first_words(lab)
        except ClientEnded as again:
            raise cannot_run("client_ended", last_lines(ended_client(lab, again))) from None
        except Failure as again:
            lab.recipe.name_first = False
            for person in lab.current.people.values():
                if person.unanswered:
                    raise CannotRun("question", text=person.unanswered) from None
            if not lab.current.server.alive():
                screen = ("server", 0)
                raise Failure("talk.server_ended", screen, **again.values) from None
            if again.screens and (answer := asks_for_command(lab, again)):
                raise CannotRun("command", text=answer) from None
            if again.screens and sees_after_enter(lab, again):
                raise Failure("talk.after_enter", *again.screens, **again.values) from None
            raise again from None
        lab.recipe.pace = 1.3


def first_words(lab: Lab) -> None:
    """Let ann and bob talk, once the first words have been said."""
    room = lab.room("ann", "bob", fresh=True)
    lab.named = all(each.named for each in room.people.values())
    first = lab.must_hear("talk.silence", "ann", "bob")
    lab.must_hear("talk.silence", "bob", "ann")
    room.calm()
    before = room.marks()
    later = lab.must_hear("talk.silence", "ann", "bob")
    line = next(line for line in room.people["bob"].program.lines(before["bob"]) if later in line)
    if first in line and not lab.named:  # the first line was taken for the name
        raise Failure("talk.silence", speaker="ann", reader="bob", text=first)


def asks_for_command(lab: Lab, failure: Failure) -> str:
    """Return the line that tells who has typed a message to type a command instead, or ""."""
    program = lab.current.people[failure.values["speaker"]].program
    lines = program.lines(failure.values["since"])
    return next((line.strip() for line in lines if COMMAND.search(line)), "")


def sees_after_enter(lab: Lab, failure: Failure) -> bool:
    """Return whether a message that was missing comes once its reader has pressed Enter."""
    reader, text = failure.values["reader"], failure.values["text"]
    lab.say(reader)
    return lab.current.people[reader].program.shows(text, failure.screens[0][1], 1.0)


def cannot_run(key: str, lines: list[str]) -> CannotRun:
    """Return why a program that ended cannot be run."""
    text = "\n".join(lines)
    if found := re.search(r"No module named '?([\w.]+)", text):
        return CannotRun("module", module=found.group(1).partition(".")[0])
    if re.search(r"no display name|cannot connect to X server|could not connect to display", text):
        return CannotRun("window", module="tkinter", file="client")
    return CannotRun(key, lines=lines)


def ended_client(lab: Lab, error: ClientEnded):
    """Return the program of the client that has ended."""
    return lab.current.people[str(error)].program


@check(graded=True, waits_for="talk")
def author(lab: Lab) -> str | None:
    """A message stands under the name of its author: not under nobody's, nor the reader's."""
    room = lab.room("ann", "bob")
    found = {}
    for speaker, reader in ("ann", "bob"), ("bob", "ann"):
        text, before = lab.say(speaker)
        screen = (reader, before[reader])
        if room.hear([reader], text, before, HEARS):
            raise NotChecked("unsteady")
        found[speaker] = lab.mark_of(reader, text, before[reader]) or ""
        values = {"speaker": speaker, "reader": reader, "text": text}
        if names(found[speaker], speaker):
            lab.learn_mark(speaker, found[speaker])
        elif lab.named and names(found[speaker], reader):
            raise Failure("author.reader", screen, **values)
        elif lab.named or not found[speaker]:
            raise Failure("author.other" if found[speaker] else "author.none", screen, **values)
    if lab.named:
        return None
    if found["ann"] == found["bob"]:
        raise Failure("author.same", screen, mark=found["ann"], **values)
    lab.marks |= found
    return "author_by_address"


@check(graded=True, waits_for="talk")
def third(lab: Lab) -> None:
    """A third person hears and is heard."""
    room = lab.room("ann", "bob")
    try:
        lab.join("carl")
    except ClientEnded:
        raise Failure("third.refused", ("carl", 0)) from None
    room.calm()
    for attempt in range(2):
        try:
            lab.must_hear("third.unheard", "carl", "ann", "bob")
            lab.must_hear("third.deaf", "ann", "carl", "bob")
            return
        except Failure:
            if attempt:
                raise


@check(graded=True, waits_for="talk")
def joined(lab: Lab) -> str | None:
    """The others learn who came."""
    others = ["ann", "bob"] if "third" in lab.passed else ["ann"]
    room = lab.room(*others)
    newcomer = "carl" if "third" in lab.passed else "bob"
    before = room.marks()
    lab.join(newcomer)
    return told(lab, "joined", newcomer, before, speaker=newcomer)


def told(lab: Lab, verdict: str, about: str, before: dict[str, int], speaker: str) -> str | None:
    """Find out what the others were told; `speaker` then says something, lest it come late."""
    room = lab.current
    others = list(before)

    def learnt() -> dict[str, str]:
        return {name: told_who(lab.telling(name, before[name], about), about) for name in others}

    wait_for(lambda: set(learnt().values()) == {"who"}, TOLD)
    first = learnt()
    deaf = next((name for name in others if first[name] != "who"), None)
    if deaf is None:
        return None
    if first[deaf] == "not_who" and not lab.named:
        lines = lab.telling(deaf, before[deaf], about)
        if any(re.search(r"\d", bare(line)) for line in lines):
            return "told_by_address"
    values = {"who": about, "reader": deaf}
    screen = (deaf, before[deaf])
    if first[deaf] == "nothing":
        room.calm()
        for _ in range(2):
            text, _ = lab.say(speaker)
            room.hear([n for n in others if n != speaker], text, before, 1.0)
            time.sleep(0.3)  # as people do: the server learns of a reset in between
            room.calm()
        if set(learnt().values()) == {"who"}:
            raise Failure(f"{verdict}.late", screen, speaker=speaker, **values)
    raise Failure(f"{verdict}.{first[deaf]}", screen, **values)


@dataclass
class Aftermath:
    """What was measured after a client was killed."""

    room: Room
    victim: str
    before: dict[str, int]
    done: list[tuple[str, dict]]
    load: list[float | None]  # of a processor: before, then twice after
    output: list[float]  # bytes a second that the server and the clients wrote, likewise


def after_kill(lab: Lab) -> Aftermath:
    """Kill a client, measure at once; once for all the checks that look at it."""
    if lab.aftermath and lab.aftermath.room is lab.current:
        lab.done[:0] = lab.aftermath.done
        return lab.aftermath
    crowd = ["ann", "bob", "carl"] if "third" in lab.passed else ["ann", "bob"]
    room = lab.room(*crowd)
    victim = crowd[-1]
    pids = room.server.family()
    load, output = [], []
    for number in range(3):
        if number == 1:
            before = {name: at for name, at in room.marks().items() if name != victim}
            lab.note("killed", who=victim)
            room.kill(victim)
            time.sleep(0.15)
        programs = [room.server, *(each.program for each in room.people.values())]
        written = sum(each.total for each in programs)
        used, began = isolate.processor_time(pids), time.monotonic()
        time.sleep(0.5)
        passed = time.monotonic() - began
        now = isolate.processor_time(pids)
        load.append(None if used is None else (now - used) / passed)
        output.append((sum(each.total for each in programs) - written) / passed)
    lab.aftermath = Aftermath(room, victim, before, list(lab.done), load, output)
    return lab.aftermath


@check(graded=True, waits_for="talk")
def left(lab: Lab) -> str | None:
    """The others learn who went, also where the client was killed."""
    after = after_kill(lab)
    return told(lab, "left", after.victim, after.before, speaker="ann")


@check(graded=True, waits_for="talk")
def idle(lab: Lab) -> None:
    """After a client was killed the server does nothing."""
    after = after_kill(lab)
    if after.load[0] is None:
        raise NotChecked("no_processor_time")
    first, *later = after.load
    if first >= BUSY and min(later) >= BUSY:
        raise Failure("idle.always", ("server", 0), load=round(100 * first), who=after.victim)
    if min(later) >= BUSY or later[0] >= VERY_BUSY:
        value = round(100 * max(later))
        raise Failure("idle.spins", ("server", 0), load=value, who=after.victim)
    if min(after.output[1:]) >= FLOOD_OUTPUT > after.output[0]:
        rate = round(min(after.output[1:]) / 1000)
        raise Failure("idle.prints", ("server", 0), rate=rate, who=after.victim)


@check(graded=True, waits_for="third")
def survives(lab: Lab) -> None:
    """The others still talk after a client was killed, after connect-and-close, after a reset."""
    after_kill(lab)
    people_talk(lab, "survives.killed")
    lab.close()
    lab.done.clear()
    room = lab.room("ann", "bob")
    lab.note("connect_close")
    for seconds in 0, 0.2:  # before the server has said anything, and after it
        if connection := room.connect():
            time.sleep(seconds)
            connection.close()
        time.sleep(0.2)
    people_talk(lab, "survives.closed")
    newcomer_talks(lab, "survives.closed_newcomer", "carl")
    lab.done.clear()
    lab.note("in_chat", who="ann, bob, carl")
    lab.note("connect_reset")
    for _ in range(2):
        if connection := room.connect():
            room.reset(connection)
        time.sleep(0.2)

    def after_reset() -> None:
        people_talk(lab, "survives.reset")
        newcomer_talks(lab, "survives.reset_newcomer", "dora")

    as_hint(lab, "reset", after_reset)


def people_talk(lab: Lab, verdict: str) -> None:
    """Check that ann and bob talk: several times, for the first `send` may still succeed."""
    for _ in range(3):
        lab.must_hear(verdict, "ann", "bob")
        time.sleep(0.2)
        lab.must_hear(verdict, "bob", "ann")
        time.sleep(0.2)


@check(graded=True, waits_for="third")
def silent(lab: Lab) -> None:
    """Somebody who has started a client and typed no name keeps nobody from talking."""
    room = lab.room("ann", "bob", fresh=lab.aftermath is not None)
    lab.join("dora", say_name=False)
    nobody_is_held_up(lab, "silent", "carl")
    lab.note("bare_silent")
    if room.connect():
        time.sleep(0.2)
        as_hint(lab, "bare", lambda: nobody_is_held_up(lab, "silent.bare", "eva"))


def nobody_is_held_up(lab: Lab, verdict: str, newcomer: str) -> None:
    """Check that the people here still talk, and that a newcomer can."""
    lab.must_hear(f"{verdict}.talk", "ann", "bob")
    lab.must_hear(f"{verdict}.talk", "bob", "ann")
    newcomer_talks(lab, f"{verdict}.newcomer", newcomer)


def newcomer_talks(lab: Lab, verdict: str, newcomer: str) -> None:
    """Let a newcomer join: they hear and are heard."""
    try:
        lab.join(newcomer)
    except ClientEnded:
        values = {"speaker": newcomer, "reader": "ann", "text": lab.text()}
        raise Failure(verdict, (newcomer, 0), **values) from None
    lab.current.calm()
    for attempt in range(2):
        try:
            lab.must_hear(verdict, newcomer, "ann")
            lab.must_hear(verdict, "ann", newcomer)
            return
        except Failure:
            if attempt:
                raise


def as_hint(lab: Lab, part: str, action: Callable[[], object]) -> bool:
    """Do a part of a check that costs no marks; return whether it passed."""
    try:
        action()
        lab.hints.append(Hint(part, True))
        return True
    except Failure as failure:
        lab.photograph(failure)
        lab.hints.append(Hint(part, False, failure))
    except (ClientEnded, ServerEnded, NotChecked):
        pass
    return False


@check(graded=True, waits_for="talk")
def word(lab: Lab) -> str | None:
    """There is a word, an empty line or Ctrl-D to leave with, and the others are told."""
    crowd = ["ann", "bob", "carl"] if "third" in lab.passed else ["ann", "bob"]
    room = lab.room(*crowd, fresh=True)
    leaver = room.people[crowd[-1]]
    done = list(lab.done)
    deadline = time.monotonic() + WORDS
    for way in [*words_to_leave(lab, leaver.program.raw()), "", None]:
        if way and time.monotonic() > deadline:
            continue
        lab.done[:] = done
        before = room.marks()
        outcome = leaves(lab, leaver, way)
        if outcome == "stays" and way and way in lab.pair.sources:
            # It went to the others as a message, but the program knows the word.
            text, marks = lab.say(leaver.name)
            outcome = "hangs" if room.hear(["ann"], text, marks, HEARS) else "stays"
            if outcome == "hangs" and leaver.program.ends(1.0):
                outcome = "leaves"
        if outcome == "stays":
            continue
        shown = lab.words.way(way)
        values = {"who": leaver.name, "word": shown}
        screen = (leaver.name, before[leaver.name])
        if outcome == "hangs":
            raise Failure("word.hangs", screen, **values)
        if outcome == "crashes":
            raise Failure("word.crashes", screen, **values)
        told_about_leaving(lab, leaver.name, way, shown, before)
        return None
    lab.done[:] = done
    lab.note("tries_words", who=leaver.name)
    raise Failure("word.none", (leaver.name, before[leaver.name]), who=leaver.name)


def words_to_leave(lab: Lab, screen: str) -> list[str]:
    """Return the words to try: those on the screen and in the sources first."""
    on_screen = re.findall(rf"[\"'`«<(\s]({LEAVING})[\"'`»>)\s,.]", screen, re.IGNORECASE)
    in_source = re.findall(rf"[\"']({LEAVING})[\"']", lab.pair.sources, re.IGNORECASE)
    plain = [each for each in on_screen if not re.fullmatch("x|off|end|close", each, re.I)]
    return list(dict.fromkeys([*in_source, *plain, *USUAL]))[:16]


def leaves(lab: Lab, leaver: Person, way: str | None) -> str:
    """Try one way to leave: "leaves", "hangs", "crashes" or "stays"."""
    room, program = lab.current, leaver.program
    before = room.marks()
    if way is None:
        lab.note("ctrl_d", who=leaver.name)
        program.ends_input()
    else:
        lab.note("types" if way else "empty_line", who=leaver.name, text=way)
        program.types(way)

    def others_were_told() -> bool:
        lines = lab.telling("ann", before["ann"], leaver.name)
        return any(names(line, leaver.name) and not (way and way in line) for line in lines)

    def is_a_message() -> bool:
        lines = room.people["ann"].program.lines(before["ann"])
        return bool(way) and any(way in line for line in lines)

    def crashed() -> bool:
        return way is None and "Traceback" in program.raw(before[leaver.name])

    wait_for(
        lambda: not program.alive() or is_a_message() or others_were_told(), 0.8 if way else 1.5
    )
    if program.ends(1.2 if others_were_told() else 0.35 if is_a_message() else 0.05):
        return "crashes" if crashed() else "leaves"
    if crashed():
        return "crashes"
    if is_a_message() and not others_were_told():
        return "stays"
    # Neither a message nor the end: does the client still send?
    text, marks = lab.say(leaver.name)
    if not room.hear(["ann"], text, marks, HEARS):
        lab.done.pop()
        return "stays"
    return "leaves" if program.ends(1.5) else "hangs"


def told_about_leaving(lab: Lab, who: str, way, shown: str, before: dict[str, int]) -> None:
    """Check that the others learn who has left with a word."""
    room = lab.current
    others = [name for name in room.people if name != who]

    def lines_for(name: str) -> list[str]:
        return [
            line
            for line in lab.telling(name, before[name], who)
            if not (way and is_message(lab, line, who, way))
        ]

    if not wait_for(lambda: all(lines_for(name) for name in others), TOLD):
        deaf = next((name for name in others if not lines_for(name)), others[0])
        raise Failure("word.untold", (deaf, before[deaf]), who=who, word=shown, reader=deaf)


def is_message(lab: Lab, line: str, author: str, text: str) -> bool:
    """Return whether a line is what an author has typed, and no news about them."""
    form = lab.marks.get(author) or lab.marks.get("*", "").replace("*", author)
    return text in line and bare(line.replace(text, " ", 1)) in (form, "", author)


@check(graded=True, waits_for="talk")
def stop(lab: Lab) -> None:
    """Ctrl-C ends the server within 2 seconds with clients connected."""
    if os.name != "posix":
        raise NotChecked("no_ctrl_c")
    room = lab.room("ann", "bob", fresh=True)
    lab.must_hear("talk.silence", "ann", "bob")
    lab.note("ctrl_c")
    since = room.server.position()
    room.interrupt()
    if not room.server.ends(STOPS + SLACK):
        raise Failure("stop.hangs", ("server", since))


@check(graded=False, waits_for="talk")
def restart(lab: Lab) -> None:
    """The server starts again at once on its port."""
    room = lab.current
    if not room or len(room.people) < 2 or not room.server:
        room = lab.room("ann", "bob", fresh=True)
    if os.name == "posix":
        lab.note("ctrl_c")
        room.interrupt()
    if not room.server.ends(STOPS if os.name == "posix" else 0):
        lab.note("server_killed")
        room.server.kill()
    port = room.port
    lab.note("starts_server_again")
    try:
        room.restart_server()
    except ServerEnded:
        raise Failure("restart.busy", ("server", 0), port=port) from None
    if room.port != port:
        if len(lab.ports) > 1 and set(lab.ports) == {port}:  # it has always been this one
            raise Failure("restart.busy", ("server", 0), port=port)
        raise NotChecked("port_changes")


@check(graded=False, waits_for="talk")
def lines(lab: Lab) -> str:
    """Ten lines at once stay ten messages, each with its author."""
    if os.name != "posix":
        raise NotChecked("no_stop")
    room = lab.room("ann", "bob", fresh=True)
    for held in "server", "reader":
        texts = [lab.text() for _ in range(10)]
        before = room.marks()
        program = room.server if held == "server" else room.people["bob"].program
        lab.note(f"holds_{held}")
        program.signal(signal.SIGSTOP)
        lab.note("pastes", who="ann", first=texts[0], last=texts[-1])
        if held == "server":
            room.people["ann"].program.types("\n".join(texts))
        else:
            for text in texts:
                room.people["ann"].program.types(text)
                time.sleep(0.05)
        room.people["ann"].program.quiet(0.4, 3.0)
        time.sleep(0.2)
        program.signal(signal.SIGCONT)
        room.hear(["bob"], texts[-1], before, HEARS)
        room.people["bob"].program.quiet(0.3, 2.0)
        ten_messages(lab, held, texts, before["bob"])
    return "credit"


def ten_messages(lab: Lab, held: str, texts: list[str], since: int) -> None:
    """Check that bob's screen shows ten messages, each with its author."""
    program = lab.current.people["bob"].program
    drawn = program.lines(since)
    screen = ("bob", since)
    if any(sum(text in line for text in texts) > 1 for line in drawn):
        raise Failure(f"lines.glued_{held}", screen)
    for text in texts:
        found = mark(drawn, text)
        if found is None:
            raise Failure(f"lines.lost_{held}", screen, text=text)
        if "author" in lab.passed and not written_by(lab, found, "ann"):
            raise Failure(f"lines.no_author_{held}", screen, text=text)


def written_by(lab: Lab, found: str, author: str) -> bool:
    """Return whether a mark is that of this author."""
    return names(found, author) if lab.named else found == lab.marks.get(author, found)


@check(graded=False, waits_for="talk")
def letters(lab: Lab) -> str:
    """3,000 Cyrillic letters arrive whole, at odd and even offsets."""
    room = lab.room("ann", "bob", fresh="lines" not in lab.passed)
    for offset in 0, 1:
        begin, end = "x" * offset + lab.text(), lab.text()
        before = room.marks()["bob"]
        lab.note("letters", who="ann")
        program = room.people["bob"].program
        if not room.people["ann"].program.types(begin + LETTERS + end):
            raise NotChecked("not_taken")
        if not program.shows(end, before, 1.0) and not program.raw(before):
            program.shows(end, before, 15.0)  # ann's line editor may draw letter by letter
        settled = program.quiet(1.0, 4.0)  # also where the end never comes
        raw = program.raw(before)
        if any(letters_whole(line, begin, LETTERS, end) for line in program.lines(before)):
            continue
        broken = re.search("\ufffd|UnicodeDecodeError|can't decode byte", raw + room.server.raw())
        came = len(re.findall("[а-яё]", raw))
        lost = settled and came < len(LETTERS)
        ascii_only = not came and re.search(r"[\"'](us-)?ascii[\"']", lab.pair.sources, re.I)
        verdict = "ascii" if ascii_only else "garbled" if broken else "lost" if lost else "pieces"
        raise Failure(f"letters.{verdict}", ("bob", before), came=came)
    return "credit"


@check(graded=False, waits_for="third")
def name(lab: Lab) -> str | None:
    """A name that is taken is refused."""
    if not lab.named:
        raise NotChecked("no_names")
    room = lab.room("ann", "bob", fresh=True)
    usual = room.people["ann"].asked
    try:
        second = lab.join("ann", key="ann (2)")
    except ClientEnded:
        return None
    told = [line for line in second.program.lines() if line.strip()]
    if second.asked > usual or refused(told) or room.is_connected(second) is False:
        return None
    text, before = lab.say("ann (2)")
    if room.hear(["bob"], text, before, HEARS):
        if not second.program.alive() or refused(second.program.lines()):
            return None
        raise NotChecked("second_mute")
    found = lab.mark_of("bob", text, before["bob"]) or ""
    usual_mark = lab.marks.get("ann")
    if usual_mark and found != usual_mark and not names(found, "ann"):
        return "renamed"
    raise Failure("name.same", ("bob", before["bob"]), text=text)


@check(graded=False, waits_for="third")
def stalled(lab: Lab) -> str:
    """One client that does not read stops nobody."""
    if os.name != "posix":
        raise NotChecked("no_stop")
    took = None
    for terminal in False, True:  # a terminal slows much text down, and some programs need one
        took = flood_alone(lab, terminal)
        if took is not None:
            break
    if took is None:
        raise NotChecked("no_flood")
    room = lab.current
    lab.done.clear()
    lab.note("stops_reading", who="carl")
    room.people["carl"].program.signal(signal.SIGSTOP)
    time.sleep(0.1)
    before = room.marks()["bob"]
    try:
        if not flood_arrives(lab, max(4.0, 3 * took + 2)):
            values = {"who": "carl", "speaker": "ann", "reader": "bob"}
            failure = Failure("stalled.all", ("bob", before), **values)
            lab.photograph(failure)  # before carl reads again, and with him everybody
            raise failure
    finally:
        if "carl" in room.people:
            room.people["carl"].program.signal(signal.SIGCONT)
    return "credit"


def flood_alone(lab: Lab, terminal: bool) -> float | None:
    """Let ann flood while everybody reads; return the seconds it took, None if she is not heard."""
    room = lab.room(fresh=True, small=True)
    if not room.small:
        raise NotChecked("no_buffers")
    try:
        lab.join("ann", terminal=terminal)
    except ClientEnded:
        return None
    lab.room("ann", "bob", "carl", small=True)
    text, before = lab.say("ann")
    if room.hear(["bob"], text, before, HEARS):
        return None
    began = time.monotonic()
    if not flood_arrives(lab, 10.0):
        raise NotChecked("no_flood")
    return time.monotonic() - began


def flood_arrives(lab: Lab, seconds: float) -> bool:
    """Let ann paste 160 KB and say something; return whether bob sees what she says."""
    ann, bob = (lab.current.people[name].program for name in ("ann", "bob"))
    taken, began = threading.Event(), time.monotonic()
    lab.note("floods", who="ann", size=sum(map(len, FLOOD)) // 1000)

    def paste() -> None:
        if ann.types("\n".join(FLOOD), seconds):  # it may cease to take what is typed
            taken.set()

    threading.Thread(target=paste, daemon=True).start()

    def over() -> bool:
        idle = time.monotonic() - max(bob.last, began)
        return idle > STANDSTILL or (taken.is_set() and idle > 0.5)

    wait_for(over, seconds)
    for _ in range(2):  # the first one may be glued to the flood
        if taken.is_set():
            text, before = lab.say("ann")
            if not lab.current.hear(["bob"], text, before, HEARS):
                return True
    return False
