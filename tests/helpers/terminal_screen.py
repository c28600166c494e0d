"""A client at a terminal: a pseudo-terminal with a screen that a test can look at."""

import termios
import threading
import time
from collections.abc import Callable, Container

import pyte

from pseudo_terminal import SIZE, PseudoTerminal
from tools.harness import Story

SETTLED = 0.5  # seconds that a program may take before it reads single keys


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(
        self,
        command: list[str],
        story: Story,
        name: str = "client",
        size: tuple[int, int] = SIZE,
        **options,
    ) -> None:
        self.story, self.name = story, name
        self.process = PseudoTerminal(command, size, **options)
        self.output = b""  # all of it, as it came
        self.screen = pyte.Screen(*reversed(size))
        # A program may ask where the cursor is: the terminal answers like a real one.
        self.screen.write_process_input = self.process.write
        self.stream = pyte.ByteStream(self.screen)
        self.changed = threading.Condition()
        self.ended = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        try:
            while True:
                data = self.process.read()
                with self.changed:
                    self.output += data
                    self.stream.feed(data)
                    self.changed.notify_all()
        except EOFError:
            with self.changed:
                self.ended = True
                self.changed.notify_all()

    def lines(self) -> list[str]:
        """Return the lines on the screen, without trailing spaces and empty lines."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def types(self, keys: str) -> None:
        """Press keys: "\\r" is Enter, "\\x03" Ctrl-C, "\\x04" Ctrl-D, "\\x1b[A" the arrow up."""
        self.story.add(self.name, "types", keys)
        self.process.write(keys)

    def settles(self) -> None:
        """Wait until the program reads single keys, if it does that: before, a key may be lost."""
        end = time.monotonic() + SETTLED
        while time.monotonic() < end and termios.tcgetattr(self.process.fd)[3] & termios.ICANON:
            time.sleep(0.01)

    def shows(self, *expected: str, times: int = 1) -> None:
        """Wait until each of these is a line on the screen."""
        self.waits(
            lambda: all(self.lines().count(line) >= times for line in expected),
            f"the lines {expected} on the screen",
        )

    def waits_at(self, prompt: str, behind: Container[int] = ()) -> None:
        """Wait until nothing but a prompt is left of the cursor, in another line than those."""

        def is_there() -> bool:
            cursor = self.screen.cursor
            return cursor.y not in behind and self.screen.display[cursor.y][: cursor.x] == prompt

        self.waits(is_there, f"the prompt {prompt!r}")

    def waits(self, until: Callable[[], bool], expected: str) -> None:
        """Wait until a look at the screen finds what is expected."""
        with self.changed:
            found = self.changed.wait_for(until, self.story.deadline)
        if not found:
            picture = "\n    ".join(["the screen shows", *self.lines()])
            self.story.fail(self.name, expected, picture)

    def exits(self, within: float) -> int:
        """Wait for the end of the program; return its exit status."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.ended, within):
                self.story.fail(self.name, f"to end within {within} s", "it runs on")
        return self.process.wait()

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.is_alive():
            self.process.process.kill()
        self.reader.join(self.story.deadline)  # before `close`, which waits for its `read`
        self.process.__exit__()
