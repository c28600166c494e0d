"""A program in a process of its own, at a terminal of its own, whose output is always read."""

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tools.check import guard, system
from tools.check.reading import draw

try:
    import fcntl
    import pty
    import struct
    import termios
except ImportError:  # Windows: pipes instead
    pty = None

KEPT = 1_000_000  # bytes of a program's output that are kept
WIDTH, HEIGHT = 200, 50
TERMINAL = pty is not None
PAUSE = 0.01  # seconds between two looks

changed = threading.Condition()  # some program has written something, or has ended


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition holds; look again whenever a program has written something."""
    deadline = time.monotonic() + seconds
    with changed:
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            changed.wait(min(left, 0.05))
        return True


class Process:
    """A running program. Positions in its output count from its first byte."""

    def __init__(
        self, command: list[str], folder: Path, place: Path, terminal: bool = TERMINAL
    ) -> None:
        self.command, self.folder, self.terminal = command, folder, terminal
        self.closed = False
        self.uncooked = False  # whether the checker has turned line editing off
        self.output, self.dropped = bytearray(), 0
        self.position, self.last = 0, time.monotonic()  # where the output ends now, since when
        environment = guard.environment(terminal, place / "tmp")
        options = {"cwd": folder, "env": environment, "close_fds": True}
        if os.name == "posix":
            options |= {"start_new_session": True, "preexec_fn": lambda: guard.before_start(place)}
        options |= {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
        with contextlib.ExitStack() as stack:
            if terminal:
                self.keyboard, screen = pty.openpty()
                stack.callback(os.close, screen)
                fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("4H", HEIGHT, WIDTH, 0, 0))
                options |= {"stdin": screen, "stdout": screen}
            self.process = subprocess.Popen(command, stderr=subprocess.STDOUT, **options)
            if not terminal:
                self.keyboard = self.process.stdin.fileno()
        if os.name == "posix":
            os.set_blocking(self.keyboard, False)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    # What it writes

    def _read(self) -> None:
        while data := self._next():
            with changed:
                self.output += data
                self.position += len(data)
                self.last = time.monotonic()
                if len(self.output) > 2 * KEPT:
                    self.dropped += len(self.output) - KEPT
                    del self.output[:-KEPT]
                changed.notify_all()
            if b"\x1b[6n" in data:  # where is the cursor? A terminal answers
                self._write(b"\x1b[1;1R")
        with changed:
            changed.notify_all()

    def _next(self) -> bytes:
        if not self.terminal:
            try:
                return os.read(self.process.stdout.fileno(), 65_536)
            except (OSError, ValueError):
                return b""
        while not self.closed:
            try:
                if select.select([self.keyboard], [], [], 0.1)[0]:
                    return os.read(self.keyboard, 65_536)
            except BlockingIOError:
                continue
            except OSError:  # nobody has the terminal open any more
                return b""
        return b""

    def raw(self, since: int = 0, until: int | None = None) -> str:
        """Return what it has written from one position to another, as it came."""
        with changed:
            end = None if until is None else max(0, until - self.dropped)
            data = bytes(self.output[max(0, since - self.dropped) : end])
        return data.decode("utf-8", "replace")

    def lines(self, since: int = 0, until: int | None = None) -> list[str]:
        """Return the lines that were drawn between two positions; the last one is unfinished."""
        return draw(self.raw(since, until))

    def shows(self, text: str, since: int, seconds: float) -> bool:
        """Wait until `text` is on the screen."""
        sought = text.encode()
        return wait_for(
            lambda: self.output.find(sought, max(0, since - self.dropped)) >= 0, seconds
        )

    def quiet(self, silence: float, most: float) -> bool:
        """Wait until it has written nothing for `silence` seconds; at most `most`."""
        asked = time.monotonic()
        return wait_for(lambda: time.monotonic() - max(self.last, asked) >= silence, most)

    # What it is told

    def _write(self, data: bytes, seconds: float = 5.0) -> bool:
        """Put bytes into its keyboard; False if it did not take them in time."""
        deadline = time.monotonic() + seconds
        while data:
            try:
                data = data[os.write(self.keyboard, data[:1024]) :]
            except BlockingIOError:
                if time.monotonic() > deadline or not self.alive():
                    return False
                time.sleep(PAUSE)
            except OSError:
                return False
        return True

    def canonical(self, on: bool) -> None:
        """Let the terminal edit lines, or not: edited lines end after 4,095 bytes."""
        with contextlib.suppress(OSError, termios.error):
            settings = termios.tcgetattr(self.keyboard)
            if on != bool(settings[3] & termios.ICANON):
                settings[3] ^= termios.ICANON
                termios.tcsetattr(self.keyboard, termios.TCSANOW, settings)
                self.uncooked = not on

    def types(self, text: str, seconds: float = 5.0) -> bool:
        """Type text and Enter; several lines are pasted at once."""
        enter = "\r" if self.terminal else "\n"
        data = (text.replace("\n", enter) + enter).encode()
        if self.terminal and len(data) > 1000:
            self.canonical(False)
        return self._write(data, seconds)

    def ends_input(self) -> None:
        """Type Ctrl-D (at Windows: close the pipe)."""
        if self.terminal:
            if self.uncooked:
                self.canonical(True)
            self._write(b"\x04")
        else:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    # Its process

    def family(self) -> list[int]:
        """Return its processes: itself, and all that it started."""
        return system.family(self.process.pid)

    def alive(self) -> bool:
        """Return whether its process runs."""
        return self.process.poll() is None

    def ends(self, seconds: float) -> bool:
        """Wait for its end; what it wrote last has been read then."""
        ended = wait_for(lambda: not self.alive(), seconds)
        if ended:
            self.reader.join(0.5)
        return ended

    def signal(self, number: int) -> None:
        """Send a signal to it and to all that it started."""
        with contextlib.suppress(OSError, ValueError):  # Windows knows few signals
            if os.name == "posix":
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a closed window or a crash does: without a word."""
        if os.name == "posix":
            self.signal(signal.SIGKILL)
        elif self.alive():
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(self.process.pid)], **quiet)
            self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it, and forget its terminal."""
        self.kill()
        self.reader.join(0.3)
        self.closed = True
        self.reader.join(2)
        if self.terminal:
            os.close(self.keyboard)
        else:
            for stream in self.process.stdin, self.process.stdout:
                with contextlib.suppress(OSError):
                    stream.close()
