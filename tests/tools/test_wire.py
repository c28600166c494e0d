"""The tap, `python3 steps wire`: what it prints is what was sent, and it passes on all of it."""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from fake_server import reset
from tools.harness import DEADLINE, STEPS, Program, Story, wait_until
from tools.wire import PAUSE

FOLDER = STEPS[1].parent
WIRE = [sys.executable, "-S", str(FOLDER), "wire"]
EVENT = re.compile(r"(\d\d:\d\d:\d\d\.\d{3}) (.*)\n((?: {4}.*\n)*)")
SENDS = re.compile(r"#(\d+) (клиент → сервер|сервер → клиент): (\d+) байта?")
TO_SERVER, TO_CLIENT = "клиент → сервер", "сервер → клиент"
FIN = ": FIN, больше данных не будет"
LIMIT = 2 * DEADLINE  # seconds until a wait of a socket is in vain
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and terminals")


class TapProgram(Program):
    """A running tap between a server that the test plays, and its clients."""

    def __init__(self, *args: str, story: Story, folder: Path, to: int | None = None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(LIMIT)
        to = to or self.listener.getsockname()[1]
        self.path = folder / "bytes.log"
        command = [*WIRE, "--lang", "ru", "--listen", "0", "--to", f"{to}", "--log", self.path]
        super().__init__(map(str, command), *args, story=story, name="wire", stdin=subprocess.PIPE)
        self.prints("слушаю 127.0.0.1:")
        self.port = int(re.search(r"слушаю 127.0.0.1:(\d+)", self.prints("; Ctrl-C"))[1])
        self.sockets = [self.listener]

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """Return a client's connection to the tap, and the one that the tap makes for it."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets.append(client)
        server, _ = self.listener.accept()
        server.settimeout(LIMIT)
        self.sockets.append(server)
        return client, server

    def presses_enter(self) -> None:
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def prints_times(self, text: str, times: int) -> str:
        """Wait until the tap has printed `text` so many times; return all it printed."""
        wait_until(lambda: self.prints(text).count(text) >= times, text, self.story)
        return self.prints(text)

    def logged(self) -> list[tuple[str, bytes]]:
        """Return what each event in the log says, and its bytes."""
        events = EVENT.findall(self.path.read_text("utf-8"))
        return [(text, read_rows(rows)) for _, text, rows in events]

    def passed(self, number: int, way: str) -> bytes:
        """Return all bytes that went one way in one connection, as the log has them."""
        found = b""
        for text, data in self.logged():
            if match := SENDS.fullmatch(text):
                assert int(match[3]) == len(data)
                if (int(match[1]), match[2]) == (number, way):
                    found += data
        return found

    def __exit__(self, *exception: object) -> None:
        for each in self.sockets:
            each.close()
        super().__exit__()


def read_rows(rows: str) -> bytes:
    """Return the bytes of lines such as `    68 69   hi`."""
    return b"".join(bytes.fromhex(row[4:53]) for row in rows.splitlines() if "…" not in row)


def receive(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (piece := connection.recv(count - len(data))):
        data += piece
    return data


def a_reset_shows() -> bool:
    """Ask the system: does who reads late see a reset, and not just an end? (Not with Wine.)"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        breaks = socket.create_connection(listener.getsockname())
        reads, _ = listener.accept()
        with reads:
            reads.settimeout(LIMIT)
            reset(breaks)
            try:
                reads.recv(1)
            except ConnectionError:
                return True
            return False


A_RESET_SHOWS = a_reset_shows()
needs_resets = pytest.mark.skipif(
    not A_RESET_SHOWS, reason="this system (Wine?) shows a reset to who reads as a plain end"
)


@pytest.fixture
def tap(tmp_path, story):
    """A function that starts a tap; it ends with the test."""
    running: list[TapProgram] = []

    def start(*args: str, **options) -> TapProgram:
        running.append(TapProgram(*args, story=story, folder=tmp_path, **options))
        return running[-1]

    yield start
    for each in running:
        each.__exit__()


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"hello\n", [("68 65 6c 6c 6f 0a", r"hello\n")]),
        ("Щука 👋".encode(), [("d0 a9 d1 83 d0 ba d0 b0 20 f0 9f 91 8b", "Щука 👋")]),
        (b"\0\0\0\2hi\r\t\x1b", [("00 00 00 02 68 69 0d 09 1b", r"····hi\r\t·")]),
        (b"hi \xf0\x9f", [("68 69 20 f0 9f", "hi ��")]),
        (b"\x91\x8b\n", [("91 8b 0a", r"��\n")]),
        (
            "123456789012345Щ.".encode(),  # the two bytes of a character stay in one row
            [
                ("31 32 33 34 35 36 37 38 39 30 31 32 33 34 35", "123456789012345"),
                ("d0 a9 2e", "Щ."),
            ],
        ),
    ],
)
def test_bytes_are_shown_in_hexadecimal_and_as_text(tap, data, shown):
    wire = tap()
    client, server = wire.connect()
    client.sendall(data)
    assert receive(server, len(data)) == data
    rows = "".join(f"    {row:49}{text}\n" for row, text in shown)
    printed = wire.prints(f"{shown[-1][1]}\n")
    assert re.search(rf" #1 {TO_SERVER}: {len(data)} байта?\n{re.escape(rows)}$", printed)


