"""Pictures of terminals: real programs at real pseudo-terminals. build.py makes them.

`pictures` are for the report, `screens` for README.md at the top. What is typed is bold. A session
waits for what the screens show: it takes as long as the programs take, and shows the same each
time but for the order in which a server that stops lets users go.
"""

import contextlib
import socket
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

import drawing
from facts import ROOT, Problem

sys.path.append(str(ROOT / "tests" / "helpers"))

import screen
from tools.harness import STEPS, NotAsTold, Story

PORT = 8080  # where the programs meet
LISTENING = f"listening on 127.0.0.1:{PORT}"
KEYS = {"^C": "\x03", "^D": "\x04"}  # of which a terminal shows the first
NARROW, ROWS = 45, 150  # columns of a terminal of the report: of two on a page, 14 px are 8.2 pt
CHAR, LINE, BAR, GAP = 14 * 0.602, 18, 24, 8  # px: 14 px is the size of the font in START
COLOURS = {"default": "#1f2328", "brown": "#9a6700", "magenta": "#8250df", "cyan": "#0a7c8c"}
START = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {:.2f} {}" font-size="14" \
font-family="'DejaVu Sans Mono', Menlo, Consolas, monospace">"""
FRAME = '<rect x="{:.2f}" y="{}" width="{:.2f}" height="{}" fill="{}" stroke="#777"/>'

Deed = tuple[str, ...]  # who, what they type, what they see then, what all other users see then
Line = list[tuple[str, str, bool]]  # texts, with their colours and whether they are bold


def step3() -> Iterator[Deed]:
    """Three users give their nicknames and talk; one leaves, then the server stops."""
    yield "сервер", "python3 server.py", LISTENING
    for nick in ("Анна", "Борис", "Вера"):
        yield nick, "python3 client.py", "* enter your nickname"
        yield nick, nick, f"* welcome, {nick}", f"* {nick} joined"
    yield "Анна", "всем привет!"
    yield "Борис", "привет, Анна"
    yield "Вера", "здравствуйте"
    yield "Борис", "^D", "", "* Борис left"
    yield "Анна", "Борис ушёл, нас двое"
    yield "сервер", "^C", ""


def step4(server: str, nicks: list[str], hello: str, answer: str, at: str = "") -> Iterator[Deed]:
    """Users talk, the last one asks /who, the second leaves with /quit; the server stops."""
    yield server, f"python3 {at}server.py", LISTENING
    for nick in nicks:
        yield nick, f"python3 {at}client.py --nick {nick}", f"* welcome, {nick}", f"* {nick} joined"
    yield nicks[0], hello
    yield nicks[1], answer
    yield nicks[-1], "/who", f"* online: {', '.join(nicks)}"
    yield nicks[1], "/quit", "* bye", f"* {nicks[1]} left"
    yield server, "", f"{nicks[1]} left: bye"
    yield server, "^C", ""


STEP1 = [
    ("сервер", "python3 server.py", LISTENING),
    ("клиент", "python3 client.py", ""),
    *(("клиент", line, line) for line in ("привет", "TCP передаёт байты, а не сообщения")),
    ("клиент", "^D", ""),
    ("сервер", "^C", ""),
]
STEP4 = step4("сервер", ["Анна", "Борис", "Вера"], "всем привет!", "привет, Анна")
CHAT = step4("server", ["ann", "bob"], "hi, who is here?", "just me", f"steps/{STEPS[4].name}/")
TOUR = ("python3 steps", "python3 steps 3 --no-pause --lang en", "Went as told: 7 of 7.")
LIMITS = "limit: Two quick messages become one", "limit: There is no word to leave with"
STORIES = {  # the step, the columns, the deeds, the lines between which the picture is taken
    "pictures/step1": (1, NARROW, STEP1),
    "pictures/step3": (3, NARROW, [*step3()]),
    "pictures/step4": (4, NARROW, [*STEP4]),
    "screens/chat": (4, 64, [*CHAT]),
    "screens/tour": (3, 80, [TOUR], *LIMITS),
}


