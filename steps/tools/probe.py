"""Short experiments on a running chat of step 3 or 4. Each shows a weak place of step 3.

Run:       python3 steps probe NAME [--port 8080]
Names:     glue, cut, garbage, order, stall, goodbye
Status:    0 if the chat stood the experiment, 1 if it did not, 2 if it could not be made
"""

import argparse
import socket
import sys
import threading
import time
from itertools import pairwise, zip_longest

from tools import language
from tools.harness import Frames, Lines
from tools.language import whole_number

PATIENCE = 2.0  # seconds without a byte, then nothing more is expected
MANY = 20_000  # messages of 1000 bytes: less would fit into the buffers of the systems
FEW = 500  # of them: more than a system gives to who reads nothing, less than --max-pending
COUNT, ROUNDS = 50, 60  # messages of each of three who write at the same time; how often


class ProbeError(Exception):
    """The experiment could not be made; the text says why, and what to do."""


class Guest:
    """A user of the chat with a bare socket, who can do what a good client would not."""

    def __init__(self, port: int, name: str, reads: bool = True) -> None:
        self.name = name
        self.socket = socket.socket()
        if not reads:  # the less the systems buffer, the sooner the chat feels it
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError as error:
            raise ProbeError(
                f"на порту {port} никто не отвечает ({error}): запустите сервер шага 3 или 4"
            ) from None
        self.socket.settimeout(PATIENCE)
        self.received = bytearray()
        self.hear("nickname")
        self.dialect = Frames if self.received.startswith(b"\0") else Lines
        self.send(name)
        if not self.hear(f"* welcome, {name}"):
            raise ProbeError(f"сервер не принял имя {name}: закройте клиент с этим именем")

    def send(self, *texts: str) -> None:
        """Send messages, all of them with one call."""
        self.socket.sendall(b"".join(map(self.dialect.encode, texts)))

    def hear(self, until: str, count: int = 1) -> bool:
        """Receive until a text has come so many times; return False if nothing comes any more."""
        wanted, searched = until.encode(), 0
        while count:
            found = self.received.find(wanted, searched)
            if found >= 0:
                count, searched = count - 1, found + len(wanted)
                continue
            searched = max(searched, len(self.received) - len(wanted))
            try:
                data = self.socket.recv(65_536)
            except TimeoutError:
                return False
            except OSError as error:
                raise ProbeError(f"соединение {self.name} оборвалось: {error}") from None
            if not data:
                return False
            self.received += data
        return True

    def messages(self) -> list[str]:
        """Return what was received, as a client of the step prints it."""
        if self.dialect is Lines:
            return self.received.decode(errors="replace").splitlines()
        stream, messages = bytearray(self.received), []
        while (message := Frames.take(stream)) is not None:
            messages.append(message)
        return messages


def show(who: str, what: str) -> None:
    print(f"  {who:>5} {what}", flush=True)


def show_messages(guest: Guest) -> list[str]:
    """Print what somebody has received from ann; return it."""
    said = [line for line in guest.messages() if not line.startswith("* ")]
    for line in said:
        show(guest.name, f"видит: {line}")
    return said


def glue(port: int) -> bool:
    """Два сообщения, отправленные одним вызовом sendall, остаются двумя."""
    ann, bob = Guest(port, "ann"), Guest(port, "bob")
    ann.send("one", "two")
    show("ann", "отправляет одним вызовом sendall сообщения «one» и «two»")
    bob.hear("two")
    return show_messages(bob) == ["ann: one", "ann: two"]


def cut(port: int) -> bool:
    """Символ, байты которого пришли в два приёма, остаётся целым."""
    ann, bob = Guest(port, "ann"), Guest(port, "bob")
    message = ann.dialect.encode("я")
    half = message.index(b"\xd1") + 1
    ann.socket.sendall(message[:half])
    show("ann", f"отправляет первую половину: {message[:half].hex(' ')}")
    bob.hear("ann: ")  # step 3 passes it on; step 4 waits for the rest
    ann.socket.sendall(message[half:])
    show("ann", f"отправляет вторую половину: {message[half:].hex(' ')}")
    bob.hear("ann: ", 2 if bob.dialect is Lines else 1)
    return show_messages(bob) == ["ann: я"]


def flood(guest: Guest, stop: str, count: int = MANY) -> None:
    """Send many messages from a thread of its own; the server may cease to take them."""
    data = guest.dialect.encode("x" * 995) * count + guest.dialect.encode(stop)
    guest.socket.settimeout(None)

    def send() -> None:
        try:
            guest.socket.sendall(data)
        except OSError:  # the experiment is over
            pass

    threading.Thread(target=send, daemon=True).start()
    show(guest.name, f"отправляет {len(data) / 1e6:.2g} МБ сообщений")