def test_all_that_is_sent_both_ways_at_once_arrives_and_is_logged(tap):
    wire = tap()
    client, server = wire.connect()
    make = random.Random(14).randbytes
    asked, answered = bytes(range(256)) + make(1_500_000), make(1_000_000)
    for side, data in ((client, asked), (server, answered)):
        threading.Thread(target=side.sendall, args=(data,), daemon=True).start()
    assert receive(server, len(asked)) == asked
    assert receive(client, len(answered)) == answered
    for side in (client, server):
        side.close()
    wire.prints(f"#1 {TO_SERVER}{FIN}")
    wire.prints(f"#1 {TO_CLIENT}{FIN}")
    assert wire.passed(1, TO_SERVER) == asked
    assert wire.passed(1, TO_CLIENT) == answered


@pytest.mark.parametrize("size", [64, 65, 1000])
def test_a_long_chunk_is_shortened_on_the_screen_and_whole_in_the_log(tap, size):
    wire = tap()
    client, server = wire.connect()
    data = b"x" * size
    client.sendall(data)
    receive(server, size)
    client.close()
    printed = wire.prints(FIN)
    rows = EVENT.findall(printed)[2][2]
    more = re.search("… и ещё (.*) байт", rows)
    assert read_rows(rows) == data[:64]
    assert int(more[1] if more else 0) == size - 64
    assert wire.passed(1, TO_SERVER) == data


def test_cut_passes_on_few_bytes_at_a_time_with_a_pause_between(tap):
    wire = tap("--cut", "3")
    client, server = wire.connect()
    client.sendall("ой!👋".encode())
    assert receive(server, 9) == "ой!👋".encode()
    server.sendall(b"four")
    assert receive(client, 4) == b"four"
    events = EVENT.findall(wire.prints("#1 сервер → клиент: 1 байт\n"))[2:]
    assert [SENDS.fullmatch(text)[3] for _, text, _ in events] == ["3", "3", "3", "3", "1"]
    first, second, third, *_ = [datetime.strptime(at, "%H:%M:%S.%f") for at, _, _ in events]
    for between in (second - first, third - second):
        assert between % timedelta(days=1) >= timedelta(seconds=PAUSE - 0.002)


def test_without_glue_what_comes_apart_goes_on_apart(tap):
    wire = tap()
    client, server = wire.connect()
    for line in (b"one\n", b"two\n"):
        client.sendall(line)
        assert server.recv(100) == line
    assert wire.prints(r"two\n").count(f"#1 {TO_SERVER}: 4 байта") == 2


def test_glue_collects_before_it_passes_on(tap):
    wire = tap("--glue", "1000")
    client, server = wire.connect()
    client.sendall(b"one\n")
    threading.Event().wait(0.3)  # apart: without the tap, `recv` would return the first one
    client.sendall(b"two\n")
    assert server.recv(100) == b"one\ntwo\n"
    wire.prints(f"#1 {TO_SERVER}: 8 байт")