class Pane(screen.Terminal):
    """A program in a terminal of its own, which remembers what was typed where."""

    def __init__(self, who: str, command: str, folder: Path, columns: int, story: Story) -> None:
        self.command, self.prompt = command, f"{who}> " if "--nick" in command else ""
        self.typed: dict[int, range] = {}  # line: columns
        world = {"LC_ALL": "C.UTF-8", "TERM": "xterm", "NO_COLOR": "1" * (columns == NARROW)}
        program = [sys.executable, *command.split()[1:]]
        super().__init__(program, story, who, (ROWS, columns), cwd=folder, env=world)

    def enters(self, text: str) -> None:
        """Type a line at the prompt, or press a key."""
        self.waits_at(self.prompt, self.typed)
        self.typed[self.screen.cursor.y] = range(len(self.prompt), len(self.prompt + text))
        self.types(KEYS.get(text, f"{text}\r"))

    def drawn(self, title: str, first: str = "", behind: str = "") -> list[Line]:
        """Return the title, the command, the lines up to an empty one or those between two."""
        lines = [line.rstrip() for line in self.screen.display]
        for line in (first, behind):
            if line and line not in lines:
                raise ValueError(f"на экране нет строки {line!r}")
        drawn = [[(title, "default", False)]]
        drawn += [[("$ ", "default", False), (self.command, "default", True)]]
        for y in range(lines.index(first or lines[0]), lines.index(behind) - bool(behind)):
            row, typed = self.screen.buffer[y], self.typed.get(y, ())
            end = max((x + 1 for x, cell in row.items() if cell.data.strip()), default=0)
            drawn.append([(row[x].data, row[x].fg, row[x].bold or x in typed) for x in range(end)])
        return drawn


def make(name: str, path: Path) -> None:
    """Play a session and keep its picture."""
    step, columns, deeds, *part = STORIES[name]
    folder = STEPS[step] if columns == NARROW else ROOT
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", PORT)) == 0:
            raise Problem(f"порт {PORT} занят: остановите сервер, который на нём работает")
    title = f"Терминал {{0}}: {{1:11}}{folder.name:>22}" if columns == NARROW else "{1}"
    try:
        panes = enumerate(play(deeds, folder, columns), 1)
        windows = [pane.drawn(title.format(n, pane.name), *part) for n, pane in panes]
    except (NotAsTold, ValueError) as error:
        raise Problem(f"{name}: сеанс пошёл не так\n{error}") from None
    tools = [ROOT / f"steps/tools/{tool}.py" for tool in ("tour", "stage", "screen") if part]
    sources = [*STEPS[step].glob("*.py"), *tools, Path(__file__)]
    drawing.save(picture(windows, columns), path, 25.4 / 96, sources)


def play(deeds: list[Deed], folder: Path, columns: int) -> list[Pane]:
    """Let everybody do what they do, until all programs have ended; return the terminals."""
    story, panes = Story(), {}
    with contextlib.ExitStack() as stack:
        for who, typed, *seen in deeds:
            own, others = (*seen, "")[:2] if seen else ("", f"{who}: {typed}")  # said to all
            times = 1
            if who not in panes:
                panes[who] = stack.enter_context(Pane(who, typed, folder, columns, story))
            elif typed:  # what was there before, and what is typed itself, is no answer
                times += panes[who].lines().count(own) + (own == typed)
                panes[who].enters(typed)
            panes[who].shows(*filter(None, [own]), times=times)
            if typed in ("^D", "/quit"):
                panes[who].exits(story.deadline)
            for other in [*panes.values()][1:]:
                if others and other is not panes[who] and not other.ended:
                    other.shows(others)
        for pane in panes.values():
            pane.exits(story.deadline)
    return [*panes.values()]


def picture(windows: list[list[Line]], columns: int) -> str:
    """Return an SVG of windows: narrow ones in two columns, in reading order down the first."""
    half = (len(windows) + 1) // 2 if columns == NARROW else len(windows)
    parts = [part for part in (windows[:half], windows[half:]) if part]
    tall = max(sum(BAR + LINE * len(window) for window in part) for part in parts)
    wide = (columns + 2) * CHAR
    svg = [START.format(len(parts) * (wide + GAP) - GAP + 2, tall + 2)]
    for number, part in enumerate(parts):
        x, y = number * (wide + GAP), 0
        svg.append(FRAME.format(x, y, wide, tall, "none"))
        for title, *lines in part:
            svg += [FRAME.format(x, y, wide, BAR, "#e6e6e6"), text(title, x, y + BAR - 7)]
            svg += [text(line, x, y + BAR + LINE * n) for n, line in enumerate(lines, 1)]
            y += BAR + LINE * (len(lines) + 1)
    return "\n".join([*svg, "</svg>"])


def text(line: Line, x: float, y: float) -> str:
    """Return a line as SVG, as wide in any monospaced font as in the right one."""
    spans, columns = "", sum(len(text) or 1 for text, *_ in line)  # "" is behind a wide character
    for (colour, bold), same in groupby(line, lambda run: run[1:]):
        look = f'fill="{COLOURS.get(colour, colour)}" font-weight="{"bold" if bold else "normal"}"'
        spans += f"<tspan {look}>{escape(''.join(text for text, *_ in same))}</tspan>"
    place = f'x="{x + CHAR:.2f}" y="{y}" textLength="{columns * CHAR:.2f}"'
    return f'<text {place} lengthAdjust="spacingAndGlyphs" xml:space="preserve">{spans}</text>'
