"""A server that runs, and the people who sit at its clients."""

import re
import socket
import struct
import time
from dataclasses import dataclass

from tools.check import guard, system
from tools.check.find import CannotDrive, Side, Submission, has_windows
from tools.check.process import TERMINAL, Process, wait_for
from tools.check.reading import missed_question, news, own_frames, question, shortened

SERVER_STARTS = 8.0  # seconds
CLIENT_STARTS = 10.0
SILENT = 4.0  # seconds after which Enter is pressed in the window of a server that says nothing
HEARS = 3.0  # seconds until a message that is not on a screen is lost
LAST_LINES = 6
CLEARS = re.compile(r"\x1bc|\x1b\[[0-3]?J|\x1b\[[\d;]*H")  # the screen
USAGE = re.compile(r"\busage:|\bargv\b|following arguments|использование:|аргумент", re.I)
NAMES = ["ann", "bob", "carl", "dora", "eva"]


class ServerEnded(Exception):
    """The server has ended ("ended"), left another one behind ("background"), or is "deaf"."""


class ClientEnded(Exception):
    """The client has ended, or ("waits") does not connect, before its user could talk."""

    def __init__(self, name: str, why: str = "ended") -> None:
        super().__init__(name)
        self.name, self.why = name, why


@dataclass
class Participant:
    """Somebody who sits at a client."""

    name: str
    program: Process
    asked: int = 0  # how often the client has asked for a name
    named: bool = False  # whether the name was given, in whatever way
    prompt: str = ""  # what the client shows where its user types
    unanswered: str = ""  # a question that the checker has not understood


@dataclass
class Recipe:
    """What the first attempt has taught: how people join."""

    name_first: bool = False  # nothing is asked, but the first line is the name
    pace: float = 1.0
    questions: list[str] | None = None  # what a client asks, once that is known


