"""A server that runs, and the people who sit at its clients."""

import re
import signal
import socket
import struct
import time
from dataclasses import dataclass

from tools.check import isolate
from tools.check.find import CannotRun, Pair, Side
from tools.check.reading import KINDS, TAKEN, missed_question, news, question
from tools.check.screen import own_frames
from tools.check.session import TERMINAL, Program, wait_for

SERVER_STARTS = 8.0  # seconds
CLIENT_STARTS = 10.0
PASSWORD = "secret123"
USAGE = re.compile(r"usage|использ|запуск|argument|аргумент|IndexError|параметр", re.IGNORECASE)
LAST_LINES = 6
CLEARS = re.compile(r"\x1bc|\x1b\[[0-3]?J|\x1b\[[\d;]*H")  # the screen
PEOPLE = ["ann", "bob", "carl", "dora", "eva"]


class ServerEnded(Exception):
    """The server has ended, or does not listen."""


class ClientEnded(Exception):
    """The client has ended before its user could talk."""


@dataclass
class Person:
    """Somebody who sits at a client."""

    name: str
    program: Program
    asked: int = 0  # how often the client has asked for a name
    named: bool = False  # whether the name was given, in whatever way
    prompt: str = ""  # what the client shows where its user types
    unanswered: str = ""  # a question that the checker has not understood


@dataclass
class Recipe:
    """What the first attempt has taught: how the programs are started, and how people join."""

    server: list[str] | None = None
    client: list[str] | None = None
    name_first: bool = False  # nothing is asked, but the first line is the name
    pace: float = 1.0
    questions: list[str] | None = None  # what a client asks, once that is known


