"""Shows every byte that passes between a client and a server, in any language, and can meddle.

Run:       python3 steps wire --listen 9000 --to 8080      then let the client use port 9000
Leave:     Ctrl-C

The client is connected to this program, and this program to the server: two connections of TCP.
A chunk is what one `recv` here returned, or what --cut and --glue have made of it. For each
connection there are two threads, one for each direction; the main thread prints.
"""

import argparse
import contextlib
import itertools
import os
import queue
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator

from tools import language
from tools.language import tr, whole_number
from tools.reporter import TICK, Reporter, size
from tools.screen import CYAN, DIM, GREEN, MAGENTA, RED, YELLOW

CHUNK = 65_536  # the most bytes that one `recv` may return; it may return fewer
PAUSE = 0.05  # seconds between two pieces of --cut
RESET = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)  # SO_LINGER: close with an RST


def address(text: str) -> tuple[str, int]:
    """Read PORT or HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65_536):
        wanted = tr("нужен адрес ПОРТ или ХОСТ:ПОРТ", "must be PORT or HOST:PORT")
        raise argparse.ArgumentTypeError(f"{text!r} — {wanted}, 0…65535")
    return host.strip("[]") or "127.0.0.1", int(port)


class Connection:
    """A client, and the connection to the server that was made for it."""

    def __init__(self, client: socket.socket, server: socket.socket, tap: "Tap") -> None:
        self.tap = tap
        self.broken = threading.Event()  # one of the two has reset its connection
        self.names = {client: tr("клиент", "client"), server: tr("сервер", "server")}
        for side in (client, server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            side.settimeout(TICK)
        self.held = {"client": client, "server": server}.get(tap.args.hold)

    def run(self, mark: str) -> None:
        """Pass on both directions until both have ended; then close, or reset like the peer."""
        client, server = self.names
        back = threading.Thread(target=self.pump, args=(server, client, mark), daemon=True)
        back.start()
        self.pump(client, server, mark)
        back.join()
        for side in self.names:
            if self.broken.is_set():
                with contextlib.suppress(OSError):  # this is the side that has reset it
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            side.close()

    def pump(self, source: socket.socket, target: socket.socket, mark: str) -> None:
        """Pass on what `source` sends, until it ends its stream or the connection breaks."""
        colour = CYAN if source is next(iter(self.names)) else GREEN
        way = f"{self.names[source]} → {self.names[target]}"
        at_fault = source
        try:
            while chunk := self.read(source):
                at_fault = target
                for piece in self.pieces(chunk):
                    self.tap.reporter.put(f"{mark} {way}: {size(len(piece))}", colour, piece)
                    self.send(target, piece)
                at_fault = source
            # A reset that the other thread has met in `send` looks like an end: let it say so.
            self.broken.wait(PAUSE)
            self.check()
            end = tr("FIN, больше данных не будет", "FIN, no more data will come")
            self.tap.reporter.put(f"{mark} {way}: {end}", YELLOW)
            with contextlib.suppress(OSError):  # it has gone, too; the other thread says so
                target.shutdown(socket.SHUT_WR)
        except OSError as error:
            if not self.broken.is_set():  # otherwise the other thread has said so
                self.broken.set()
                other = target if at_fault is source else source
                way = f"{self.names[at_fault]} → {self.names[other]}"
                self.tap.reporter.put(f"{mark} {way}: RST, {error.strerror}", MAGENTA)

    def read(self, source: socket.socket) -> bytes:
        """Wait for bytes, then as long as --glue and --hold say; return what has come."""
        self.insist(source.recv, 1, socket.MSG_PEEK)  # look, but leave it where it is
        time.sleep((self.tap.args.glue or 0) / 1000)  # meanwhile the system collects more
        while source is self.held and not self.tap.reading.wait(TICK):
            self.check()
        return self.insist(source.recv, CHUNK)

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Divide a chunk as --cut says, with a pause between two pieces."""
        most = self.tap.args.cut or CHUNK
        for start in range(0, len(chunk), most):
            time.sleep(PAUSE if self.tap.args.cut else 0)
            yield chunk[start : start + most]

    def send(self, target: socket.socket, data: bytes) -> None:
        while data:
            data = data[self.insist(target.send, data) :]

    def insist(self, call: Callable, *args: object) -> bytes | int:
        """Call it until it has something to return."""
        while True:
            try:
                return call(*args)
            except TimeoutError:
                self.check()

    def check(self) -> None:
        """Raise an OSError if the other direction is broken: then this one is of no use."""
        if self.broken.is_set():
            raise ConnectionAbortedError


