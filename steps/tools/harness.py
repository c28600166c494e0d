"""Starts the real programs of the steps and talks to them, for the tour and for the tests.

Everything that is sent and received goes into a `Story`. A wait that is in vain raises
`NotAsTold`, an AssertionError whose text is the story: who sent what, what was expected, what
came instead. Waits are for events, never for time; a deadline only ends those that are in vain.
"""

import contextlib
import math
import os
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

STEPS = {
    int(folder.name[4]): folder for folder in sorted(Path(__file__).parents[1].glob("step[0-9]_*"))
}
MAX_SHOWN = 60  # characters of a message that a story shows
LAST, LAST_OF_ONE = 30, 15  # events that a story tells: of all, and of the one who waits
SMALL_BUFFER = 32_768  # bytes; a receive buffer that is full soon
GLANCE = 0.05  # seconds between two looks at what cannot be waited for


def scale() -> float:
    """Return how many times as long all deadlines are, as the environment says."""
    text = os.environ.get("CHAT_DEADLINE_SCALE") or "1"
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < math.inf:
        sys.exit(f"CHAT_DEADLINE_SCALE is {text!r}: set it to a number above 0, such as 2")
    return number


DEADLINE = 10 * scale()  # seconds


def start_as_a_user_would() -> None:
    """Undo what the programs that are started from here would inherit, and users do not have.

    PYTHONUNBUFFERED hides that a program forgets to flush. Whoever was started by the `&` of a
    script ignores Ctrl-C.
    """
    os.environ.pop("PYTHONUNBUFFERED", None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.name == "posix":  # `nohup` has this one ignored
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


class NotAsTold(AssertionError):
    """What happened is not what should have happened; the text tells the whole story."""


class ConnectionFailed(NotAsTold, OSError):
    """The server has not taken a connection, or what was sent on it."""


class Story:
    """What everybody sent and received, in the order in which it happened."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        self.deadline = deadline  # seconds until a wait is in vain
        self.events: list[tuple[str, str, str]] = []  # (who, "sends" or "gets", what)
        self.programs: list[Program] = []  # whose complaints belong to the story
        self.end = ("", "", "")  # of a story that failed: who expected what, and what came

    def add(self, who: str, verb: str, what: str) -> None:
        self.events.append((who, verb, what))

    def fail(self, who: str, expected: str, instead: str, kind: type = NotAsTold) -> None:
        """Raise NotAsTold, or what `kind` says, with all that happened so far."""
        self.end = (who, expected, instead)
        told = [
            f"  {name:>8} {verb} {shown(what) if what else ''}".rstrip()
            for name, verb, what in self.last(who)
        ]
        lines = ["the story so far:", *told, f"{who} expected {expected}", f"but {instead}"]
        raise kind("\n".join([*lines, *self.complaints()]))

    def last(self, who: str) -> list[tuple[str, str, str]]:
        """Return the events worth telling: the last ones, and the last ones of `who`."""
        numbered = list(enumerate(self.events))
        own = [number for number, event in numbered if event[0] == who][-LAST_OF_ONE:]
        told = {*own, *range(max(len(numbered) - LAST, 0), len(numbered))}
        return [event for number, event in numbered if number in told]

    def complaints(self) -> list[str]:
        """Return what the programs of this story have written to standard error: the first error.

        The first one is the cause of all that follows; behind it may stand a log.
        """
        lines = []
        for program in self.programs:
            if program.process.poll() is not None:
                lines.append(f"{program.name} has ended with status {program.process.poll()}")
            if error := first_error(program.stderr()):
                lines += [f"{program.name} wrote to standard error:", *error]
        return lines


def first_error(text: str) -> list[str]:
    """Return the first traceback in `text`, up to its last line, the only one without a margin."""
    _, found, rest = text.partition("Traceback")
    lines = (found + rest).splitlines()
    last = next((n for n, line in enumerate(lines) if n and not line.startswith(" ")), len(lines))
    return lines[: last + 1]


def shown(text: str, other: str = "") -> str:
    """Return `text` as a story shows it: quoted; if it is long, cut, but not where `other` differs.

    What is cut out of the middle of a line is not the word that decides.
    """
    if len(repr(text)) <= MAX_SHOWN:
        return repr(text)
    pairs = enumerate(zip(text, other, strict=False))
    same = next((n for n, (one, two) in pairs if one != two), min(len(text), len(other)))
    start = max(same - MAX_SHOWN // 2, 0) if same > MAX_SHOWN // 2 else 0
    end = start + MAX_SHOWN
    before, after = "..." if start else "", "..." if end < len(text) else ""
    return f"{before}{text[start:end]!r}{after} ({len(text)} long)"


def program(step: int, name: str) -> list[str]:
    """Return the command that runs a step's program on the bare standard library."""
    return [sys.executable, "-S", str(STEPS[step] / f"{name}.py")]


def prepared(command: list[str], prelude: str) -> list[str]:
    """Return a command that runs a line of Python and then a step's program in one process."""
    code = (
        f"import os, runpy, socket, sys, threading; {prelude}; del sys.argv[0];"
        "sys.path.insert(0, os.path.dirname(sys.argv[0]));"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return [sys.executable, "-S", "-c", code, command[-1]]


def jittery(command: list[str]) -> list[str]:
    """Return a command that runs a program with thread switches at almost every step.

    What goes wrong once in a million runs then goes wrong soon.
    """
    return prepared(command, "sys.setswitchinterval(1e-6)")


def as_text(output: bytes) -> str:
    """Return what a program has written, without the \\r that Windows puts before each \\n."""
    return output.decode(errors="replace").replace(os.linesep, "\n")


class Program:
    """A program in a process of its own. What it writes is read all the time."""

    def __init__(self, command: str | Iterable[str], *args: str, story: Story, **options) -> None:
        words = shlex.split(command) if isinstance(command, str) else list(command)
        self.command = [*words, *args]
        self.story = story
        self.name = options.pop("name", Path(self.command[-1]).name)
        # Read by its name: to read where the program writes would move the place at which it does.
        with tempfile.NamedTemporaryFile(delete=False) as errors:
            self.errors = Path(errors.name)
            self.process = subprocess.Popen(
                self.command, stdout=subprocess.PIPE, stderr=errors, **options
            )
        story.programs.append(self)
        self.changed = threading.Condition()
        self.output = b""
        self.ended = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        while data := self.process.stdout.read1(65_536):
            with self.changed:
                self.output += data
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def stderr(self) -> str:
        """Return what the program has written to standard error."""
        try:
            return as_text(self.errors.read_bytes())
        except FileNotFoundError:  # the story is over
            return ""

    def prints(self, text: str) -> str:
        """Wait until the program has printed `text`; return all it printed."""
        with self.changed:
            self.changed.wait_for(
                lambda: self.ended or text in as_text(self.output), self.story.deadline
            )
            printed = as_text(self.output)
        if text not in printed:
            instead = (
                f"it printed {printed[-400:]!r}, and to standard error {self.stderr()[-400:]!r}"
            )
            self.story.fail(self.name, f"to print {shown(text)}", instead)
        return printed

    def exits(self, within: float | None = None) -> int:
        """Wait for the end of the program; return its exit status."""
        limit = self.story.deadline if within is None else within
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.story.fail(self.name, f"to end within {limit} s", "it runs on")
        self.reader.join(limit)
        return status

    def interrupt(self, signum: int = signal.SIGINT) -> None:
        """Send Ctrl-C, or another signal."""
        self.process.send_signal(signum)

    def __enter__(self):
        return self

    def __exit__(self, *exception: object) -> None:
        """End the program, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join(self.story.deadline)
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()
        with contextlib.suppress(OSError):  # Windows: a program that it started is still there
            self.errors.unlink()


class Server(Program):
    """A server on a free port; ready when the constructor returns."""

    def __init__(self, command: str | Iterable[str], *args: str, story: Story, **options) -> None:
        address = ("--host", "127.0.0.1", "--port", str(options.pop("port", 0)))
        look = options.pop("look", None)  # finds the port of a server that has not told it
        super().__init__(command, *address, *args, story=story, name="server", **options)
        try:
            self.port = self._wait_for_port(look)
        except BaseException:
            self.__exit__()
            raise

    def _wait_for_port(self, look: Callable[[int], int | None] | None) -> int:
        end = time.monotonic() + self.story.deadline
        while look and not self.ended and time.monotonic() < end:
            with self.changed:  # most servers tell it soon, and to look is slow on Windows
                self.changed.wait_for(
                    lambda: self.ended or b"listening on " in self.output, 10 * GLANCE
                )
            if b"listening on " in self.output:
                break
            if port := look(self.process.pid):
                return port
        self.prints("listening on ")
        return int(self.prints("\n").split("\n")[0].rpartition(":")[2])


class Client(Program):
    """A client; its standard input is a pipe."""

    def __init__(
        self, command: str | Iterable[str], port: int, *args: str, story: Story, **options
    ):
        address = ("--host", "127.0.0.1", "--port", str(port))
        options = {"stdin": subprocess.PIPE, "name": "client"} | options
        super().__init__(command, *address, *args, story=story, **options)

    def types(self, text: str) -> None:
        """Write `text` into the pipe."""
        self.story.add(self.name, "types", text)
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def ends_input(self) -> None:
        self.process.stdin.close()


class Lines:
    """How messages stand in the stream of steps 1 to 3: a line each."""

    @staticmethod
    def encode(text: str) -> bytes:
        return f"{text}\n".encode()

    @staticmethod
    def take(stream: bytearray) -> str | None:
        """Take the first message out of `stream`; None where none is complete."""
        end = stream.find(b"\n")
        if end < 0:
            return None
        message = stream[:end].decode(errors="replace")
        del stream[: end + 1]
        return message


class Frames:
    """How messages stand in the stream of step 4: a 4-byte length before each."""

    @staticmethod
    def encode(text: str) -> bytes:
        return struct.pack("!I", len(text.encode())) + text.encode()

    @staticmethod
    def take(stream: bytearray) -> str | None:
        """Take the first message out of `stream`; None where none is complete."""
        end = 4 + int.from_bytes(stream[:4], "big")
        if len(stream) < 4 or len(stream) < end:
            return None
        message = stream[4:end].decode(errors="replace")
        del stream[:end]
        return message


class Peer:
    """A raw connection to a server: it can do all that a well-behaved client would not.

    A thread receives all the time, unless `reads` is False: then the kernel's buffers fill up,
    soon, for the one of this connection is small, however large the system lets others grow.
    """

    late: frozenset[str] = frozenset()  # what this one may read, or not

    def __init__(self, port: int, name: str, dialect: type, story: Story, reads: bool = True):
        self.name, self.dialect, self.story = name, dialect, story
        self.connection = socket.socket()
        if not reads:  # before it connects: then TCP tells the server of no larger window
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        self.connection.settimeout(story.deadline)
        story.add(name, "connects" if reads else "connects and does not read", "")
        try:
            self.connection.connect(("127.0.0.1", port))
        except OSError as error:
            self.connection.close()
            story.fail(name, "to be connected", str(error), ConnectionFailed)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.closing = False
        self.changed = threading.Condition()
        self.stream = bytearray()  # received, but not yet looked at
        self.message: str | None = None  # taken out of the stream, but not yet looked at
        self.ended = ""  # how the stream ended: "" while it lasts
        self.joined = False
        self.reader: threading.Thread | None = None
        if reads:
            self.start_reading()

    def start_reading(self) -> None:
        self.connection.settimeout(None)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        ended = "the connection was closed"
        try:
            while data := self._receive():
                with self.changed:
                    self.stream += data
                    self.changed.notify_all()
        except OSError as error:
            ended = f"the connection was lost ({error.strerror})"
        with self.changed:
            self.ended = ended
            self.changed.notify_all()

    def _receive(self) -> bytes:
        """Wait for bytes and return them; b"" at the end, or when `_close` has been called."""
        if os.name == "nt":  # where a `shutdown` of the same process does not wake `recv`
            # Who closes reads what has come, and does not wait for more: it might never end.
            while not select.select([self.connection], [], [], 0 if self.closing else GLANCE)[0]:
                if self.closing:
                    return b""
        return self.connection.recv(65_536)

    def _wait(self, condition: Callable[[], bool]) -> bool:
        """Wait until the condition holds or the stream has ended; call with `changed` held."""
        return self.changed.wait_for(lambda: condition() or self.ended, self.story.deadline)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.story.add(self.name, "sends bytes", repr(data[:MAX_SHOWN]))
        self._send(data)

    def say(self, *texts: str) -> None:
        """Send messages, all in one piece."""
        for text in texts:
            self.story.add(self.name, "sends", text)
        self._send(b"".join(map(self.dialect.encode, texts)))

    def _send(self, data: bytes) -> None:
        try:
            self.connection.sendall(data)
        except OSError as error:
            self.story.fail(self.name, "to be heard by the server", str(error), ConnectionFailed)

    def floods(self, *texts: str) -> None:
        """Send messages from a thread, all in one piece: the server may cease to take them."""
        self.floods_bytes(b"".join(map(self.dialect.encode, texts)))

    def floods_bytes(self, data: bytes) -> None:
        """Send bytes from a thread: the server may cease to take them."""
        self.story.add(self.name, "floods with", f"{len(data)} bytes")
        self.flooded, self.to_flood = 0, len(data)

        def flood() -> None:
            try:
                for start in range(0, len(data), 65_536):
                    self.connection.sendall(data[start : start + 65_536])
                    self.flooded = start + 65_536
            except OSError:  # the server, or the test, has closed the connection
                pass

        threading.Thread(target=flood, daemon=True).start()

    def is_held_up(self, seconds: float = 0.5) -> bool:
        """Return whether the flood is taken no longer: no progress for this time, but not over."""
        pause = threading.Event()
        before = -1
        while before < self.flooded < self.to_flood:
            before = self.flooded
            pause.wait(seconds)
        return self.flooded < self.to_flood

    def _take(self) -> bool:
        if self.message is None:
            self.message = self.dialect.take(self.stream)
        if self.message in self.late:
            self.late = self.late - {self.message}
            self.message = None
            return self._take()
        return self.message is not None

    def get(self, expected: str = "a message") -> str:
        """Wait for the next message and return it."""
        with self.changed:
            if not self._wait(self._take) or self.message is None:
                instead = self.ended or f"nothing came within {self.story.deadline:g} s"
                if self.stream:
                    instead += f"; not a whole message: {bytes(self.stream[:MAX_SHOWN])!r}"
                self.story.fail(self.name, expected, instead)
            message, self.message = self.message, None
        self.story.add(self.name, "gets", message)
        return message

    def expect(self, *messages: str) -> None:
        """Check that the next messages are these."""
        for expected in messages:
            got = self.get(shown(expected))
            if got != expected:
                self.story.fail(self.name, shown(expected, got), f"got {shown(got, expected)}")

    def expect_server_line(self) -> str:
        """Check that the next message is one of the server's own; return it."""
        got = self.get("a line of the server's, '* ...'")
        if not got.startswith("* "):
            self.story.fail(self.name, "a line of the server's, '* ...'", f"got {shown(got)}")
        return got

    def skip_to(self, expected: str) -> list[str]:
        """Wait for this message; return those that came before it."""
        skipped = []
        while (got := self.get(shown(expected))) != expected:
            skipped.append(got)
        return skipped

    def get_bytes(self, count: int) -> bytes:
        """Wait for `count` bytes and return them."""
        with self.changed:
            self._wait(lambda: len(self.stream) >= count)
            data = bytes(self.stream[:count])
            del self.stream[:count]
        if len(data) < count:
            self.story.fail(self.name, f"{count} bytes", f"got {len(data)}. {self.ended}")
        return data

    def has_received(self, data: bytes, within: float) -> bool:
        """Wait until `data` is in the stream, at most `within` seconds; take nothing out."""
        with self.changed:
            searched = 0

            def found() -> bool:
                nonlocal searched
                start, searched = max(searched - len(data), 0), len(self.stream)
                return self.stream.find(data, start) >= 0 or bool(self.ended)

            return self.changed.wait_for(found, within) and not self.ended

    def skip_to_end(self) -> list[str]:
        """Wait for the end of the stream; return the whole messages that came before it."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended, self.story.deadline)
        if not self.ended:
            self.story.fail(self.name, "the end of the stream", "it goes on")
        skipped = []
        while self._take():
            skipped.append(self.get())
        return skipped

    def expect_end(self) -> str:
        """Wait for the end of the stream, with nothing before it; return how it ended."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended, self.story.deadline)
            waits = repr(self.message) if self._take() else ""
        if not self.ended or self.stream or waits:
            instead = waits or repr(bytes(self.stream[:MAX_SHOWN]))
            instead = f"got {instead}" if self.stream or waits else "it goes on"
            self.story.fail(self.name, "the end of the stream", instead)
        return self.ended

    def leave(self) -> None:
        """Close, and be no longer counted among those in the room."""
        self.joined = False
        self.close()

    def half_close(self) -> None:
        """Say that no more will be sent, and go on reading."""
        self.story.add(self.name, "half-closes", "")
        with contextlib.suppress(OSError):  # the server has broken it off already
            self.connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.story.add(self.name, "closes", "")
        self._close()

    def reset(self) -> None:
        """Break the connection off: the server gets "connection reset by peer"."""
        self.story.add(self.name, "resets", "")
        size = "ii" if os.name == "posix" else "hh"
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(size, 1, 0))
        self._close()

    def _close(self) -> None:
        if self.reader:
            self.closing = True
            if os.name != "nt":
                with contextlib.suppress(OSError):  # the stream has ended already
                    self.connection.shutdown(socket.SHUT_RD)
            self.reader.join()  # as long as it is in `recv`, the connection is not closed
        self.connection.close()


class Chat:
    """A running server of some step, and the people who talk there."""

    def __init__(self, step: int, server: Server | None, story: Story) -> None:
        self.step, self.server, self.story = step, server, story
        self.port = server.port if server else 0
        self.dialect = self.dialect_of(step)
        self.people: list[Peer] = []

    @staticmethod
    def dialect_of(step: int) -> type:
        """Return how messages stand in the stream of a step."""
        return Frames if step == 4 else Lines

    def connect(self, name: str, reads: bool = True) -> Peer:
        """Connect somebody who then does nothing."""
        peer = Peer(self.port, name, self.dialect, self.story, reads)
        self.people.append(peer)
        return peer

    def join(self, name: str, alone: bool = False) -> Peer:
        """Connect somebody who can talk when this returns (in step 2 perhaps has to wait).

        `alone`: all others have left, though the server of step 2 may not know it yet.
        """
        peer = self.connect(name)
        if self.step == 2:
            line = peer.expect_server_line()
            while alone and line == "* the second user is here":
                peer.skip_to_end()  # of a first one who left while waiting: connect again
                peer = self.connect(name)
                line = peer.expect_server_line()
            for other in self.people:
                if other.joined and line == "* the second user is here":
                    other.expect(line)
        elif self.step >= 3:
            peer.expect("* enter your nickname")
            peer.say(name)
            peer.expect(f"* welcome, {name}")
            if self.step == 4:
                peer.expect("* online: " + ", ".join([*self.names(), name]))
            for other in self.people:
                if other.joined:
                    other.expect(f"* {name} joined")
                    if self.step == 3:  # it may be sent to whoever is here when its turn comes
                        peer.late |= {f"* {other.name} joined"}
        peer.joined = True
        return peer

    def names(self) -> list[str]:
        """Return who is in the room, in the order of joining."""
        return [peer.name for peer in self.people if peer.joined]

    def heard(self, author: str, text: str) -> str:
        """Return how the others read what `author` says."""
        return f"{author}: {text}" if self.step >= 3 else text

    def close(self) -> None:
        for peer in self.people:
            try:
                peer._close()
            except OSError:  # closed already
                pass


def wait_until(
    condition: Callable[[], bool],
    what: str,
    story: Story,
    instead: Callable[[], str] = lambda: "it did not come true",
) -> None:
    """Wait for something that no message tells: look again and again, until the deadline."""
    pause = threading.Event()
    deadline = time.monotonic() + story.deadline
    while not condition():
        if time.monotonic() > deadline:
            story.fail("everybody", what, instead())
        pause.wait(0.02)
