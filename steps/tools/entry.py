"""How every tool of the repository starts and ends, whatever becomes of its output.

The programs of the steps do not use this: each of them runs alone.
"""

import errno
import os
import sys
from collections.abc import Callable
from typing import TextIO

GONE = {errno.EPIPE, errno.EINVAL} if os.name == "nt" else {errno.EPIPE}  # nobody reads on
INTERRUPTED = 130  # the exit status that shells give to Ctrl-C


class OutputLost(Exception):
    """What is printed goes nowhere: nobody reads on, or the disk is full."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror)
        self.told = error.errno in GONE  # whoever stops reading knows it


class Output:
    """A stream whose failures cannot be taken for those of a file or of the network."""

    def __init__(self, stream: TextIO | None) -> None:
        # None: it was closed from the start, as by `>&-` in a shell.
        self.stream = stream or open(os.devnull, "w")  # noqa: SIM115 (open until the end)
        self.stream.reconfigure(encoding="utf-8", errors="replace")

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        try:
            return self.stream.write(text)
        except OSError as error:
            raise OutputLost(error) from None

    def flush(self) -> None:
        try:
            self.stream.flush()
        except OSError as error:
            raise OutputLost(error) from None

    def close_quietly(self) -> None:
        """Throw away what cannot be written, or Python complains of it when it ends."""
        try:
            self.flush()
        except OutputLost:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())


def run(name: str, main: Callable[[], int]) -> int:
    """Run the `main` of a program; return the exit status."""
    sys.stdout, sys.stderr = Output(sys.stdout), Output(sys.stderr)
    try:
        try:
            return main()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except OutputLost as lost:
        sys.stdout.close_quietly()
        try:
            if not lost.told:
                print(f"{name}: cannot write its output: {lost}", file=sys.stderr)
        except OutputLost:
            pass
        return 1
    finally:
        sys.stdout.close_quietly()
        sys.stderr.close_quietly()


def missing(name: str, error: ModuleNotFoundError, part: str) -> str:
    """Return the line that says how to get a package that is not installed."""
    return (
        f"{name}: the package {error.name} is missing: install {part}/requirements.txt"
        " as README.md shows, and use the Python of .venv"
    )
