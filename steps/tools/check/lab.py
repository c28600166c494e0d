"""What the checks have in common: rooms that are used again, what was typed, how one fails."""

import itertools
import re
from dataclasses import dataclass

from tools.check.find import Pair
from tools.check.reading import bare, mark, names
from tools.check.room import Person, Recipe, Room, ServerEnded, is_taken
from tools.check.screen import own_error, traceback_of, visible
from tools.check.session import wait_for
from tools.check.words import Words

HELD = 65.0  # seconds for which a system may keep a port from its next user
HEARS = 3.0  # seconds until a message that is not on a screen is lost


class Failure(Exception):
    """A check fails. `screens`: whose screens show it, and since when."""

    def __init__(self, verdict: str, *screens: tuple[str, int], **values: object) -> None:
        super().__init__(verdict)
        self.verdict, self.screens, self.values = verdict, screens, values
        # Taken by Lab.photograph while the programs still run.
        self.pictures: list[tuple[str, str]] = []
        self.typed: list[str] = []
        self.server_said: list[str] = []
        self.error: dict[str, str] = {}  # the server's own, and where: see own_error()


class NotChecked(Exception):
    """A check cannot be made here; the key of a text says why."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.values = key, values


@dataclass
class Hint:
    """A part of a check that costs no marks: passed, or failed with a story."""

    part: str
    passed: bool
    failure: Failure | None = None


class Lab:
    """The pair under check, the room that is open, and what has been learnt."""

    def __init__(self, pair: Pair, words: Words) -> None:
        self.pair, self.words = pair, words
        self.recipe = Recipe()
        self.current: Room | None = None
        self.numbers = itertools.count(101)
        self.said: list[str] = []  # all messages
        self.done: list[tuple[str, dict]] = []  # what happened in this check
        self.hints: list[Hint] = []
        self.passed: set[str] = set()  # checks
        self.named = False  # whether people have names in this chat
        self.marks: dict[str, str] = {}  # how messages name their authors
        self.aftermath = None
        self.ports: list[int] = []  # of the rooms so far

    # Rooms

    def room(self, *people: str, fresh: bool = False, small: bool = False) -> Room:
        """Return a room with exactly these people; the open one, if it fits."""
        room = self.current
        if room and (fresh or small != room.small or not self.fits(room, people)):
            self.close()
        if not self.current:
            self.open(small)
        if self.current.people:
            self.note("in_chat", who=", ".join(self.current.people))
        for name in people:
            if name not in self.current.people:
                self.join(name)
        self.current.calm()
        return self.current

    def open(self, small: bool) -> None:
        """Start a server. In the system's own network its port may be held for a minute."""
        self.current = Room(self.pair, self.recipe, small)
        try:
            self.current.start_server()
        except ServerEnded:
            if self.current.alone or not self.ports or not is_taken(self.ports[0]):
                raise
            wait_for(lambda: not is_taken(self.ports[0]), HELD)
            self.current.close()
            self.current = Room(self.pair, self.recipe, small)
            self.current.start_server()
        self.ports.append(self.current.port)

    def fits(self, room: Room, people: tuple[str, ...]) -> bool:
        """Return whether these people can go on in a room: others must not sit there."""
        alive = room.server is not None and room.server.alive()
        sitting = all(each.program.alive() for each in room.people.values())
        return alive and sitting and set(room.people) <= set(people)

    def close(self) -> None:
        """Leave the open room: the next check gets one of its own."""
        if self.current:
            self.current.close()
        self.current = None

    def photograph(self, failure: Failure) -> None:
        """Keep what is on the screens, what was typed, and what the server said of errors: once."""
        if failure.typed:
            return
        room = self.current
        for who, since in failure.screens:
            person = room.people.get(who)
            program = room.server if who == "server" else person.program if person else None
            if program:
                program.quiet(0.1, 0.5)
                failure.pictures.append((who, program.raw(since)))
        failure.typed = self.words.doings(self.done)
        said = traceback_of(room.server.raw()) if room.server else ""
        failure.error = own_error(said, str(self.pair.folder))
        if "server" not in dict(failure.pictures):
            failure.server_said = visible(said, folder=str(self.pair.folder))

    # What people do

    def note(self, key: str, **values: object) -> None:
        """Write down what happens, for the story."""
        self.done.append((key, values))

    def join(self, name: str, say_name: bool = True, key: str = "", **options) -> Person:
        """Let somebody start a client and enter the chat."""
        person = self.current.join(name, say_name, key, **options)
        doing = "joins" if person.named else "starts" if say_name else "starts_silent"
        self.note(doing, who=name)
        return person

    def text(self) -> str:
        """Return a message that nobody has typed yet."""
        return f"hello{next(self.numbers)}"

    def say(self, name: str, text: str = "") -> tuple[str, dict[str, int]]:
        """Let somebody type a message; return it, and where all screens were before."""
        text = text or self.text()
        before = self.current.marks()
        self.note("types", who=name, text=text)
        self.said.append(text)
        self.current.people[name].program.types(text)
        return text, before

    def must_hear(
        self, verdict: str, speaker: str, *readers: str, text: str = "", **values: object
    ) -> str:
        """Let somebody type a message that these people have to see; return it."""
        text, before = self.say(speaker, text)
        deaf = self.current.hear(list(readers), text, before, HEARS)
        if deaf:
            values |= {"speaker": speaker, "reader": deaf, "text": text}
            raise Failure(verdict, (deaf, before[deaf]), since=before[speaker], **values)
        return text

    def mark_of(self, reader: str, text: str, since: int) -> str | None:
        """Return how a message on somebody's screen names its author."""
        program = self.current.people[reader].program
        program.quiet(0.15, 1.0)
        return mark(program.lines(since), text)

    def telling(self, reader: str, since: int, about: str) -> list[str]:
        """Return the lines that tell somebody news about a person: no messages, no prompts."""
        told = []
        for line in self.current.news(reader, since):
            if messages := [text for text in self.said if text in line]:
                line = self.without_messages(line, messages, about)
            if re.search(r"[^\W\d_]{2}", line) and not self.is_empty_message(line, about):
                told.append(line)
        return told

    def without_messages(self, line: str, messages: list[str], about: str) -> str:
        """Return what a line tells besides messages: glued to them, there may be news."""
        rest = line
        for text in messages:
            rest = rest.replace(text, " ")
        for form in sorted(self.all_marks(about), key=len, reverse=True):
            if form in rest:
                rest = rest.replace(form, " ", 1)
                break
        rest = bare(rest)
        return rest if re.search(r"[^\W\d_]{2}", re.sub(re.escape(about), "", rest)) else ""

    def all_marks(self, about: str) -> list[str]:
        """Return how messages may name their authors: the marks that are known."""
        people = {*self.current.people, about, "ann", "bob", "carl"}
        forms = [self.marks.get("*", "").replace("*", each) for each in people]
        return [form for form in [*forms, *self.marks.values()] if form]

    def is_empty_message(self, line: str, author: str) -> bool:
        """Return whether a line is the mark of an author and nothing more."""
        form = self.marks.get(author) or self.marks.get("*", "").replace("*", author)
        if not form:  # not known: "bob: " is one
            return bool(re.fullmatch(rf"\W*{re.escape(author)}\W*[:>]", line.strip()))
        # In a flood of them a line may begin and end inside of one.
        pieces = [piece.strip() for piece in line.split(form)]
        return all(piece in f"{form}{form}" or piece in f"{form} {form}" for piece in pieces)

    def learn_mark(self, author: str, found: str) -> None:
        """Keep how messages name this author, and so how they name others."""
        self.marks[author] = found
        if names(found, author):
            self.marks["*"] = re.sub(re.escape(author), "*", found, flags=re.IGNORECASE)
