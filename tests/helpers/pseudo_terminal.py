"""A program at a pseudo-terminal: it is asked what it would print there, and keys are pressed."""

import codecs
import os
import subprocess
import sys
import termios

SIZE = (24, 80)  # rows, columns
# A new process takes the terminal as its own and becomes the program. The usual way, `forkpty`,
# would copy this process, in which there are threads: Python 3.14 warns of that.
BECOME = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


class PseudoTerminal:
    """The keyboard and the screen of a program that runs in a session of its own."""

    def __init__(self, command: list[str], size: tuple[int, int] = SIZE, **options) -> None:
        self.fd, inside = os.openpty()
        termios.tcsetwinsize(inside, size)
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", BECOME, *command],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
            **options,
        )
        os.close(inside)
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def read(self) -> bytes:
        """Wait for what the program writes, and return it; raise EOFError when it has ended."""
        try:
            data = os.read(self.fd, 65_536)
        except OSError:  # so Linux tells the end
            data = b""
        if not data:
            raise EOFError
        return data

    def read_text(self) -> str:
        return self.decoder.decode(self.read())

    def write(self, keys: str) -> None:
        """Press keys: "\\x03" is Ctrl-C."""
        data = keys.encode()
        while data:
            data = data[os.write(self.fd, data) :]

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def wait(self) -> int:
        """Wait for the end of the program; return its exit status."""
        return self.process.wait()

    def __enter__(self) -> "PseudoTerminal":
        return self

    def __exit__(self, *exception: object) -> None:
        """End the program, whatever state it is in. Nobody may be in `read` any more."""
        if self.is_alive():
            self.process.kill()
        self.process.wait()
        os.close(self.fd)
