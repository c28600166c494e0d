"""Pictures of terminals: real programs at real pseudo-terminals. build.py makes them.

`pictures/step1` to `step4` are for the report, `screens/chat` and `tour` for README.md at the top.
Each pane is a shell in a terminal of its own; what is typed there is bold. A session waits for
what the screens show: it takes as long as the programs take, and shows the same each time but for
the ports of clients and the order in which a server that stops lets users go.
"""

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

import drawing
from facts import ROOT, Problem

sys.path.append(str(ROOT / "tests"))

import screen
from tools.harness import STEPS, NotAsTold, Story

PORT = 8080  # where the programs meet unless told otherwise
ENTER, CTRL_C, CTRL_D = "\r", "\x03", "\x04"
NARROW, WIDE = 45, 64  # columns: two narrow terminals side by side are printed in 8 pt
ROWS = 120  # nothing scrolls away

FONT_SIZE = 14
CHAR, LINE = FONT_SIZE * 0.602, 18  # what a character of DejaVu Sans Mono takes
PAD, BAR, GAP = 8, 26, 8  # around the text, the height of a title bar, between panes
BLACK, GREY = "#1f2328", "#555"
COLOURS = {"default": BLACK, "red": "#cf222e", "green": "#1a7f37", "brown": "#9a6700"}
COLOURS |= {"magenta": "#8250df", "cyan": "#0a7c8c"}


class Pane(screen.Terminal):
    """A shell in a terminal of its own; it remembers what was typed where."""

    def __init__(self, title: str, folder: Path, columns: int, story: Story) -> None:
        self.title, self.folder, self.columns = title, folder, columns
        self.typed: dict[int, tuple[int, int]] = {}  # line: where what was typed begins and ends
        self.prompt = "$ "
        self.shown = slice(None)  # which lines are drawn
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        world = {"PATH": path, "PS1": self.prompt, "LC_ALL": "C.UTF-8", "TERM": "xterm"}
        if folder != ROOT:  # it is for paper, where only what is typed is bold
            world["NO_COLOR"] = "1"
        super().__init__(["sh"], story, name=title, cwd=folder, env=world)
        with self.changed:
            self.process.setwinsize(ROWS, columns)
            self.screen.resize(ROWS, columns)

    def waits_at(self, text: str) -> None:
        """Wait until the cursor stands behind `text`."""
        with self.changed:
            found = self.changed.wait_for(
                lambda: self.lines_to_cursor()[-1].endswith(text), self.story.deadline
            )
        if not found:
            shown = "\n    ".join(["the screen shows", *self.lines()])
            self.story.fail(self.name, f"the cursor behind {text!r}", shown)

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

    def ends(self, key: str = "") -> None:
        """Press a key that ends the program, or none if it ends by itself; wait for the shell."""
        self.types(key)
        self.prompt = "$ "
        self.waits_at(self.prompt)
        for number, line in enumerate(self.lines_to_cursor()):
            if key == CTRL_C and line.startswith("^C"):
                self.typed[number] = (0, len("^C"))


class Session(contextlib.ExitStack):
    """The terminals of a session: the server's, and one for each user."""

    def __init__(self, folder: Path, columns: int) -> None:
        super().__init__()
        self.folder, self.columns, self.story = folder, columns, Story()
        self.port = free_port()
        self.panes: list[Pane] = []

    def open(self, title: str) -> Pane:
        """Open a terminal."""
        if self.columns == NARROW:
            title = f"Терминал {len(self.panes) + 1}: {title}"
        pane = self.enter_context(Pane(title, self.folder, self.columns, self.story))
        self.panes.append(pane)
        return pane

    def run(self, title: str, command: str, prompt: str = "") -> Pane:
        """Open a terminal and start a program there, which shows `prompt` when it wants a line."""
        pane = self.open(title)
        pane.enters(f"python3 {command}" + ("" if self.port == PORT else f" --port {self.port}"))
        pane.prompt = prompt
        return pane

    def serve(self, title: str = "сервер", folder: str = "") -> Pane:
        """Start the server; it is ready when this returns."""
        server = self.run(title, f"{folder}server.py")
        server.shows(f"listening on 127.0.0.1:{self.port}")
        return server


