"""The stage of the tour: columns on a screen, people at real clients, scenes that may fail.

What a column shows is what the story tells of real programs; nothing is shown that was not sent
or received. Whoever is `raw` in a scene has a bare socket and does what a good client would not;
all others sit at the client.py of the step.
"""

import contextlib
import inspect
import os
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from tools import language
from tools.harness import DEADLINE, Chat, Client, Lines, NotAsTold, Peer, Server, Story, program
from tools.language import tr
from tools.screen import BOLD, CYAN, DIM, GREEN, MAGENTA, RED, YELLOW, Screen, wrapped

SILENCE = 1.5  # seconds without a word, before the tour says that somebody hears nothing
FLOOD = ["x" * 995] * 20_000 + ["the end"]  # 20 MB: less would fit into the kernel's buffers
WIDE = 78  # columns of a terminal that a table of four people needs
KINDS = {  # of a scene: how it is called, and its colour
    "works": ("работает", "works", "1;32"),
    "limit": ("ограничение", "limit", "1;35"),
}
SENT, DONE = ("> {}", CYAN), ("({})", DIM)
LOOKS = {  # of the verbs of a story; all others look like DONE
    **{"sends": SENT, "sends bytes": SENT, "types": SENT},
    **{"gets": ("{}", GREEN), "hears": ("… {}", MAGENTA)},
}


class Play(Story):
    """A story that is shown while it happens: a column for each name, time downwards."""

    def __init__(self, screen: Screen, cast: list[str]) -> None:
        super().__init__(DEADLINE / 2)
        self.screen, self.cast = screen, cast
        self.has_columns = screen.width >= WIDE  # else there are lines with names
        self.column = (screen.width - 2) // len(cast)  # characters
        self.verb, self.row = "", {}  # who did it, or got it, and what: not yet printed
        self.hushed = False

    def add(self, who: str, verb: str, what: str) -> None:
        super().add(who, verb, what)
        if not self.hushed:
            self.show(who, verb, what)

    def show(self, who: str, verb: str, what: str) -> None:
        """Print one event; several people with the same verb share a row."""
        if verb != self.verb or who in self.row or who not in self.cast:
            self.flush()
        form, self.style = LOOKS.get(verb, DONE)
        text = visible(what) if verb in LOOKS else f"{verb} {what}".strip()
        if who in self.cast:
            self.verb, self.row[who] = verb, form.format(text)
        else:
            self.screen.line("  " + self.screen.paint(form.format(f"{who} {text}"), self.style))

    def flush(self) -> None:
        """Print the row of those to whom the same happened."""
        if self.row:
            self.print_row([self.row.get(name, "") for name in self.cast], self.style)
        self.row = {}

    def introduce(self, raw: list[str]) -> None:
        """Print who takes part."""
        socket = tr("(сокет)", "(socket)")
        names = [f"{name} {socket}" if name in raw else name for name in self.cast]
        if self.has_columns:
            self.print_row(names, BOLD)
        else:
            self.screen.paragraph("  ", "", ", ".join(names), BOLD)

    def print_row(self, texts: list[str], style: str) -> None:
        """Print a text for each column, on as many lines as the longest one needs."""
        if not self.has_columns:
            for name, text in zip(self.cast, texts, strict=True):
                if text:
                    label = f"  {name:{max(map(len, self.cast))}} │ "
                    self.screen.paragraph(label, DIM, text, style)
            return
        cells = [wrapped(text, self.column - 4, "  ") for text in texts]
        bar = self.screen.paint("│ ", DIM)
        for parts in zip_longest(*cells, fillvalue=""):
            line = "  "
            for part in parts:
                line += bar + self.screen.paint(part, style) + " " * (self.column - 2 - width(part))
            self.screen.line(line)

    @contextlib.contextmanager
    def hush(self) -> Iterator[None]:
        """Show nothing of what happens in the meantime; the story still knows it."""
        self.flush()
        before, self.hushed = self.hushed, True
        yield
        self.hushed = before  # a hush may stand inside another one