class Room:
    """A server in a network of its own, and people."""

    def __init__(self, pair: Pair, recipe: Recipe, small: bool = False) -> None:
        self.pair, self.recipe = pair, recipe
        self.people: dict[str, Person] = {}
        self.leavers: list[Program] = []
        self.sockets: list[socket.socket] = []
        self.alone = isolate.new_network(pair.addresses())  # nobody else is in this network
        self.small = small and isolate.small_buffers()
        self.server: Program | None = None
        self.ports: set[int] = set()
        self.port, self.address, self.wanted_port = 0, "127.0.0.1", free_port()

    # The server

    def start_server(self) -> None:
        """Start the server and find the port on which it listens."""
        side, known = self.pair.server, self.recipe.server
        tried = ways(side, "server") if known is None else [known]
        failures: list[Program] = []
        while tried:
            arguments = tried.pop(0)
            program = start(side, fill(arguments, "127.0.0.1", self.wanted_port, ""))
            if self.wait_listening(program):
                self.server, self.recipe.server = program, arguments
                for each in failures:
                    each.close()
                return
            failures.append(program)
            if program.alive() or self.port:
                break
            if len(failures) == 1 and known is None:
                tried = usage(program.raw()) + tried
        self.server = failures[0]  # where each way fails, the first one tells the most
        for each in failures[1:]:
            each.close()
        if self.server.alive():
            raise ServerEnded("deaf")
        raise ServerEnded("background" if self.port else "ended")

    def restart_server(self) -> None:
        """Start the server once more, where it was."""
        self.port = 0
        self.leavers.append(self.server)
        self.start_server()

    def wait_listening(self, program: Program) -> bool:
        """Wait until a program listens; answer what it asks for meanwhile."""
        answered, looked = 0, time.monotonic()
        deadline = looked + SERVER_STARTS
        while time.monotonic() < deadline:
            if self.look_for_port(program):
                if isolate.LINUX and not self.listens_itself(program):
                    program.ends(1.0)  # it has left another one behind
                return program.alive()
            if not program.alive():
                program.ends(0.1)
                wait_for(lambda: self.look_for_port(program), 0.5)  # has it left another behind?
                return False
            if time.monotonic() - looked > 0.5 and program.quiet(0.2, 0.3):
                kind = question(program.lines(answered))
                if kind in ("port", "host", "address"):
                    answered = program.position()
                    program.types(answer(kind, "127.0.0.1", self.wanted_port, ""))
                elif kind in ("name", "unknown", "password", "room"):
                    answered = program.position()
                    program.types("")
                looked = time.monotonic()
            time.sleep(0.03)
        return False

    def look_for_port(self, program: Program) -> bool:
        """Find out whether, and where, a program listens."""
        pids = program.family()
        if self.alone:
            pids += [pid for pid in isolate.processes() if pid > 1 and pid not in pids]
        listening = [each for each in isolate.sockets(pids) if each[0] == "listen"]
        if not listening and not isolate.LINUX:  # where the system does not tell
            ports = map(int, re.findall(r"\b\d{4,5}\b", program.raw() + self.pair.server.source))
            taken = [port for port in dict.fromkeys(ports) if is_taken(port)]
            listening = [("listen", port, "127.0.0.1", 0) for port in taken[:1]]
        if not listening:
            return False
        named = [each for each in listening if re.search(rf"\b{each[1]}\b", program.raw())]
        _, self.port, self.address, _ = (named or listening)[0]
        self.ports = {port for _, port, _, _ in listening}
        return True

    def listens_itself(self, program: Program) -> bool:
        """Return whether the one that listens is at the terminal where it was started (Linux)."""
        leader = program.process.pid
        own = [pid for pid, (_, session) in isolate.processes().items() if session == leader]
        return any(each[0] == "listen" for each in isolate.sockets(own))

    def udp(self) -> bool:
        """Return whether the server has UDP sockets."""
        return any(each[0] == "udp" for each in isolate.sockets(self.server.family()))

    # People

    def join(
        self, name: str, say_name: bool = True, key: str = "", terminal: bool = TERMINAL
    ) -> Person:
        """Start a client and answer what it asks, until its user can talk.

        With `say_name` False the user sits before the question for the name, and is silent.
        `key` tells two people of one name apart. Without a terminal the client sits at pipes.
        """
        key = key or name
        side = self.pair.client
        tried = [self.recipe.client] if self.recipe.client is not None else ways(side, "client")
        first: ClientEnded | None = None
        extended = False
        while tried:
            arguments = tried.pop(0)
            words = fill(arguments, self.address, self.port, name)
            number = PEOPLE.index(name) if name in PEOPLE else 0
            person = Person(name, start(side, words, terminal, number))
            self.people[key] = person
            person.named = "{name}" in arguments
            try:
                self.enter(person, say_name)
            except ClientEnded as error:
                first = first or error
                told = person.program.raw()
                if self.recipe.client is None and not extended:
                    tried = [w for w in usage(told) if w != arguments] + tried
                    extended = True
                if tried:
                    self.kill(key)
                continue
            self.recipe.client = arguments
            return person
        raise first

    def enter(self, person: Person, say_name: bool) -> None:
        """Answer the questions of a client; see question()."""
        program, pace, known = person.program, self.recipe.pace, self.recipe.questions
        deadline = time.monotonic() + CLIENT_STARTS * pace
        since, given, patience = 0, False, 2 if known is None else 0
        asked: list[str] = []
        wait_for(lambda: program.total or not program.alive(), 1.5 * pace)

        def kind_now() -> str:
            lines = program.lines(since)
            if given:
                return question(lines, [person.name])
            return question(lines) or missed_question(lines)

        while time.monotonic() < deadline:
            due = known[len(asked)] if known and len(asked) < len(known) else ""
            if due and wait_for(lambda due=due: kind_now() == due, 1.0):
                program.quiet(0.06, 0.3)
            else:
                program.quiet(0.25 * pace, 2.0)
            if not program.alive():
                program.ends(0.2)
                raise ClientEnded(person.name)
            kind = kind_now()
            person.asked += kind == "name"
            if kind == "name" and (not say_name or person.asked > 3):
                break
            if kind == "unknown":
                person.unanswered = program.lines(since)[-1].strip()
            if kind in ("", "unknown"):
                if kind == "" and self.is_connected(person) is False:
                    continue  # not yet: the deadline ends this
                if not given and kind == "" and patience:
                    patience -= 1  # the server's question may still be under way
                    continue
                if given or not (self.recipe.name_first and say_name):
                    break
                kind = "name"
            else:
                asked.append(kind)
            since = program.position()
            if kind == "name":
                given = person.named = True
            program.types(answer(kind, self.address, self.port, person.name))
        else:
            if self.is_connected(person) is False:
                raise ClientEnded(person.name)
        if known is None and say_name:
            self.recipe.questions = asked
        person.prompt = program.lines(since)[-1]

    def is_connected(self, person: Person) -> bool | None:
        """Return whether the client has a connection; None where the system does not tell."""
        found = isolate.sockets(person.program.family())
        if not found and not isolate.LINUX:
            return None
        used = [other for state, _, _, other in found if state == "connected"]
        for port in used:
            if port in self.ports:
                self.port = port  # a server with several: this one is for its clients
                return True
        return False

    def kill(self, name: str) -> Program:
        """End somebody's client without a word."""
        person = self.people.pop(name)
        self.leavers.append(person.program)
        person.program.kill()
        return person.program

    def hear(self, readers: list[str], text: str, marks: dict[str, int], seconds: float) -> str:
        """Wait until all these people see `text`; return who does not, or ""."""
        deadline = time.monotonic() + seconds
        for name in readers:
            left = max(0.05, deadline - time.monotonic())
            if not self.people[name].program.shows(text, marks[name], left):
                return name
        return ""

    def marks(self) -> dict[str, int]:
        """Return where the output of each person's screen ends now."""
        return {name: person.program.position() for name, person in self.people.items()}

    def news(self, name: str, since: int) -> list[str]:
        """Return the lines that somebody was told since a position.

        A client that clears the screen may have written all of it again: that is no news.
        """
        program, prompt = self.people[name].program, self.people[name].prompt
        lines = program.lines(since)
        if CLEARS.search(program.raw(since)):
            before = {line.strip() for line in program.lines_before(since)}
            lines = [line for line in lines if line.strip() not in before]
        return news(lines, prompt)

    def calm(self, silence: float = 0.25, most: float = 2.0) -> None:
        """Wait until all screens have been quiet for a moment."""
        deadline = time.monotonic() + most
        for person in self.people.values():
            person.program.quiet(silence, max(0.05, deadline - time.monotonic()))

    # Bare connections

    def connect(self) -> socket.socket | None:
        """Connect without a client; None if the server does not take it."""
        try:
            connection = socket.create_connection((self.address, self.port), timeout=2)
        except OSError:
            return None
        self.sockets.append(connection)
        return connection

    def reset(self, connection: socket.socket) -> None:
        """Break a connection off: the server gets "connection reset by peer"."""
        linger = struct.pack("ii" if TERMINAL else "hh", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.close()

    # The end

    def interrupt(self) -> None:
        """Press Ctrl-C in the server's window."""
        self.server.signal(signal.SIGINT)

    def close(self) -> None:
        """End everybody: the clients first, so that the port is free soon."""
        for connection in self.sockets:
            connection.close()
        for program in [*(each.program for each in self.people.values()), *self.leavers]:
            program.close()
        if self.server:
            if not self.alone:
                time.sleep(0.1)
            self.server.close()
        self.people, self.leavers, self.sockets, self.server = {}, [], [], None
        isolate.end_strays()


def start(side: Side, arguments: list[str], terminal: bool = TERMINAL, number: int = 0) -> Program:
    """Start the program of a side, of this person; raises CannotRun."""
    try:
        return Program([*side.command_of(number), *arguments], side.folder, terminal)
    except OSError as error:
        raise CannotRun("no_start", program=side.command[0], reason=error.strerror) from None


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_taken(port: int) -> bool:
    """Return whether nobody else can have this port now."""
    if not 1024 <= port <= 65_535:
        return False
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def answer(kind: str, host: str, port: int, name: str) -> str:
    """Return what a person types when a program asks for something."""
    answers = {
        **{"host": host, "port": str(port), "address": f"{host}:{port}", "name": name},
        **{"password": PASSWORD, "room": "1"},
    }
    return answers.get(kind, "")


def fill(arguments: list[str], host: str, port: int, name: str) -> list[str]:
    """Return arguments with what stands for their placeholders."""
    return [each.format(host=host, port=port, name=name) for each in arguments]


def ways(side: Side, role: str) -> list[list[str]]:
    """Return the command lines to try, the likeliest first."""
    found: list[list[str]] = [[]]
    if "argv" in side.source:
        found += from_argv(side.source)
    if "argv" in side.source or not side.source:
        found += [["{host}", "{port}"], ["{port}"]]
        if role == "client":
            found += [["{host}", "{port}", "{name}"], ["{name}", "{host}", "{port}"], ["{name}"]]
            found += [["{host}"]]
    if "add_argument" in side.source or not side.source:
        found += from_argparse(side.source)
        found += [["--host", "{host}", "--port", "{port}"]]
    return list(map(list, dict.fromkeys(map(tuple, found))))


def kind_of(word: str) -> str:
    """Return what an argument with this name is: "host", "port", "name" or ""."""
    for kind in "port", "host", "name":
        extra = "|srv|^h$|addr" if kind == "host" else "|^p$" if kind == "port" else "|^n$|usr"
        if re.search(KINDS[kind] + extra, re.sub(r"[_\-<>\[\]]", " ", word).strip(), re.I):
            return kind
    return ""


def from_argv(source: str) -> list[list[str]]:
    """Return the arguments that a Python program takes out of sys.argv, by its variables."""
    positions: dict[int, str] = {}
    for line in source.splitlines():
        indices = [int(each) for each in re.findall(r"argv\[(\d)\]", line)]
        left = re.match(r"\s*([\w.,\s()]+?)\s*=[^=]", line)
        if not indices or not left:
            continue
        variables = [each.strip(" ()") for each in left.group(1).split(",")]
        if len(variables) == len(indices):
            for index, variable in zip(indices, variables, strict=True):
                positions.setdefault(index, kind_of(variable))
    count = max(positions, default=0)
    if not count or any(not positions.get(n) for n in range(1, count + 1)):
        return []
    return [[f"{{{positions[n]}}}" for n in range(1, count + 1)]]


def from_argparse(source: str) -> list[list[str]]:
    """Return the arguments that argparse asks for, out of the calls of add_argument."""
    positional, required, optional = [], [], []
    for call in re.findall(r"add_argument\s*\(([^\n]*(?:\n[^\n]*?)*?)\)\s*$", source, re.M):
        flags = re.findall(r"^\s*|[\"'](-{0,2}[\w-]+)[\"']", call.partition("help")[0])
        flags = [flag for flag in flags if flag]
        if not flags or not (kind := kind_of(flags[-1] if len(flags) == 1 else " ".join(flags))):
            continue
        value = f"{{{kind}}}"
        if not flags[0].startswith("-"):
            positional.append(value)
        elif "required=True" in call.replace(" ", ""):
            required += [flags[-1], value]
        elif kind != "name":
            optional += [flags[-1], value]
    found = [positional + required, positional + required + optional]
    return [each for number, each in enumerate(found) if each and each not in found[:number]]


def usage(told: str) -> list[list[str]]:
    """Return the command lines that a message on usage asks for."""
    found = []
    for line in told.splitlines():
        match = re.search(r"(?:usage|использ\w*|запуск\w*)\s*:?\s*(.*)", line, re.IGNORECASE)
        if not match:
            continue
        words = re.findall(r"\[[^\]]*\]|<[^>]*>|\S+", match.group(1))
        arguments: list[str] = []
        flag = ""
        for word in words:
            if word.startswith("["):
                continue
            if word.startswith("-"):
                flag = word.partition("=")[0]
                continue
            kind = kind_of(word)
            if kind and not re.search(r"\.(py|js|rb|java|exe)\b|python|node", word):
                arguments += [flag, f"{{{kind}}}"] if flag else [f"{{{kind}}}"]
            flag = ""
        if arguments:
            found.append(arguments)
    return found


def last_lines(program: Program) -> list[str]:
    """Return the last lines that a program has written, without blank ones."""
    lines = own_frames(program.lines(), str(program.folder))
    return [line.rstrip() for line in lines if line.strip()][-LAST_LINES:]


def refused(lines: list[str]) -> bool:
    """Return whether these lines say that a name is taken."""
    return any(TAKEN.search(line) for line in lines)