class Conversation:
    """A server in a network of its own, and people."""

    def __init__(self, pair: Submission, place, recipe: Recipe, small: bool = False) -> None:
        self.pair, self.place, self.recipe = pair, place, recipe
        self.people: dict[str, Participant] = {}
        self.leavers: list[Process] = []
        self.bare: list[socket.socket] = []
        self.alone = guard.new_network(pair.addresses())  # nobody else is in this network
        self.small = small and guard.small_buffers()
        self.server: Process | None = None
        self.ports: set[int] = set()
        self.port, self.address, self.wanted_port = 0, "127.0.0.1", system.free_port()
        self.entered = False  # whether Enter was pressed before the server listened

    # The server

    def start_server(self) -> None:
        """Start the server and find the port on which it listens."""
        if self.server:
            self.leavers.append(self.server)
        self.port = 0
        self.server = self.start(self.pair.server)
        if not self.wait_listening(self.server):
            alive = self.server.alive()
            raise ServerEnded("deaf" if alive else "background" if self.port else "ended")

    def start(self, side: Side, name: str = "", terminal: bool = TERMINAL) -> Process:
        """Start the program of a side, for this person; raises CannotDrive."""
        number = NAMES.index(name) if name in NAMES else 0
        try:
            command = side.command_of(number, name)
            return Process(command, side.folder, self.place, terminal)
        except OSError as error:
            text = f"{side.command[0]} не запускается: {error.strerror}."
            raise CannotDrive("no_start", text) from None

    def wait_listening(self, program: Process) -> bool:
        """Wait until a program listens; answer what it asks for meanwhile."""
        began = looked = time.monotonic()
        answered = 0
        while (now := time.monotonic()) - began < SERVER_STARTS:
            if self.look_for_port(program):
                if system.LINUX and not self.listens_itself(program):
                    program.ends(1.0)  # it has left another one behind
                return program.alive()
            if not program.alive():
                program.ends(0.1)
                wait_for(lambda: self.look_for_port(program), 0.5)  # has it left another behind?
                return False
            if now - looked > 0.5 and program.quiet(0.2, 0.3):
                kind = question(program.lines(answered))
                silent = now - began > SILENT and not self.entered
                if kind or silent:
                    self.entered = silent and not kind
                    answered = program.position
                    program.types(self.answer(kind, "") if kind != "name" else "")
                looked = now
            time.sleep(0.03)
        return False

    def look_for_port(self, program: Process) -> bool:
        """Find out whether, and where, a program listens."""
        pids = program.family()
        if self.alone:
            pids += [pid for pid in system.processes() if pid > 1 and pid not in pids]
        listening = [each for each in system.sockets(pids) if each.state == "listen"]
        if not listening and not system.LINUX:  # where the system does not tell
            ports = map(int, re.findall(r"\b\d{4,5}\b", program.raw() + self.pair.server.source))
            taken = [port for port in dict.fromkeys(ports) if system.is_taken(port)]
            listening = [system.Socket("listen", port, "127.0.0.1", 0) for port in taken[:1]]
        if not listening:
            return False
        named = [each for each in listening if re.search(rf"\b{each.port}\b", program.raw())]
        _, self.port, self.address, _ = (named or listening)[0]
        self.ports = {each.port for each in listening}
        return True

    def listens_itself(self, program: Process) -> bool:
        """Return whether the one that listens is at the terminal where it was started (Linux)."""
        leader = program.process.pid
        own = [pid for pid, (_, session) in system.processes().items() if session == leader]
        return any(each.state == "listen" for each in system.sockets(own))

    # People

    def answer(self, kind: str, name: str) -> str:
        """Return what people type when a program asks for something of this kind."""
        port = self.port or self.wanted_port
        answers = {"host": self.address, "port": str(port), "address": f"{self.address}:{port}"}
        return (answers | {"name": name, "password": "secret123", "room": "1"}).get(kind, "")

    def join(
        self, name: str, say_name: bool = True, key: str = "", terminal: bool = TERMINAL
    ) -> Participant:
        """Start a client and answer what it asks, until its user can talk.

        With `say_name` False the user does not tell the name; `key` tells two of one name apart.
        """
        somebody = Participant(name, self.start(self.pair.client, name, terminal))
        self.people[key or name] = somebody
        somebody.named = any("{name}" in word for word in self.pair.client.command)
        self.enter(somebody, say_name)
        return somebody

    def enter(self, somebody: Participant, say_name: bool) -> None:
        """Answer the questions of a client; see question()."""
        program, pace, known = somebody.program, self.recipe.pace, self.recipe.questions
        deadline = time.monotonic() + CLIENT_STARTS * pace
        since, given, patience = 0, False, 2 if known is None else 0
        asked: list[str] = []
        wait_for(lambda: program.position or not program.alive(), 1.5 * pace)

        def kind_now() -> str:
            lines = program.lines(since)
            if given:
                return question(lines, [somebody.name])
            return question(lines) or missed_question(lines)

        while time.monotonic() < deadline:
            due = known[len(asked)] if known and len(asked) < len(known) else ""
            if due and wait_for(lambda due=due: kind_now() == due, 1.0):
                program.quiet(0.06, 0.3)
            else:
                program.quiet(0.25 * pace, 2.0)
            if not program.alive():
                program.ends(0.2)
                raise ClientEnded(somebody.name)
            kind = kind_now()
            somebody.asked += kind == "name"
            if kind == "name" and (not say_name or somebody.asked > 3):
                break
            if kind == "unknown":
                somebody.unanswered = program.lines(since)[-1].strip()
            if kind in ("", "unknown"):
                if kind == "" and self.is_connected(somebody) is False:
                    continue  # not yet: the deadline ends this
                if not given and kind == "" and patience:
                    patience -= 1  # the server's question may still be under way
                    continue
                if given or not (self.recipe.name_first and say_name):
                    break
                kind = "name"
            else:
                asked.append(kind)
            since = program.position
            if kind == "name":
                given = somebody.named = True
            program.types(self.answer(kind, somebody.name))
        else:
            if self.is_connected(somebody) is False:
                raise ClientEnded(somebody.name, "waits")
        if known is None and say_name:
            self.recipe.questions = asked
        somebody.prompt = program.lines(since)[-1]

    def is_connected(self, somebody: Participant) -> bool | None:
        """Return whether the client has a connection; None where the system does not tell."""
        found = system.sockets(somebody.program.family())
        if not found and not system.LINUX:
            return None
        for each in found:
            if each.state == "connected" and each.other_port in self.ports:
                self.port = each.other_port  # a server with several: this one is for its clients
                return True
        return False

    def kill(self, name: str) -> None:
        """End somebody's client without a word."""
        self.leavers.append(self.people.pop(name).program)
        self.leavers[-1].kill()

    def hear(
        self, readers: list[str], text: str, marks: dict[str, int], seconds: float = HEARS
    ) -> str:
        """Wait until all these people see `text`; return who does not, or ""."""
        deadline = time.monotonic() + seconds
        for name in readers:
            left = max(0.05, deadline - time.monotonic())
            if not self.people[name].program.shows(text, marks[name], left):
                return name
        return ""

    def marks(self) -> dict[str, int]:
        """Return where the output of each screen ends now."""
        return {name: each.program.position for name, each in self.people.items()}

    def news(self, name: str, since: int) -> list[str]:
        """Return the lines that somebody was told since a position; a screen drawn anew is none."""
        program, prompt = self.people[name].program, self.people[name].prompt
        lines = program.lines(since)
        if CLEARS.search(program.raw(since)):
            before = {line.strip() for line in program.lines(until=since)}
            lines = [line for line in lines if line.strip() not in before]
        return news(lines, prompt)

    def calm(self, silence: float = 0.25, most: float = 2.0) -> None:
        """Wait until all screens have been quiet for a moment."""
        deadline = time.monotonic() + most
        for each in self.people.values():
            each.program.quiet(silence, max(0.05, deadline - time.monotonic()))

    # Bare connections

    def connect(self) -> socket.socket | None:
        """Connect without a client; None if the server does not take it."""
        try:
            connection = socket.create_connection((self.address, self.port), timeout=2)
        except (ConnectionError, TimeoutError):
            return None
        self.bare.append(connection)
        return connection

    def reset(self, connection: socket.socket) -> None:
        """Break a connection off: the server gets "connection reset by peer"."""
        linger = struct.pack("ii" if TERMINAL else "hh", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.close()

    # The end

    def close(self) -> None:
        """End everybody: the clients first, so that the port is free soon."""
        for connection in self.bare:
            connection.close()
        for program in [*(each.program for each in self.people.values()), *self.leavers]:
            program.close()
        if self.server:
            if not self.alone:
                time.sleep(0.1)
            self.server.close()
        self.people, self.leavers, self.bare, self.server = {}, [], [], None
        if guard.inside():  # what has double-forked away
            system.end_descendants(everybody=True)


def last_lines(program: Process) -> list[str]:
    """Return the last lines that a program has written, without blank ones."""
    lines = own_frames(program.lines(), str(program.folder))
    return [shortened(line.rstrip()) for line in lines if line.strip()][-LAST_LINES:]


def cannot_drive(key: str, program: Process, role: str) -> CannotDrive:
    """Return why a program that has ended, or that waits, cannot be driven."""
    lines = last_lines(program)
    text = "\n".join(lines)
    if found := re.search(r"No module named '?(\w+)", text):
        text = (
            f"Нет модуля {found[1]}. Если это Ваш файл, приложите его к работе; если это чужой "
            "пакет, установите его (python -m pip install ...) или уберите импорт."
        )
        return CannotDrive("module", text)
    if re.search(r"no display name|cannot connect to X server|could not connect to display", text):
        return has_windows("tkinter", role)
    who = "Серверу" if role == "server" else "Клиенту"
    if USAGE.search(text):
        example = f'--{role} "python3 {role}.py 127.0.0.1 8080"'
        rest = "" if role == "server" else " (вместо имени участника напишите {name})"
        text = f"{who} нужны аргументы: назовите команду целиком, например {example}{rest}."
        return CannotDrive("arguments", text, lines)
    return CannotDrive(key, ENDED[key], lines)


ENDED = {
    "server_ended": "Сервер сразу завершился. Если запускать надо другой файл, назовите команду: "
    '--server "python3 main.py".',
    "server_background": "Сервер ушёл в фон: запущенный процесс завершился, а порт слушает "
    "другой. Проверять можно только сервер, который остаётся в своём окне.",
    "client_ended": "Клиент завершился, прежде чем можно было написать сообщение.",
    "client_waits": f"Клиент работает, но за {CLIENT_STARTS:.0f} с не подключился к серверу: "
    "возможно, он ждёт ввода, о котором не сообщает, или подключается к другому порту.",
}
