"""A shell in a terminal of its own, and an SVG of several of them."""

import os
import sys
from pathlib import Path
from xml.sax.saxutils import escape

import drawing
import screen
from tools.harness import Story

ROWS, COLUMNS = 24, 45  # of each terminal: two of them side by side are printed in 8 pt
ENTER, CTRL_C = "\r", "\x03"

FONT_SIZE = 14
CHAR, LINE = FONT_SIZE * 0.602, 18  # what a character of DejaVu Sans Mono takes
PAD, BAR, GAP = 8, 26, 8  # around the text, the height of a title bar, between panes
PANE = COLUMNS * CHAR + 2 * PAD
WIDTH = 2 * PANE + GAP + 2  # with half of a frame's line on each side


class Pane(screen.Terminal):
    """A shell in a terminal of its own; it remembers what was typed where."""

    def __init__(self, title: str, folder: Path, story: Story) -> None:
        self.title, self.folder = title, folder
        self.typed: dict[int, tuple[int, int]] = {}  # line: where what was typed begins and ends
        self.prompt = "$ "
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        world = {"PATH": path, "PS1": self.prompt, "LC_ALL": "C.UTF-8", "TERM": "xterm"}
        super().__init__(["sh"], story, name=title, cwd=folder, env=world)
        with self.changed:
            self.process.setwinsize(ROWS, COLUMNS)
            self.screen.resize(ROWS, COLUMNS)

    def waits_at(self, text: str) -> None:
        """Wait until the cursor stands behind `text`."""
        with self.changed:
            found = self.changed.wait_for(
                lambda: self.lines_to_cursor()[-1].endswith(text), self.story.deadline
            )
        if not found:
            screen = "\n    ".join(["the screen shows", *self.lines()])
            self.story.fail(self.name, f"the cursor behind {text!r}", screen)

    def lines_to_cursor(self) -> list[str]:
        """Return what stands above the cursor and left of it."""
        lines, cursor = self.screen.display, self.screen.cursor
        return [*map(str.rstrip, lines[: cursor.y]), lines[cursor.y][: cursor.x]]

    def enters(self, text: str) -> None:
        """Type a line at the prompt."""
        self.waits_at(self.prompt)
        self.types(text)
        self.waits_at(text)
        end = self.screen.cursor.x
        self.typed[self.screen.cursor.y] = (end - len(text), end)
        self.types(ENTER)

    def runs(self, command: str, prompt: str) -> None:
        """Start a program from the shell; `prompt` is what it shows when it waits for a line."""
        self.enters(command)
        self.prompt = prompt

    def ends(self, key: str = "") -> None:
        """Press a key that ends the program, or none if it ends by itself; wait for the shell."""
        self.types(key)
        self.prompt = "$ "
        self.waits_at(self.prompt)
        for number, line in enumerate(self.lines_to_cursor()):
            if key == CTRL_C and line.startswith("^C"):
                self.typed[number] = (0, len("^C"))


def picture(panes: list[Pane]) -> str:
    """Return an SVG of terminals: two columns, in reading order down the first one."""
    half = (len(panes) + 1) // 2
    columns = [panes[:half], panes[half:]]
    height = max(sum(map(natural_height, column)) + GAP * (len(column) - 1) for column in columns)
    frames = []
    for x, column in zip((1, 1 + PANE + GAP), columns, strict=True):
        y = 1
        for pane in column:
            # The last one reaches down to the common end.
            tall = height + 1 - y if pane is column[-1] else natural_height(pane)
            frames += frame(pane, x, y, tall)
            y += tall + GAP
    height += 2
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        f'width="{drawing.whole(drawing.PRINTED)}" '
        f'height="{drawing.whole(drawing.PRINTED * height / WIDTH)}" '
        f'viewBox="0 0 {WIDTH:.2f} {height}" font-size="{FONT_SIZE}" '
        "font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\">"
    )
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *frames, "</svg>"])


def natural_height(pane: Pane) -> int:
    """Return how much room a terminal takes with all that it shows."""
    return BAR + 2 * PAD + LINE * len(pane.lines_to_cursor())


def frame(pane: Pane, x: float, y: float, height: float) -> list[str]:
    """Draw one terminal: its frame, a bar with the title and the folder, its lines."""
    folder = pane.folder.name
    bar = f"M0 {BAR}V6a6 6 0 0 1 6-6H{PANE - 6:.2f}a6 6 0 0 1 6 6V{BAR}z"
    parts = [
        f'<g transform="translate({x:.2f} {y})">',
        f'<rect width="{PANE:.2f}" height="{height}" rx="6" fill="#fff" stroke="#777"/>',
        f'<path d="{bar}" fill="#e6e6e6" stroke="#777"/>',
        words(0, BAR - 8, pane.title),
        words(COLUMNS - len(folder), BAR - 8, folder, 'fill="#555"'),
    ]
    for number, line in enumerate(pane.lines_to_cursor()):
        base = BAR + PAD + number * LINE + FONT_SIZE
        start, end = pane.typed.get(number, (0, 0))
        parts.append(words(0, base, line[:start]))
        parts.append(words(start, base, line[start:end], 'font-weight="bold"'))
        parts.append(words(end, base, line[end:]))
    return [*filter(None, parts), "</g>"]


def words(column: int, y: float, text: str, look: str = 'fill="#111"') -> str:
    """Draw a text at a column, as wide in any monospaced font as in the right one."""
    column += len(text) - len(text.lstrip())
    text = text.strip()  # browsers leave such spaces out and would stretch the rest
    if not text:
        return ""
    room = f'textLength="{len(text) * CHAR:.2f}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{PAD + column * CHAR:.2f}" y="{y}" {room} {look}>{escape(text)}</text>'