def write_at_once(*people: Guest) -> None:
    """Let people send numbered messages at the same time, a call for each; the last is "end"."""
    start = threading.Barrier(len(people))

    def write(guest: Guest) -> None:
        start.wait()
        for text in [*map(str, range(1, COUNT)), "end"]:
            guest.send(text)

    threads = [threading.Thread(target=write, args=(guest,)) for guest in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def read_round(guest: Guest, authors: int) -> list[str]:
    """Receive until all authors have said "end"; return the messages."""
    guest.received.clear()
    if not guest.hear("end", authors):
        raise ProbeError(f"{guest.name} получает не всё: запустите сервер заново")
    return [line for line in guest.messages() if not line.startswith("* ")]


def order(port: int) -> bool:
    """Трое пишут одновременно, и все читают их сообщения в одном порядке."""
    # The authors stand between the readers in the registry: no author gets its own messages back,
    # so its broadcast has a shorter way from carl to dora than the others'.
    carl = Guest(port, "carl")
    authors = [Guest(port, name) for name in ("ann", "bob", "eve")]
    dora = Guest(port, "dora")
    show("", f"ann, bob и eve отправляют одновременно, раз за разом, по {COUNT} сообщений")
    turns = 0
    for number in range(1, ROUNDS + 1):
        write_at_once(*authors)
        first, second = read_round(carl, len(authors)), read_round(dora, len(authors))
        if first != second:
            place = next(n for n, (a, b) in enumerate(zip_longest(first, second)) if a != b)
            show("", f"раз {number}, сообщения с {place + 1}-го:")
            show("carl", f"читает: {', '.join(first[place : place + 4])}")
            show("dora", f"читает: {', '.join(second[place : place + 4])}")
            return False
        turns += sum(a.partition(":")[0] != b.partition(":")[0] for a, b in pairwise(first))
    show("carl", f"прочёл {len(authors) * COUNT * ROUNDS} сообщений, автор сменился {turns} раз")
    show("dora", "прочла то же самое в том же порядке")
    return True


def stall(port: int) -> bool:
    """Клиент, который перестал читать, никого не задерживает."""
    lazy = Guest(port, "lazy", reads=False)
    ann, bob = Guest(port, "ann"), Guest(port, "bob")
    show("lazy", "больше ничего не читает")
    flood(ann, "the end")
    started = time.monotonic()
    if bob.hear("the end"):
        show("bob", f"получил всё за {time.monotonic() - started:.1f} с")
        return True
    show(
        "bob",
        f"получил {len(bob.received) / 1e6:.1f} МБ, и уже {PATIENCE:.0f} с ничего не приходит",
    )
    lazy.socket.close()
    show("lazy", "уходит")
    rest = bob.hear("the end")
    show("bob", "теперь получил и остальное" if rest else "так и не получил остального")
    return False


def goodbye(port: int) -> bool:
    """Кто уходит и ещё читает, получает всё до прощания."""
    bob, ann = Guest(port, "bob"), Guest(port, "ann")
    slow = Guest(port, "slow", reads=False)
    show("slow", "пока ничего не читает")
    flood(ann, "the end", FEW)
    bob.hear("the end")
    slow.send("/quit")
    bob.hear("* slow left")
    slow.send("one more")  # typed before the answer came
    show("slow", "отправляет /quit и следом ещё одну строку, потом читает")
    before = len(slow.received)
    try:
        ended = slow.hear("* bye")
        end = "последнее — * bye" if ended else "прощания нет"
    except ProbeError as error:
        ended, end = False, f"потом {error}"
    show("slow", f"получает {(len(slow.received) - before) / 1e6:.1f} МБ, {end}")
    return ended


def garbage(port: int) -> bool:
    """Браузер, который постучался в чат, получает понятный отказ."""
    Guest(port, "ann")
    stranger = socket.create_connection(("127.0.0.1", port))
    stranger.settimeout(PATIENCE)
    stranger.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    show("чужой", "отправляет запрос браузера: GET / HTTP/1.1")
    answer, ended = b"", False
    try:
        while data := stranger.recv(65_536):
            answer += data
        ended = True
    except OSError:
        pass
    show("чужой", f"получает: {answer!r}")
    show("чужой", "сервер закрыл соединение" if ended else "сервер ждёт следующее имя")
    return ended


PROBES = {probe.__name__: probe for probe in (glue, cut, garbage, order, stall, goodbye)}


ABOUT = """
Подключает к работающему серверу шага 3 или 4 участников, которые делают то,
чего не сделал бы хороший клиент, и показывает, что из этого вышло.
Что должно быть:
"""


def main(arguments: list[str]) -> int:
    """Read the command line and make one experiment; return the exit status."""
    language.choose(["--lang", "ru"])
    about = ABOUT + "".join(f"\n  {name:8} {probe.__doc__}" for name, probe in PROBES.items())
    parser = language.Parser("steps probe", about, choice=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("name", choices=PROBES, metavar="ПРОБА", help="одна из названных выше")
    port = "порт работающего сервера (без этого ключа — 8080)"
    parser.add_argument("--port", type=whole_number, default=8080, metavar="ПОРТ", help=port)
    args = parser.parse_args(arguments)
    probe = PROBES[args.name]
    print(probe.__doc__)
    try:
        passed = probe(args.port)
    except (ProbeError, OSError, OverflowError) as error:
        print(f"проба не удалась: {error}", file=sys.stderr)
        return 2
    print("Да, это так." if passed else "Нет: этот чат так не умеет.")
    return 0 if passed else 1