@pytest.mark.parametrize("side", ["server", "client", None])
def test_hold_stops_reading_on_one_side_until_enter(tap, side):
    wire = tap("--hold", *filter(None, [side]))
    client, server = wire.connect()
    if side == "client":
        free, held, name, way = server, client, "клиента", TO_SERVER
    else:
        free, held, name, way = client, server, "сервера", TO_CLIENT
    stops, goes_on = f"данные от {name} не читаются; Enter — читать", f"данные от {name} читаются"
    passes = f"#1 {way}: 5 байт"
    for count in (1, 2):
        wire.prints_times(stops, count)
        held.sendall(b"later")
        free.sendall(b"now")  # this way all goes on
        assert receive(held, 3) == b"now"
        wire.presses_enter()
        assert receive(free, 5) == b"later"
        wire.presses_enter()
    told = re.findall(f"{stops}|{goes_on}|{passes}", wire.prints_times(stops, 3))
    assert told == [stops, goes_on, passes] * 2 + [stops]


@posix_only
def test_hold_holds_up_whoever_sends_much_until_a_signal(tap):
    wire = tap("--hold", "server")
    wire.prints("не читаются")
    client, server = wire.connect()
    data = random.Random(14).randbytes(10_000_000)
    server.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < len(data):
            sent += server.send(data[sent : sent + 65_536])
    assert sent < len(data), "nobody has read, but all was taken"
    wire.interrupt(signal.SIGUSR1)
    server.settimeout(LIMIT)
    threading.Thread(target=server.sendall, args=(data[sent:],), daemon=True).start()
    assert receive(client, len(data)) == data


def test_a_half_close_is_passed_on_and_the_other_direction_stays_open(tap):
    wire = tap()
    client, server = wire.connect()
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert receive(server, 100) == b"last words"  # until the end of the stream
    wire.prints(f"#1 {TO_SERVER}{FIN}")
    server.sendall(b"bye")
    assert receive(client, 3) == b"bye"
    server.close()
    assert client.recv(1) == b""
    wire.prints(f"#1 {TO_CLIENT}{FIN}")


@needs_resets
@pytest.mark.parametrize(("breaks", "way"), [(0, TO_SERVER), (1, TO_CLIENT)])
def test_a_reset_is_passed_on_in_either_direction(tap, breaks, way):
    wire = tap("--hold", ["server", "client"][breaks])  # the other one: that is no hindrance
    sides = wire.connect()
    sides[breaks].sendall(b"!")
    assert sides[1 - breaks].recv(1) == b"!"  # now the tap has both connections
    sides[1 - breaks].sendall(b"unread")
    reset(sides[breaks])
    wire.prints(f"#1 {way}: RST, ")
    with pytest.raises(ConnectionError):
        receive(sides[1 - breaks], 100)
    assert wire.prints("RST").count("RST") == 1


@pytest.mark.parametrize(("breaks", "way"), [(0, TO_SERVER), (1, TO_CLIENT)])
def test_a_reset_by_who_is_not_read_shows_when_something_is_sent_there(tap, breaks, way):
    wire = tap("--hold", ["client", "server"][breaks])
    sides = wire.connect()
    sides[1 - breaks].sendall(b"!")
    assert sides[breaks].recv(1) == b"!"
    sides[breaks].sendall(b"unread")
    reset(sides[breaks])

    def is_told() -> bool:
        with contextlib.suppress(ConnectionError):
            sides[1 - breaks].sendall(b"?")
        return b"RST" in wire.output

    wait_until(is_told, "a reset", wire.story)
    wire.prints(f"#1 {way}: RST, ")


def test_without_a_server_the_client_is_told_and_the_tap_goes_on(tap):
    wire = tap(to=1)
    for count in (1, 2):
        broken = pytest.raises(ConnectionError) if A_RESET_SHOWS else contextlib.nullcontext()
        with broken, socket.create_connection(("127.0.0.1", wire.port), timeout=LIMIT) as client:
            assert client.recv(1) == b""
        wire.prints(f"#{count} не удалось подключиться к серверу 127.0.0.1:1: ")


def test_two_connections_at_once_are_told_apart(tap):
    wire = tap()
    both = [wire.connect(), wire.connect()]
    for number in (0, 1, 1, 0):
        client, server = both[number]
        client.sendall(b"asks %d" % number)
        assert receive(server, 6) == b"asks %d" % number
        server.sendall(b"answers %d" % number)
        assert receive(client, 9) == b"answers %d" % number
    for client, server in both:
        client.close()
        server.close()
    for number in (0, 1):
        for way in (TO_SERVER, TO_CLIENT):
            wire.prints(f"#{number + 1} {way}{FIN}")
        assert wire.passed(number + 1, TO_SERVER) == b"asks %d" % number * 2
        assert wire.passed(number + 1, TO_CLIENT) == b"answers %d" % number * 2
    assert len(re.findall(r"#[12] подключился клиент 127\.0\.0\.1:\d+\n", wire.prints("#2"))) == 2


