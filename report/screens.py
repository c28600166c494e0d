"""Still pictures for README.md, drawn from real runs: the tour, and a chat in three terminals.

Run:  python report/screens.py [tour chat]

Each picture shows what a terminal showed, with its colours. What was typed is bold.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

if os.name == "nt":
    sys.exit("screens: Windows has no pseudo-terminals; Linux, macOS and WSL have")

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("steps", "tests")]

from tools import entry  # noqa: E402
from tools.harness import STEPS, NotAsTold, Story  # noqa: E402

try:
    import drawing
    import terminals
    from panes import BAR, CHAR, CTRL_C, FONT_SIZE, GAP, LINE, PAD, Pane
except ModuleNotFoundError as error:
    sys.exit(entry.missing("screens", error, "report"))

PICTURES = HERE / "screens"
COLOURS = {  # of a terminal, on white
    "default": "#1f2328",
    **{"red": "#cf222e", "green": "#1a7f37", "brown": "#9a6700"},
    **{"magenta": "#8250df", "cyan": "#0a7c8c"},
}
TALL = 120  # rows of a terminal: nothing scrolls away
FIRST, BEHIND = "limit: Two quick", "limit: There is no word"  # of the tour


class Screen(Pane):
    """A shell in a terminal of this width, on a screen that is high enough for all."""

    def __init__(self, title: str, columns: int, story: Story) -> None:
        super().__init__(title, drawing.ROOT, story)
        self.columns = columns
        with self.changed:
            self.process.setwinsize(TALL, columns)
            self.screen.resize(TALL, columns)

    def drawn(self, number: int, y: float) -> Iterator[str]:
        """Draw a line word by word, each as wide in any monospaced font as in the right one."""
        row = self.screen.buffer[number]
        start, end = self.typed.get(number, (0, 0))
        # A character of double width has an empty cell behind it.
        cells = [
            (row[x].data in ("", " "), row[x].fg, row[x].bold or start <= x < end, x)
            for x in range(self.columns)
        ]
        for (empty, colour, bold), same in groupby(cells, lambda cell: cell[:3]):
            columns = [x for *_, x in same]
            if empty:
                continue
            text = "".join(row[x].data for x in columns)
            room = len(text) + sum(row[x + 1].data == "" for x in columns)
            weight = ' font-weight="bold"' if bold else ""
            place = f'x="{PAD + columns[0] * CHAR:.2f}" y="{y}" textLength="{room * CHAR:.2f}"'
            look = f'lengthAdjust="spacingAndGlyphs" fill="{COLOURS[colour]}"{weight}'
            yield f"<text {place} {look}>{escape(text)}</text>"


def tour(story: Story) -> list[tuple[Screen, range]]:
    """Three limits of step 3 in the tour."""
    with Screen("python3 steps", 80, story) as screen:
        screen.enters("python3 steps 3 --no-pause --lang en")
        screen.ends()
        lines = screen.lines_to_cursor()
        if "NOT AS TOLD" in "".join(lines):
            story.fail("the tour", "to go as told", "\n".join(lines))
        starts = [next(n for n, line in enumerate(lines) if at in line) for at in (FIRST, BEHIND)]
    return [(screen, range(starts[0], starts[1] - 1))]


def chat(story: Story) -> list[tuple[Screen, range]]:
    """Two users of step 4 and their server."""
    port, folder = terminals.free_port(terminals.PORT), f"steps/{STEPS[4].name}"
    option = "" if port == terminals.PORT else f" --port {port}"
    with contextlib.ExitStack() as stack:
        opened = [Screen(title, 64, story) for title in ("server", "ann", "bob")]
        server, ann, bob = map(stack.enter_context, opened)
        server.runs(f"python3 {folder}/server.py{option}", "")
        server.shows(f"listening on 127.0.0.1:{port}")
        for user in (ann, bob):
            user.runs(f"python3 {folder}/client.py --nick {user.title}{option}", f"{user.title}> ")
            user.shows(f"* welcome, {user.title}")
        terminals.all_show([ann], "* bob joined")
        terminals.says(ann, "hi, who is here?", [bob], "ann: ")
        terminals.says(bob, "just me", [ann], "bob: ")
        ann.enters("/who")
        ann.shows("* online: ann, bob")
        bob.enters("/quit")
        terminals.all_end([bob], "* bye")
        ann.shows("* bob left")
        server.ends(CTRL_C)
        terminals.all_end([ann], "* server is shutting down")
    return [(each, range(len(each.lines_to_cursor()) - 1)) for each in (server, ann, bob)]


def picture(panes: list[tuple[Screen, range]]) -> str:
    """Return an SVG of terminals, one below the other."""
    frames, y, widest = [], 1.0, 0.0
    for screen, shown in panes:
        wide = screen.columns * CHAR + 2 * PAD
        tall = BAR + 2 * PAD + LINE * len(shown)
        bar = f"M0 {BAR}V6a6 6 0 0 1 6-6H{wide - 6:.2f}a6 6 0 0 1 6 6V{BAR}z"
        frames += [
            f'<g transform="translate(1 {y})">',
            f'<rect width="{wide:.2f}" height="{tall}" rx="6" fill="#fff" stroke="#777"/>',
            f'<path d="{bar}" fill="#e6e6e6" stroke="#777"/>',
            f'<text x="{PAD}" y="{BAR - 8}" fill="#1f2328">{escape(screen.title)}</text>',
        ]
        for place, number in enumerate(shown):
            base = BAR + PAD + place * LINE + FONT_SIZE
            frames += screen.drawn(number, base)
        frames.append("</g>")
        y, widest = y + tall + GAP, max(widest, wide)
    size = f"{widest + 2:.0f} {y - GAP + 1:.0f}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-size="{FONT_SIZE}"'
        ' width="{}" height="{}"'.format(*size.split())
        + " font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\">"
    )
    return "\n".join([head, *frames, "</svg>"])


STORIES = {story.__name__: story for story in (tour, chat)}


def sources(name: str) -> list[str]:
    """Return the files that a picture was made from, as paths from the root."""
    step = STEPS[{"tour": 3, "chat": 4}[name]]
    tools = [STEPS[3].parent / "tools" / f"{tool}.py" for tool in ("tour", "stage", "screen")]
    found = [*step.glob("*.py"), *(tools if name == "tour" else []), Path(__file__).resolve()]
    return [path.relative_to(drawing.ROOT).as_posix() for path in found]


def make(name: str, folder: Path = PICTURES) -> None:
    """Play a session and keep its picture."""
    svg = picture(STORIES[name](Story()))
    (folder / f"{name}.svg").write_text(
        f"{svg}\n{drawing.mark(sources(name))}", "utf-8", newline="\n"
    )


def main() -> int:
    """Make the pictures that are asked for, or all; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="tour or chat; without, both")
    wanted = parser.parse_args().names or list(STORIES)
    if unknown := [name for name in wanted if name not in STORIES]:
        parser.exit(2, f"screens: {unknown[0]!r} is none of {', '.join(STORIES)}\n")
    for name in wanted:
        try:
            make(name)
        except NotAsTold as error:
            print(f"{name}: not as told\n{error}", flush=True)
            return 1
        print(f"screens/{name}.svg", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(entry.run("screens", main))