class Tap:
    """A listener; every client that it accepts is connected with the server."""

    def __init__(self, args: argparse.Namespace, reporter: Reporter) -> None:
        self.args, self.reporter = args, reporter
        self.keys: queue.SimpleQueue = queue.SimpleQueue()  # Enter, or a signal: hold or go on
        self.reading = threading.Event()  # not set: with --hold, one side is not read

    def accept(self, listener: socket.socket) -> None:
        """Accept clients for ever. Runs in a thread of its own."""
        for count in itertools.count(1):
            try:
                client, peer = listener.accept()
            except OSError:  # this client has gone, or the system has no descriptor left
                time.sleep(TICK)
                continue
            self.reporter.put(
                f"#{count} " + tr("подключился клиент ", "client ") + named(peer), DIM
            )
            threading.Thread(target=self.connect, args=(client, f"#{count}"), daemon=True).start()

    def connect(self, client: socket.socket, mark: str) -> None:
        """Connect to the server for a client; pass on what they send."""
        try:
            server = socket.create_connection(self.args.to, timeout=10)
            connection = Connection(client, server, self)
        except OSError as error:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()
            wrong = tr("не удалось подключиться к серверу", "cannot connect to the server")
            self.reporter.put(f"{mark} {wrong} {named(self.args.to)}: {error}", RED)
            return
        connection.run(mark)

    def obey_keys(self) -> None:
        """Stop reading, and go on at the next key, for ever. Runs in a thread of its own."""
        side = tr(
            *{"client": ("клиента", "client"), "server": ("сервера", "server")}[self.args.hold]
        )
        while True:
            self.reading.clear()
            stopped = tr(
                "данные от {} не читаются; Enter — читать", "not reading the {}; Enter: read"
            )
            self.reporter.put(stopped.format(side), YELLOW)
            self.keys.get()
            going = tr("данные от {} читаются; Enter — не читать", "reading the {}; Enter: stop")
            self.reporter.put(going.format(side), YELLOW)
            self.reading.set()
            self.keys.get()

    def read_keys(self) -> None:
        """Wait for Enter. By `os.read`: it holds no lock that the end of Python would wait for."""
        with contextlib.suppress(OSError):  # there is no standard input
            while typed := os.read(0, 1024):
                for _ in range(typed.count(b"\n")):
                    self.keys.put("Enter")


def named(peer: tuple) -> str:
    """Return an address as one would write it."""
    return "{}:{}".format(*peer)


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; end the program if it makes no sense."""
    language.choose(arguments)
    parser = language.Parser(
        "steps wire",
        tr(
            "Показывает все байты, которые проходят между клиентом и сервером.",
            "Shows all bytes that pass between a client and a server.",
        ),
    )
    add = parser.add_argument
    port, file, milliseconds = tr("ПОРТ", "PORT"), tr("ФАЙЛ", "FILE"), tr("МС", "MS")
    where = tr("адрес, к которому подключается клиент", "where the client connects")
    add("--listen", type=address, required=True, metavar=port, help=where)
    where = tr("адрес сервера; оба адреса: ПОРТ или ХОСТ:ПОРТ", "the server; PORT or HOST:PORT")
    add("--to", type=address, required=True, metavar=port, help=where)
    what = tr("передавать не больше N байт за раз", "pass on at most N bytes at a time")
    add("--cut", type=whole_number, metavar="N", help=what)
    what = tr("собирать данные столько миллисекунд", "collect data for MS milliseconds")
    add("--glue", type=whole_number, metavar=milliseconds, help=what)
    what = tr(
        "не читать данные одной стороны (без имени: server); переключает Enter, "
        "в Linux и macOS также сигнал USR1",
        "do not read from one side (without a name: server); Enter switches, "
        "on Linux and macOS also the signal USR1",
    )
    add("--hold", nargs="?", const="server", choices=("client", "server"), help=what)
    what = tr("записать всё в файл, без сокращений", "write all into a file, nothing left out")
    add("--log", metavar=file, help=what)
    args = parser.parse_args(arguments)
    if args.listen == args.to or not args.to[1]:
        parser.error(tr("--to: нужен адрес сервера", "--to must be the server's address"))
    return args


def main(arguments: list[str]) -> int:
    """Pass bytes on and show them until Ctrl-C; return the exit status."""
    args = read_arguments(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        try:
            family = socket.AF_INET6 if ":" in args.listen[0] else socket.AF_INET
            listener = stack.enter_context(socket.create_server(args.listen, family=family))
            log = args.log and stack.enter_context(open(args.log, "w", encoding="utf-8"))
        except (OSError, UnicodeError) as error:
            failed = args.log if getattr(error, "filename", None) else named(args.listen)
            why = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
            wrong = tr("не удалось открыть", "cannot open")
            print(f"steps wire: {wrong} {failed}: {why}", file=sys.stderr)
            return 1
        reporter = Reporter(log)
        tap = Tap(args, reporter)
        here, there = named(listener.getsockname()), named(args.to)
        reporter.put(
            tr(
                f"слушаю {here}, передаю на {there}; Ctrl-C — конец",
                f"listening on {here} for {there}; Ctrl-C ends this",
            ),
            DIM,
        )
        threading.Thread(target=tap.accept, args=(listener,), daemon=True).start()
        if args.hold:
            if hasattr(signal, "SIGUSR1"):  # not on Windows
                signal.signal(signal.SIGUSR1, lambda *_: tap.keys.put("a signal"))
            threading.Thread(target=tap.read_keys, daemon=True).start()
            threading.Thread(target=tap.obey_keys, daemon=True).start()
        reporter.run()
    return 0