def test_the_screen_and_the_log_tell_the_same(tap):
    wire = tap()
    client, server = wire.connect()
    client.sendall(b"hi")
    assert receive(server, 2) == b"hi"
    client.close()
    server.close()
    printed = wire.prints(f"#1 {TO_CLIENT}{FIN}\n")
    assert wire.path.read_text("utf-8") == printed


@posix_only
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_with_status_0(tap, signum):
    wire = tap("--hold")
    wire.connect()
    wire.prints("не читаются")
    wire.interrupt(signum)
    assert wire.exits(within=5) == 0
    assert wire.stderr() == ""


@posix_only
def test_a_reader_who_goes_away_ends_it_without_a_traceback(tmp_path, story):
    command = [*WIRE, "--listen", "0", "--to", "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command, **pipes) as process:
        port = int(re.search(r":(\d+)", process.stdout.readline()[12:])[1])
        process.stdout.close()
        socket.create_connection(("127.0.0.1", port)).close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ("--to 8080", "--listen"),
        ("--listen 9000", "--to"),
        ("--listen nine --to 8080", "'nine' — нужен адрес ПОРТ или ХОСТ:ПОРТ"),
        ("--listen 9000 --to 99999", "'99999'"),
        ("--listen 9000 --to 127.0.0.1:9000", "--to"),
        ("--listen 9000 --to 8080 --cut 0", "'0' — нужно целое число"),
        ("--listen 9000 --to 8080 --glue soon", "'soon' — нужно целое число"),
        ("--listen 9000 --to 8080 --hold both", "both — возможны: "),
        ("--listen 9000 --to 8080 --fast", "лишнее в команде: --fast"),
        ("--listen 9000 --to 8080 --lang de", "de — возможны: "),
    ],
)
def test_a_bad_command_is_one_line_with_status_2(args, told):
    command = [*WIRE, *args.split()]
    environment = os.environ | {"LANG": "C", "LC_ALL": "C", "LANGUAGE": ""}
    run = subprocess.run(
        command, capture_output=True, encoding="utf-8", env=environment, timeout=3 * DEADLINE
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert len(run.stderr.splitlines()) == 1
    assert told in run.stderr


def test_what_cannot_be_opened_is_one_line_with_status_1(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        missing = str(tmp_path / "nowhere" / "bytes.log")
        for more, name in (
            (["--listen", port], f"127.0.0.1:{port}: "),
            (["--listen", "0", "--log", missing], f"{missing}: "),
        ):
            command = [*WIRE, "--lang", "en", "--to", "1", *more]
            run = subprocess.run(
                command, capture_output=True, encoding="utf-8", timeout=3 * DEADLINE
            )
            assert (run.returncode, run.stdout) == (1, "")
            assert re.fullmatch(rf"steps wire: cannot open {re.escape(name)}[\w ]+\n", run.stderr)


@posix_only
@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_there_are_colours_on_a_terminal_unless_they_are_unwanted(environment, coloured):
    from pseudo_terminal import PseudoTerminal

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        to = str(server.getsockname()[1])
        command = [*WIRE, "--lang", "en", "--listen", "0", "--to", to]
        environment = {"PATH": os.defpath, "TERM": "xterm"} | environment
        terminal = stack.enter_context(PseudoTerminal(command, env=environment))
        written = ""
        while "Ctrl-C ends this" not in written:
            written += terminal.read_text()
        port = int(re.search(r"listening on 127.0.0.1:(\d+)", written)[1])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"cut: \xf0\x9f")
            while "cut: " not in written or not written.endswith("\n"):
                written += terminal.read_text()
        terminal.write("\x03")
        assert terminal.wait() == 0
    assert ("\x1b[36m#1 client → server: 7 bytes\x1b[0m" in written) is coloured
    assert ("cut: " + "\x1b[31m�\x1b[0m" * 2 in written) is coloured
    assert ("\x1b" in written) is coloured