def visible(text: str) -> str:
    """Return `text` without the end of the line, and with control characters spelled out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text.removesuffix("\n"))


def width(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


class Person(Client, Peer):
    """Somebody at the real client: a peer whose stream is what the client prints."""

    def __init__(self, step: int, port: int, name: str, story: Story) -> None:
        self.dialect, self.stream, self.message, self.joined = Lines, bytearray(), None, False
        super().__init__(program(step, "client"), port, name=name, story=story)

    def _read(self) -> None:
        while data := self.process.stdout.read1(65_536):
            with self.changed:
                self.stream += data.replace(b"\r", b"")  # Windows ends lines with it
                self.changed.notify_all()
        with self.changed:
            self.ended = "the client has ended"
            self.changed.notify_all()

    def say(self, *texts: str) -> None:
        for text in texts:
            self.types(f"{text}\n")

    def leave(self) -> None:
        """End the input; the client has to end, too."""
        self.story.add(self.name, tr("уходит", "leaves"), "")
        self.joined = False
        self.ends_input()
        self.ends_saying("")

    def ends_saying(self, last: str) -> None:
        """Check how the client ends: this on standard error, nothing before it."""
        status = self.exits()
        self.expect_end()
        said = self.stderr().strip()
        if (said, status) != (last, 1 if last else 0):
            instead = f"it said {said!r} and its status was {status}"
            self.story.fail(self.name, f"its client to end and say {last!r}", instead)
        if last:
            self.story.add(self.name, last, "")

    def _close(self) -> None:
        self.__exit__()


class Stage(Chat):
    """A chat whose people sit at the real client, but for those who are raw."""

    def __init__(self, scene: "Scene", server: Server, story: Play) -> None:
        super().__init__(scene.step, server, story)
        self.raw = scene.raw.split()
        self.late: set[str] = set()  # what whoever connects may read, or not

    def connect(self, name: str, reads: bool = True) -> Peer:
        self.story.add(name, tr("подключается", "connects"), "")
        if name in self.raw:
            with self.story.hush():
                peer = super().connect(name, reads)
        else:
            peer = Person(self.step, self.server.port, name, self.story)
            self.people.append(peer)
        peer.late |= self.late
        return peer

    def with_people(self, *names: str) -> list[Peer]:
        """Let people join before the scene begins."""
        with self.story.hush():
            people = [self.join(name) for name in names]
        for name in names:
            self.story.add(name, tr("уже в чате", "is here"), "")
        return people

    def with_idler(self, name: str) -> Peer:
        """Let somebody join who then reads nothing more."""
        with self.story.hush():
            idler, received = self.connect(name, reads=False), b""
            idler.say(name)
            while not received.endswith(name.encode()) and (byte := idler.connection.recv(1)):
                received += byte
            # It is told after the welcome: whoever comes in that moment may hear it, too.
            self.late.add(f"* {name} joined")
        self.story.add(name, tr("в чате, не читает", "here, reads nothing"), "")
        return idler

    def flood_from(self, peer: Peer) -> None:
        """Let somebody send 20 MB, as fast as the server takes them."""
        with self.story.hush():
            peer.floods(*FLOOD)
        self.story.add(peer.name, "sends", tr("20 МБ сообщений", "20 MB of messages"))
        self.story.flush()

    def stop_server(self) -> None:
        """Press Ctrl-C for the server."""
        self.story.add(
            tr("сервер", "the server"), tr("остановлен: Ctrl-C", "is stopped with Ctrl-C"), ""
        )
        self.server.interrupt()

    def nothing_comes_to(self, peer: Peer) -> None:
        """Wait for a while, and check that nothing comes."""
        self.story.flush()
        with peer.changed:
            if peer.changed.wait_for(lambda: peer.stream or peer.ended, SILENCE):
                news = f"got {bytes(peer.stream[:60])!r} {peer.ended or ''}"
                self.story.fail(peer.name, "nothing", news)
        self.story.add(peer.name, "hears", tr("ничего", "nothing"))


@dataclass(frozen=True)
class Scene:
    """One function below, and what its decorator says about it."""

    act: Callable[[Stage], None]
    step: int
    kind: str  # "works" or "limit"
    cast: str  # the columns, from left to right
    raw: str = ""  # those with a bare socket
    stops: bool = False  # the server is stopped with Ctrl-C, which Windows cannot send

    @property
    def title(self) -> str:
        return in_two_languages(self.act.__doc__)[0]

    def play(self, screen: Screen) -> bool | None:
        """Show the scene; return whether it went as told, None if it cannot be shown here."""
        title, why = in_two_languages(self.act.__doc__)
        russian, english, style = KINDS[self.kind]
        screen.line()
        screen.paragraph(tr(russian, english) + ": ", style, title, BOLD)
        if self.stops and os.name == "nt":
            not_here = tr(
                "не для Windows: здесь одна программа не может нажать Ctrl-C за другую",
                "not on Windows, where no program can press Ctrl-C for another",
            )
            screen.paragraph("  ", "", f"({not_here})", DIM)
            return None
        story = Play(screen, self.cast.split())
        story.introduce(self.raw.split())
        try:
            with (
                Server(program(self.step, "server"), story=story) as server,
                contextlib.closing(Stage(self, server, story)) as stage,
            ):
                self.act(stage)
            story.flush()
            screen.paragraph(tr("  почему: ", "  why: "), YELLOW, why)
            return True
        except (NotAsTold, OSError) as error:
            story.flush()
            wrong = tr("НЕ ТАК, КАК ОПИСАНО", "NOT AS TOLD")
            for line in f"{wrong}: {error}".splitlines():
                screen.line("  " + screen.paint(line, RED))
            return False


def in_two_languages(text: str) -> tuple[str, str]:
    """Return the title and the rest, from a paragraph in Russian and one in English."""
    paragraph = inspect.cleandoc(text).split("\n\n")[language.LANGUAGES.index(language.spoken)]
    title, _, rest = paragraph.partition("\n")
    return title, " ".join(rest.split())


SCENES: list[Scene] = []


def scene(step: int, kind: str, cast: str, **more) -> Callable:
    """Enter the decorated function into the programme."""

    def enter(act: Callable[[Stage], None]) -> Callable[[Stage], None]:
        SCENES.append(Scene(act, step, kind, cast, **more))
        return act

    return enter
