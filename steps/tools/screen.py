"""Standard output: with colours at a terminal, plain elsewhere; how wide it is, what fits."""

import os
import shutil
import sys
import textwrap
import time
from itertools import zip_longest

BOLD, DIM, RED, GREEN, YELLOW, MAGENTA, CYAN = "1", "2", "31", "32", "33", "35", "36"


class Screen:
    """Where a tool prints; after each line it makes a pause for the eye, at a terminal."""

    def __init__(self, pause: float = 0) -> None:
        self.terminal = sys.stdout.isatty()
        self.pause = pause if self.terminal else 0  # seconds
        self.coloured = self.terminal and not os.getenv("NO_COLOR") and os.getenv("TERM") != "dumb"
        if self.coloured and os.name == "nt":
            os.system("")  # from now on the console obeys escape sequences
        self.width = max(40, min(100, shutil.get_terminal_size().columns))

    def paint(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.coloured and text and style else text

    def line(self, text: str = "") -> None:
        print(text.rstrip(), flush=True)
        time.sleep(self.pause)

    def paragraph(self, label: str, label_style: str, text: str, style: str = "") -> None:
        """Print a label and a text, wrapped, beside it."""
        lines = wrapped(text, self.width - len(label) - 1)
        for margin, line in zip_longest([label], lines, fillvalue=" " * len(label)):
            self.line(self.paint(margin, label_style) + self.paint(line, style))


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return the lines of a text; a word is broken only where it is longer than a line."""
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)