def free_port(wanted: int = PORT) -> int:
    """Return the port that is wanted if nobody listens there, else any other."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def all_show(users: Iterable[Pane], line: str) -> None:
    """Wait until all users see a line."""
    for user in users:
        user.shows(line)


def all_end(users: Iterable[Pane], last: str) -> None:
    """Wait until all users have seen a line and their programs have ended."""
    all_show(users, last)
    for user in users:
        user.ends()


def says(author: Pane, text: str, others: Iterable[Pane], label: str = "") -> None:
    """Let a user type a line; all others see it behind the label."""
    author.enters(text)
    all_show(others, f"{label}{text}")


def step1(session: Session) -> None:
    """What a client sends comes back."""
    server = session.serve()
    client = session.run("клиент", "client.py")
    for line in ("привет", "TCP передаёт байты, а не сообщения"):
        client.enters(line)
        client.shows(line, times=2)
    client.ends(CTRL_D)
    server.ends(CTRL_C)


def step3(session: Session) -> None:
    """Three users give their nicknames and talk; one leaves, then the server stops."""
    server = session.serve()
    users: list[Pane] = []
    for nick in ("Анна", "Борис", "Вера"):
        user = session.run(nick, "client.py")
        user.shows("* enter your nickname")
        user.enters(nick)
        user.shows(f"* welcome, {nick}")
        all_show(users, f"* {nick} joined")
        users.append(user)
    anna, boris, vera = users
    says(anna, "всем привет!", [boris, vera], "Анна: ")
    says(boris, "привет, Анна", [anna, vera], "Борис: ")
    says(vera, "здравствуйте", [anna, boris], "Вера: ")
    boris.ends(CTRL_D)
    all_show([anna, vera], "* Борис left")
    says(anna, "Борис ушёл, нас двое", [vera], "Анна: ")
    server.ends(CTRL_C)
    all_end([anna, vera], "the server has closed the connection")


def step4(
    session: Session,
    nicks: tuple[str, ...] = ("Анна", "Борис", "Вера"),
    words: tuple[str, str] = ("всем привет!", "привет, Анна"),
    server: str = "сервер",
) -> None:
    """Users talk, one asks /who, one leaves with /quit; the server stops and says so."""
    folder = "" if session.folder != ROOT else f"steps/{STEPS[4].name}/"
    listener = session.serve(server, folder)
    users: list[Pane] = []
    for nick in nicks:
        user = session.run(nick, f"{folder}client.py --nick {nick}", prompt="> ")
        user.shows(f"* welcome, {nick}")
        all_show(users, f"* {nick} joined")
        users.append(user)
    first, second, *others = users
    says(first, words[0], [second, *others], f"{nicks[0]}: ")
    says(second, words[1], [first, *others], f"{nicks[1]}: ")
    users[-1].enters("/who")
    users[-1].shows(f"* online: {', '.join(nicks)}")
    second.enters("/quit")
    all_end([second], "* bye")
    all_show([first, *others], f"* {nicks[1]} left")
    listener.shows(f"{nicks[1]} left: bye")
    listener.ends(CTRL_C)
    all_end([first, *others], "* server is shutting down")


chat = partial(step4, nicks=("ann", "bob"), words=("hi, who is here?", "just me"), server="server")


def tour(session: Session) -> None:
    """Three limits of step 3, as `python3 steps` shows them."""
    pane = session.open("python3 steps")
    pane.enters("python3 steps 3 --no-pause --lang en")
    pane.ends()
    lines = pane.lines_to_cursor()
    if "NOT AS TOLD" in "".join(lines):
        pane.story.fail("the tour", "to go as told", "\n".join(lines))
    heads = ("limit: Two quick", "limit: There is no word")
    first, behind = (next(n for n, line in enumerate(lines) if head in line) for head in heads)
    pane.shown = slice(first, behind - 1)


STORIES: dict[str, tuple[Callable[[Session], None], int, int]] = {  # with the step, the columns
    "pictures/step1": (step1, 1, NARROW),
    "pictures/step3": (step3, 3, NARROW),
    "pictures/step4": (step4, 4, NARROW),
    "screens/chat": (chat, 4, WIDE),
    "screens/tour": (tour, 3, 80),
}


def make(name: str, path: Path) -> None:
    """Play a session and keep its picture."""
    story, step, columns = STORIES[name]
    with Session(STEPS[step] if columns == NARROW else ROOT, columns) as session:
        try:
            story(session)
        except NotAsTold as error:
            raise Problem(f"{name}: сеанс пошёл не так\n{error}") from None
        svg = picture(session.panes)
    tools = [ROOT / "steps" / "tools" / f"{tool}.py" for tool in ("tour", "stage", "screen")]
    sources = [*STEPS[step].glob("*.py"), *(tools if story is tour else []), Path(__file__)]
    drawing.save(svg, path, sources)


def picture(panes: list[Pane]) -> str:
    """Return an SVG of terminals: narrow ones in two columns, in reading order down the first."""
    half = (len(panes) + 1) // 2 if panes[0].columns == NARROW else len(panes)
    wide = panes[0].columns * CHAR + 2 * PAD
    columns = list(filter(None, [panes[:half], panes[half:]]))
    tall = max(sum(natural_height(pane) + GAP for pane in column) - GAP for column in columns)
    frames = []
    for number, column in enumerate(columns):
        y = 1.0
        for pane in column:
            # The last one reaches down to the common end.
            height = tall + 1 - y if pane is column[-1] else natural_height(pane)
            frames += frame(pane, 1 + number * (wide + GAP), y, wide, height)
            y += height + GAP
    width = len(columns) * (wide + GAP) - GAP + 2
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.2f} {tall + 2:.0f}" '
        f'font-size="{FONT_SIZE}" font-family="\'DejaVu Sans Mono\', Menlo, Consolas, monospace">'
    )
    scale = drawing.PRINTED / width if len(columns) > 1 else 0
    return drawing.on_paper("\n".join([start, *frames, "</svg>"]), scale)


def natural_height(pane: Pane) -> float:
    """Return how much room a terminal takes with all that it shows."""
    return BAR + 2 * PAD + LINE * len(pane.lines_to_cursor()[pane.shown])


def frame(pane: Pane, x: float, y: float, width: float, height: float) -> Iterator[str]:
    """Draw one terminal: its frame, a bar with the title and the folder, its lines."""
    bar = f"M0 {BAR}V6a6 6 0 0 1 6-6H{width - 6:.2f}a6 6 0 0 1 6 6V{BAR}z"
    yield f'<g transform="translate({x:.2f} {y})">'
    yield f'<rect width="{width:.2f}" height="{height}" rx="6" fill="#fff" stroke="#777"/>'
    yield f'<path d="{bar}" fill="#e6e6e6" stroke="#777"/>'
    yield f'<text x="{PAD}" y="{BAR - 8}" fill="{BLACK}">{escape(pane.title)}</text>'
    if pane.folder != ROOT:
        place = f'x="{width - PAD:.2f}" y="{BAR - 8}" text-anchor="end" fill="{GREY}"'
        yield f"<text {place}>{escape(pane.folder.name)}</text>"
    for place, number in enumerate(range(len(pane.lines_to_cursor()))[pane.shown]):
        yield from words(pane, number, BAR + PAD + place * LINE + FONT_SIZE)
    yield "</g>"


def words(pane: Pane, number: int, y: float) -> Iterator[str]:
    """Draw a line word by word, each as wide in any monospaced font as in the right one."""
    row = pane.screen.buffer[number]
    start, end = pane.typed.get(number, (0, 0))
    # A character of double width has an empty cell behind it.
    cells = [
        (row[x].data in ("", " "), row[x].fg, row[x].bold or start <= x < end, x)
        for x in range(pane.columns)
    ]
    for (empty, colour, bold), same in groupby(cells, lambda cell: cell[:3]):
        if empty:
            continue
        columns = [x for *_, x in same]
        text = "".join(row[x].data for x in columns)
        room = len(text) + sum(row[x + 1].data == "" for x in columns)
        place = f'x="{PAD + columns[0] * CHAR:.2f}" y="{y}" textLength="{room * CHAR:.2f}"'
        weight = ' font-weight="bold"' if bold else ""
        look = f'lengthAdjust="spacingAndGlyphs" fill="{COLOURS[colour]}"{weight}'
        yield f"<text {place} {look}>{escape(text)}</text>"
