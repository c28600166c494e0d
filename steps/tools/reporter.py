"""What the tap prints: a line for each event, and the bytes in hexadecimal and as text."""

import contextlib
import itertools
import queue
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import TextIO

from tools.language import tr
from tools.screen import DIM, RED, Screen

TICK = 0.2  # seconds between two looks whether to go on waiting
SHOWN = 4  # rows of a chunk on the screen; the log has all of them
ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
CUT = "\ufffd"  # stands for a byte of a character whose other bytes are not in this chunk


def size(count: int) -> str:
    """Say how many bytes: Russian has three forms for it."""
    few = count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14)
    return f"{count} " + tr("байта" if few else "байт", "byte" if count == 1 else "bytes")


class Visible(dict):
    """How characters are shown, by their numbers."""

    def __missing__(self, number: int) -> str:
        char = chr(number)
        if "\udc80" <= char <= "\udcff":  # this is how `rows` decodes a stray byte
            self[number] = CUT
        else:
            self[number] = char if char.isprintable() else ESCAPES.get(char, "·")
        return self[number]


VISIBLE = Visible()


def rows(data: bytes, most: int) -> Iterator[tuple[bytes, str]]:
    """Split bytes into rows of at most `most`; no character is divided between two rows."""
    text = data.decode("utf-8", "surrogateescape")
    start = 0
    while start < len(text):
        end = start + most
        while len(row := text[start:end].encode("utf-8", "surrogateescape")) > most:
            end -= 1
        yield row, text[start:end].translate(VISIBLE)
        start = end


class Reporter:
    """Prints what happens, and writes all of it into the log. Threads put events into a queue."""

    def __init__(self, log: TextIO | None) -> None:
        self.screen, self.log = Screen(), log
        self.events: queue.Queue = queue.Queue(1000)  # bounded: a screen that stops is waited for

    def put(self, text: str, style: str, data: bytes = b"") -> None:
        """Note an event. For any thread."""
        self.events.put((f"{datetime.now():%H:%M:%S.%f}"[:-3], text, style, data))

    def run(self) -> None:
        """Print events until Ctrl-C."""
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                # With a timeout: Windows notices Ctrl-C only between two waits.
                with contextlib.suppress(queue.Empty):
                    self.show(*self.events.get(timeout=TICK))

    def show(self, moment: str, text: str, style: str, data: bytes) -> None:
        """Print one event, and write it into the log."""
        if self.log:  # first: whoever sees the event on the screen finds it in the log
            lines = [f"    {row.hex(' '):49}{shown}" for row, shown in rows(data, 16)]
            print(f"{moment} {text}", *lines, sep="\n", file=self.log, flush=True)
        paint, most = self.screen.paint, 16 if self.screen.width >= 76 else 8
        print(paint(moment, DIM), paint(text, style))
        left = len(data)
        for row, shown in itertools.islice(rows(data, most), SHOWN):
            hexadecimal = f"{row.hex(' '):{3 * most + 1}}"
            print("   ", hexadecimal + shown.replace(CUT, paint(CUT, RED)))
            left -= len(row)
        if left:
            print("   ", paint(tr("… и ещё ", "… and ") + size(left) + tr("", " more"), DIM))
        sys.stdout.flush()
