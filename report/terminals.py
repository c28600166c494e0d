"""Pictures of terminal sessions: real programs at real pseudo-terminals, one for each step.

Run:  python report/terminals.py [step1 step2 step3 step4]

Each pane is a shell in a terminal of its own, in the folder of the step; what is typed there is
bold. A session waits for what the screens show: it takes as long as the programs take, and shows
the same each time but for the ports of clients and the order in which a server that stops lets
users go.
"""

import argparse
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

if os.name == "nt":
    sys.exit(
        "terminals: в Windows нет псевдотерминалов. Запустите в WSL, оставьте картинки как есть "
        "или вставьте свои снимки экрана: report/README.md, пункт 6."
    )

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / folder) for folder in ("steps", "tests")]

import facts  # noqa: E402
from tools import entry  # noqa: E402
from tools.harness import STEPS, NotAsTold, Story  # noqa: E402

try:
    import drawing
    import panes
    import screen
    from panes import CTRL_C, Pane
except ModuleNotFoundError as error:
    sys.exit(facts.missing("terminals", error))

PICTURES = HERE / "pictures"
PORT = 8080  # where the programs meet unless told otherwise
CTRL_D = "\x04"


class Session(contextlib.ExitStack):
    """The terminals of a session: the server's, and one for each user."""

    def __init__(self, step: int, port: int) -> None:
        super().__init__()
        self.step, self.port, self.story = step, port, Story()
        self.panes: list[Pane] = []

    def open(self, who: str, command: str, prompt: str = "") -> Pane:
        """Open a terminal and start a program there."""
        option = "" if self.port == PORT else f" --port {self.port}"
        title = f"Терминал {len(self.panes) + 1}: {who}"
        pane = self.enter_context(Pane(title, STEPS[self.step], self.story))
        self.panes.append(pane)
        pane.runs(f"python3 {command}{option}", prompt)
        return pane

    def serve(self) -> Pane:
        """Start the server; it is ready when this returns."""
        server = self.open("сервер", "server.py")
        server.shows(f"listening on 127.0.0.1:{self.port}")
        return server


def free_port(wanted: int = 0) -> int:
    """Return the port that is wanted if nobody listens there, else any other."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def step1(session: Session) -> None:
    """What a client sends comes back."""
    server = session.serve()
    client = session.open("клиент", "client.py")
    for line in ("привет", "TCP передаёт байты, а не сообщения"):
        client.enters(line)
        client.shows(line, times=2)
    client.ends(CTRL_D)
    server.ends(CTRL_C)


def step2(session: Session) -> None:
    """Two users talk; one leaves, the other one is told and disconnected."""
    server = session.serve()
    anna = session.open("Анна", "client.py")
    anna.shows("* waiting for the second user")
    boris = session.open("Борис", "client.py")
    all_show([anna, boris], "* the second user is here")
    says(anna, "привет! кто здесь?", [boris])
    says(boris, "здравствуйте, это Борис", [anna])
    says(boris, "мне пора", [anna])
    boris.ends(CTRL_D)
    anna.shows("* the other user has left", "the server has closed the connection")
    anna.ends()
    server.ends(CTRL_C)


def step3(session: Session) -> None:
    """Three users give their nicknames and talk; one leaves, then the server stops."""
    server = session.serve()
    users = []
    for nick in ("Анна", "Борис", "Вера"):
        user = session.open(nick, "client.py")
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


def step4(session: Session) -> None:
    """Three users talk, one leaves with /quit, one asks /who; the server stops and says so."""
    server = session.serve()
    users = []
    for nick in ("Анна", "Борис", "Вера"):
        user = session.open(nick, f"client.py --nick {nick}", prompt="> ")
        user.shows(f"* welcome, {nick}")
        all_show(users, f"* {nick} joined")
        users.append(user)
    anna, boris, vera = users
    says(anna, "всем привет!", [boris, vera], "Анна: ")
    says(boris, "привет, Анна", [anna, vera], "Борис: ")
    boris.enters("/quit")
    all_end([boris], "* bye")
    all_show([anna, vera], "* Борис left")
    vera.enters("/who")
    vera.shows("* online: Анна, Вера")
    server.shows("Борис left: bye")
    server.ends(CTRL_C)
    all_end([anna, vera], "* server is shutting down")


STORIES: dict[str, Callable[[Session], None]] = {
    story.__name__: story for story in (step1, step2, step3, step4)
}


def says(author: Pane, text: str, others: Iterable[Pane], label: str = "") -> None:
    """Let a user type a line; all others see it behind the label."""
    author.enters(text)
    all_show(others, f"{label}{text}")


def all_show(users: Iterable[Pane], line: str) -> None:
    """Wait until all users see a line."""
    for user in users:
        user.shows(line)


def all_end(users: Iterable[Pane], last: str) -> None:
    """Wait until all users have seen a line and their programs have ended."""
    all_show(users, last)
    for user in users:
        user.ends()


def make(name: str, port: int, folder: Path = PICTURES) -> None:
    """Play the session of a step and keep its picture."""
    with Session(int(name[-1]), port) as session:
        STORIES[name](session)
        svg = panes.picture(session.panes)
    programs = STEPS[int(name[-1])].glob("*.py")
    tools = (Path(module.__file__) for module in (screen, panes, drawing))
    drawing.save(svg, folder / f"{name}.svg", [*programs, *tools, Path(__file__)])


def main() -> int:
    """Make the pictures that are asked for, or all; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="stepN", help="which pictures; without, all")
    wanted = parser.parse_args().names or list(STORIES)
    if unknown := [name for name in wanted if name not in STORIES]:
        parser.exit(2, f"terminals: нет картинки {unknown[0]!r}; есть: {', '.join(STORIES)}\n")
    port = free_port(PORT)
    if port != PORT:
        print(f"порт {PORT} занят: на картинках будет {port}", flush=True)
    for name in wanted:
        print(f"{name}: идёт сеанс … ", end="", flush=True)
        try:
            make(name, port)
        except NotAsTold as error:
            print(f"сеанс пошёл не так\n{error}", flush=True)
            return 1
        print(f"pictures/{name}.svg and .png", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(entry.run("terminals", main))
