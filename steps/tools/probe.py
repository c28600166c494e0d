"""Short experiments on a running chat of step 3 or 4. Each shows a weak place of step 3.

Run:       python3 steps probe NAME [--port 8080]
Names:     glue, cut, order, stall, garbage
Status:    0 if the chat stood the experiment, 1 if it did not, 2 if it could not be made
"""

import argparse
import socket
import sys
import threading
import time

from tools.harness import Frames, Lines

PATIENCE = 2.0  # seconds without a byte, then nothing more is expected
FLOOD = 20_000  # messages of 1000 bytes: less would fit into the buffers of the systems


class ProbeError(Exception):
    """The experiment could not be made; the text says why, and what to do."""


class Person:
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


def show_messages(person: Person) -> list[str]:
    """Print what somebody has received from ann; return it."""
    said = [line for line in person.messages() if not line.startswith("* ")]
    for line in said:
        show(person.name, f"видит: {line}")
    return said


def glue(port: int) -> bool:
    """Два сообщения, отправленные одним вызовом sendall, остаются двумя."""
    ann, bob = Person(port, "ann"), Person(port, "bob")
    ann.send("one", "two")
    show("ann", "отправляет одним вызовом sendall сообщения «one» и «two»")
    bob.hear("two")
    return show_messages(bob) == ["ann: one", "ann: two"]


def cut(port: int) -> bool:
    """Символ, байты которого пришли в два приёма, остаётся целым."""
    ann, bob = Person(port, "ann"), Person(port, "bob")
    message = ann.dialect.encode("я")
    half = message.index(b"\xd1") + 1
    ann.socket.sendall(message[:half])
    show("ann", f"отправляет первую половину: {message[:half].hex(' ')}")
    bob.hear("ann: ")  # step 3 passes it on; step 4 waits for the rest
    ann.socket.sendall(message[half:])
    show("ann", f"отправляет вторую половину: {message[half:].hex(' ')}")
    bob.hear("ann: ", 2 if bob.dialect is Lines else 1)
    return show_messages(bob) == ["ann: я"]


def flood(person: Person, stop: str) -> None:
    """Send many messages from a thread of its own; the server may cease to take them."""
    data = person.dialect.encode("x" * 995) * FLOOD + person.dialect.encode(stop)
    person.socket.settimeout(None)

    def send() -> None:
        try:
            person.socket.sendall(data)
        except OSError:  # the experiment is over
            pass

    threading.Thread(target=send, daemon=True).start()
    show(person.name, f"отправляет {len(data) / 1e6:.0f} МБ сообщений")


def hear_all(*people: Person) -> None:
    """Let all of them receive at the same time, until nothing more comes."""
    threads = [threading.Thread(target=one.hear, args=("\0never",)) for one in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def order(port: int) -> bool:
    """Два участника видят одни и те же события в одном порядке."""
    carl = Person(port, "carl")
    bob = Person(port, "bob", reads=False)  # between the two readers in the registry
    dora, ann = Person(port, "dora"), Person(port, "ann")
    show("bob", "больше ничего не читает")
    flood(ann, "the end")
    hear_all(carl, dora)
    try:
        bob.send("hello")
        show("bob", "пишет: hello")
    except OSError:
        show("bob", "отключён: он не читал")
    hear_all(carl, dora)
    seen = []
    for reader in (carl, dora):
        before, found, _ = "\n".join(reader.messages()).partition("bob: hello")
        seen.append(before[before.index("ann: ") :] if "ann: " in before else before)
        if found:
            show(reader.name, f"видит «bob: hello», получив от ann {before.count('x')} байт")
    if seen[0] == seen[1]:
        show("carl", "и dora видят одно и то же")
    return seen[0] == seen[1]


def stall(port: int) -> bool:
    """Клиент, который перестал читать, никого не задерживает."""
    lazy = Person(port, "lazy", reads=False)
    ann, bob = Person(port, "ann"), Person(port, "bob")
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


def garbage(port: int) -> bool:
    """Браузер, который постучался в чат, получает понятный отказ."""
    Person(port, "ann")
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


PROBES = {probe.__name__: probe for probe in (glue, cut, order, stall, garbage)}


def main(arguments: list[str]) -> int:
    """Read the command line and make one experiment; return the exit status."""
    parser = argparse.ArgumentParser("steps probe", description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=PROBES)
    parser.add_argument("--port", type=int, default=8080, help="port of the running server")
    args = parser.parse_args(arguments)
    probe = PROBES[args.name]
    print(probe.__doc__)
    try:
        passed = probe(args.port)
    except (ProbeError, OSError) as error:
        print(f"проба не удалась: {error}", file=sys.stderr)
        return 2
    print("Да, это так." if passed else "Нет: этот чат так не умеет.")
    return 0 if passed else 1
