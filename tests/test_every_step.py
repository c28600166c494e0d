"""What PROTOCOL says of every server and every client: each test runs once for each step.

Run:  python -m pytest --step 3       all tests of step 3: this file's, and those of its own files
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time

import psutil
import pytest

from expectations import (
    QUESTION,
    SIGNALS,
    STOP_TIME,
    by_system,
    converse,
    expect_idle,
    free_port,
    meet,
    meet_bob,
    stop,
)
from fake_server import receive_until, reset
from marks import contract, own, posix_only
from properties import check_property, rows_of_the_table, two_people
from tools.harness import STEPS, Chat, Frames, Program, Server, prepared, program, wait_until


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test for each step, and the table of properties as far as it applies."""
    if "prop" in metafunc.fixturenames:
        metafunc.parametrize(("step", "prop"), rows_of_the_table())
    else:
        metafunc.parametrize("step", STEPS, ids="step{}".format)


def test_property(prop, chat, request):
    check_property(prop, chat, request)


# Start


@contract("start", "первая строка вывода: listening on АДРЕС:ПОРТ, отправлена сразу (flush=True)")
def test_the_first_line_says_host_and_port(step, server_command, story):
    with Server(server_command, story=story) as server:  # without help against missing flushes
        assert server.prints("\n") == f"listening on 127.0.0.1:{server.port}\n"
        assert server.port > 0


@contract("start", "сервер слушает порт, который задан ключом --port")
def test_the_port_that_was_asked_for_is_taken(server_command, story, unbuffered):
    port = free_port()
    with Program([*server_command, "--port", str(port)], story=story, env=unbuffered) as server:
        server.prints(f"listening on 127.0.0.1:{port}\n")
        socket.create_connection(("127.0.0.1", port), story.deadline).close()


@contract("start", "занятый адрес: одна строка с адресом и причиной в stderr, код возврата 1")
def test_an_address_that_is_taken_is_named_in_one_line_with_status_1(chat, server_command):
    address = ["--host", "127.0.0.1", "--port", str(chat.server.port)]
    second = subprocess.run([*server_command, *address], capture_output=True, text=True, timeout=30)
    assert second.returncode == 1, second.stderr
    assert second.stdout == ""
    assert len(second.stderr.splitlines()) == 1, second.stderr
    line = second.stderr.strip()
    assert f"127.0.0.1:{chat.server.port}" in line
    assert len(line.split()) > 3, f"no reason: {line}"


@contract("start", "невозможный адрес: одна строка с адресом и причиной в stderr, код возврата 1")
@pytest.mark.parametrize("host", ["256.1.1.1", "no.such.host.invalid"])
def test_an_impossible_address_is_named_in_one_line_with_status_1(host, server_command):
    command = [*server_command, "--host", host, "--port", "0"]
    server = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert server.returncode == 1, server.stderr
    assert len(server.stderr.splitlines()) == 1, server.stderr
    assert host in server.stderr


@own
@pytest.mark.parametrize("name", ["server", "client"])
@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:99999", "127.0.0.1:-1", "1.1.1.1.1:1", "ж" * 70 + ":1", "a..b:1"],
    ids=["large port", "negative port", "no address", "long name", "no name"],
)
def test_a_senseless_address_is_named_in_one_line_with_status_1(step, name, address):
    host, port = address.split(":")
    command = [*program(step, name), "--host", host, "--port", port]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    escaped = host.encode("ascii", "backslashreplace").decode()  # in a console without Cyrillic
    assert host in done.stderr or escaped in done.stderr


@own
@pytest.mark.parametrize("name", ["server", "client"])
def test_small_messages_are_sent_at_once(step, story, start, run_client, name):
    """TCP_NODELAY cannot be seen from outside: record what the program asks the system for."""
    prelude = (
        "set_option = socket.socket.setsockopt; socket.socket.setsockopt = lambda it, *a:"
        " (set_option(it, *a), print('set', *a, file=sys.stderr, flush=True))[0]"
    )
    chat = start(command=prepared(program(step, "server"), prelude))
    said = f"set {int(socket.IPPROTO_TCP)} {int(socket.TCP_NODELAY)} 1"
    if name == "server":
        peers = [chat.join(who) for who in ("ann", "bob")[: step if step < 3 else 2]]
        it = chat.server
    else:
        peers = [None]
        it = run_client(chat, command=prepared(program(step, "client"), prelude))
        meet(chat, it)

    def times() -> int:
        errors = re.sub(r"<\S+ (\d+)>", r"\1", it.stderr())  # an enumeration's member
        return errors.count(said)

    wait_until(lambda: times() >= len(peers), f"{said!r} {len(peers)} times", story)


@own
@posix_only
def test_many_may_wait_until_they_are_accepted(chat):
    """The backlog: while the server is held, the system takes connections in its place."""
    chat.server.process.send_signal(signal.SIGSTOP)
    try:
        waiting = [
            socket.create_connection(("127.0.0.1", chat.server.port), timeout=1) for _ in range(40)
        ]
    finally:
        chat.server.process.send_signal(signal.SIGCONT)
    for connection in waiting:
        connection.close()
    converse(chat)


# Stop


@contract("stop", "Ctrl-C и SIGTERM останавливают сервер за 2 секунды, когда никого нет")
@posix_only
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_stop_with_nobody_there_ends_in_time(chat, signum):
    stop(chat.server, signum)


@contract("stop", "Ctrl-C и SIGTERM останавливают сервер за 2 секунды, когда клиенты подключены")
@posix_only
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_stop_with_clients_connected_ends_in_time(chat, signum):
    if chat.step == 1:
        chat.join("ann")
    else:
        two_people(chat)
    chat.connect("silent")
    stop(chat.server, signum)


@own
@posix_only
@pytest.mark.parametrize("signum", SIGNALS)
def test_the_exit_status_after_a_stop_is_that_of_the_protocol(chat, signum):
    chat.join("ann")
    assert stop(chat.server, signum) == (0 if chat.step == 4 else by_system(signum))


@own
@posix_only
def test_other_signals_are_the_systems(chat):
    """A terminal window that is closed sends this one."""
    chat.join("ann")
    assert stop(chat.server, signal.SIGHUP) == by_system(signal.SIGHUP)


@contract("stop", "порт свободен для следующего запуска сразу после остановки")
@posix_only
def test_the_port_is_free_for_the_next_start_at_once(start, server_command, story, unbuffered):
    port = free_port()
    chat = start(port=port)
    converse(chat)
    carl = chat.connect("carl")  # the server ends this connection, which then stays in TIME_WAIT
    if chat.step == 1:
        carl.say("hello")
    carl.get()
    stop(chat.server)
    with Program([*server_command, "--port", str(port)], story=story, env=unbuffered) as second:
        second.prints(f"listening on 127.0.0.1:{port}\n")


# Faults


@contract("faults", "клиенты, которые подключились и сразу ушли, никому не мешают")
def test_clients_that_connect_and_go_at_once_harm_nobody(chat):
    for number in range(30):
        chat.connect(f"hasty {number}").close()
    chat.people.clear()
    converse(chat)


@contract("faults", "клиенты, которые обрывают соединение (RST), никому не мешают")
def test_clients_that_reset_the_connection_harm_nobody(chat):
    for number in range(10):
        peer = chat.connect(f"rude {number}")
        peer.send(b"*")  # no nickname, should the server read it before the reset arrives
        peer.reset()
    chat.people.clear()
    converse(chat)


@contract("faults", "клиент, который закрыл передачу, а затем оборвал соединение, не мешает")
def test_clients_that_half_close_and_then_reset_harm_nobody(chat):
    for number in range(5):
        peer = chat.connect(f"rude {number}", reads=False)
        peer.connection.settimeout(0.2)
        with contextlib.suppress(OSError):  # the server takes no more: it waits for this reader
            peer.connection.sendall(b"*" * 20_000_000)
        peer.half_close()
        peer.reset()
    chat.people.clear()
    converse(chat)


@contract("faults", "соединения, оборванные до accept, не останавливают сервер")
@posix_only
def test_resets_before_the_server_accepts_harm_nobody(chat):
    chat.server.process.send_signal(signal.SIGSTOP)
    try:
        for number in range(5):
            chat.connect(f"rude {number}").reset()
            peer = chat.connect(f"ruder {number}")
            peer.send(b"*" * 1000)
            peer.half_close()  # then a reset is not "connection reset", but "broken pipe"
            peer.reset()
    finally:
        chat.server.process.send_signal(signal.SIGCONT)
    chat.people.clear()
    converse(chat)


@contract("faults", "посторонние данные никому не мешают")
@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", bytes(range(256)), b"\xff" * 5000, b"\n" * 99],
    ids=["an HTTP request", "all bytes", "5000 times FF", "newlines"],
)
def test_a_client_that_sends_garbage_harms_nobody(chat, garbage):
    peer = chat.connect("garbage")
    peer.send(garbage)
    peer.close()
    chat.people.clear()
    converse(chat)


@contract("leave", "после ухода клиента сервер не загружает процессор")
def test_after_a_client_has_left_the_server_is_idle(chat):
    converse(chat)
    expect_idle(chat)


@own
def test_those_who_left_leave_no_thread_and_no_connection(chat):
    process = psutil.Process(chat.server.process.pid)
    converse(chat)

    def at_rest() -> bool:
        established = [c for c in process.net_connections() if c.status != psutil.CONN_LISTEN]
        return not established and process.num_threads() <= threads

    threads = 2 if chat.step == 4 else 1  # step 4 has one for its room
    wait_until(at_rest, "no thread and no connection left", chat.story)


@own
def test_python_has_nothing_to_warn_of(step, start, run_client):
    """`-X dev -W error`: every socket is closed by the code that opened it."""
    strict = [
        [python, "-X", "dev", "-W", "error", *rest]
        for python, *rest in (program(step, "server"), program(step, "client"))
    ]
    chat = start(command=strict[0])
    converse(chat)
    client = run_client(chat, command=strict[1])
    meet(chat, client)
    client.ends_input()
    assert client.exits() == 0
    assert client.stderr() == ""
    refused = subprocess.run(
        [*strict[1], "--port", str(free_port())], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert len(refused.stderr.splitlines()) == 1
    stop(chat.server) if os.name == "posix" else None
    errors = chat.server.stderr()
    assert "Warning" not in errors
    assert "Traceback" not in errors


# Output that nobody can take


OUTPUTS = {"closed": ">&- 2>&-", "a full disk": ">/dev/full 2>/dev/full", "no reader": "| true"}


@contract("faults", "сервер работает, даже если его вывод некому принять (закрыт, диск полон)")
@posix_only
@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_output_that_nobody_can_take_stops_no_server(step, server_command, story, output):
    from tools.harness import Peer

    port = free_port()
    line = subprocess.list2cmdline([*server_command, "--port", str(port)])
    line = f"exec {line} {output}" if "|" not in output else f"(exec {line}) {output}"
    server = subprocess.Popen(["sh", "-c", line], start_new_session=True)
    try:
        found: list[Peer] = []

        def connect() -> bool:
            try:
                found.append(Peer(port, "ann", Chat.dialect_of(step), story))
            except OSError:
                return False
            return True

        wait_until(connect, "a server that listens", story)
        chat = Chat(step, None, story)
        chat.port = port
        found[0].close()
        converse(chat)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@contract("client", "вывод, который некому принять, завершает клиент без жалоб на сеть")
@posix_only
@pytest.mark.parametrize("output", [">/dev/full", "| head -1"])
def test_output_that_nobody_can_take_ends_the_client_with_a_line_at_most(
    chat, client_command, story, output
):
    line = subprocess.list2cmdline([*client_command, "--port", str(chat.server.port)])
    done = subprocess.Popen(
        ["sh", "-c", f"{line} {output}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    lines = "client\n" + "/help\n" * 2000
    if chat.step > 1:  # somebody who sends what the client has to print
        bob = chat.connect("bob")
        if chat.step > 2:
            bob.say("bob")
            bob.has_received(b"welcome", within=story.deadline)
        bob.floods(*map(str, range(20_000)))
    try:
        _, errors = done.communicate(lines, timeout=story.deadline)
    except subprocess.TimeoutExpired:
        os.killpg(done.pid, signal.SIGKILL)
        done.communicate()
        story.fail("client", "to end", "it runs on")
    assert len(errors.splitlines()) <= 1, errors
    assert "onnect" not in errors, errors
    assert "Traceback" not in errors, errors


# The client


@contract("client", "сервера нет: одна строка с адресом в stderr, код возврата 1")
def test_no_server_is_told_in_one_line_with_status_1(client_command):
    port = free_port()
    command = [*client_command, "--host", "127.0.0.1", "--port", str(port)]
    client = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    assert client.returncode == 1
    assert len(client.stderr.splitlines()) == 1
    assert f"127.0.0.1:{port}" in client.stderr


@contract("client", "сервер пропал: клиент сообщает об этом одной строкой, код возврата 1")
def test_the_client_says_that_the_server_went_away_and_exits_with_1(chat, run_client):
    client = run_client(chat)
    meet(chat, client)
    chat.server.process.kill()
    if chat.step == 1:
        chat.server.process.wait()
        client.types("hello?\n")  # a limit of step 1: it notices at the next line
    assert client.exits(within=STOP_TIME) == 1  # although its input is open
    assert len(client.stderr().splitlines()) == 1, client.stderr()
    assert "Traceback" not in client.stderr()


@contract("client", "соединение оборвано (RST): одна строка, код возврата 1, и после конца ввода")
@pytest.mark.parametrize("input_ended", [False, True])
def test_a_reset_is_told_in_a_line_with_status_1(step, run_client, fake, input_ended):
    client = run_client(fake)
    connection = fake.accept()
    client.types("hello\n")
    receive_until(connection, b"hello\n" if step < 4 else b"hello")
    if input_ended:
        client.ends_input()
        if step > 1:
            receive_until(connection, b"")
    reset(connection)
    if not input_ended and step == 1:
        try:
            client.types("more\n")
        except OSError:  # it has noticed already
            pass
    assert client.exits(within=STOP_TIME) == 1
    assert len(client.stderr().splitlines()) == 1
    assert "Traceback" not in client.stderr()


@contract("client", "символ, байты которого пришли двумя частями, выводится целым")
def test_a_character_that_comes_in_two_pieces_is_shown_whole(step, run_client, fake):
    client = run_client(fake)
    with fake.accept() as connection:
        data = "привет ж\n".encode() if step < 4 else Frames.encode("привет ж")
        if step == 1:
            client.types("привет ж\n")
            receive_until(connection, data)
        for piece in (data[:5], data[5:-2], data[-2:]):
            connection.sendall(piece)
            time.sleep(0.1)  # so that it comes in pieces: not a synchronisation
        client.prints("привет ж\n")


@contract("client", "строка ввода оканчивается на \\n или \\r\\n: \\r не попадает в сообщение")
def test_a_line_may_end_as_on_windows(step, run_client, fake):
    client = run_client(fake)
    with fake.accept() as connection:
        client.process.stdin.write(b"one\r\ntwo\r\n\r\nfour")
        client.ends_input()
        lines = ["one", "two", "", "four"]
        if step == 1:
            for line in lines:
                receive_until(connection, f"{line}\n".encode())
                connection.sendall(f"{line}\n".encode())
        elif step < 4:
            assert receive_until(connection, b"") == b"one\ntwo\n\nfour\n"
        else:
            expected = b"".join(map(Frames.encode, [*lines, "/quit"]))
            assert receive_until(connection, b"") == expected


@contract("client", "Ctrl-C завершает клиент за 2 секунды без сообщений об ошибке")
@posix_only
@pytest.mark.parametrize("signum", SIGNALS)
def test_ctrl_c_ends_the_client(chat, run_client, signum):
    client = run_client(chat)
    meet(chat, client)
    client.interrupt(signum)
    client.exits(within=STOP_TIME)
    assert client.stderr() == ""


@own
@posix_only
@pytest.mark.parametrize("signum", SIGNALS)
def test_the_status_of_an_interrupted_client_is_that_of_the_protocol(chat, run_client, signum):
    client = run_client(chat)
    meet(chat, client)
    client.interrupt(signum)
    assert client.exits(within=STOP_TIME) == by_system(signum)


@contract("client", "текст в UTF-8 независимо от настроек системы")
def test_text_is_utf8_whatever_the_locale(chat, run_client):
    environment = {
        name: text for name, text in os.environ.items() if name[:3] not in ("LC_", "LAN")
    }
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    client = run_client(chat, env=environment)
    other = meet(chat, client)
    client.types("привет 👋\n")
    if chat.step == 1:
        client.prints("привет 👋\n")
    else:
        other.expect(chat.heard("client", "привет 👋"))
        other.say("здравствуй")
        client.prints(chat.heard("bob", "здравствуй"))


@posix_only
class TestAtATerminal:
    """The same client, with a person at the keyboard."""

    @pytest.fixture
    def terminal(self, chat, client_command, story):
        from terminal_screen import Terminal

        address = ["--host", "127.0.0.1", "--port", str(chat.server.port)]
        with Terminal([*client_command, *address], story) as terminal:
            yield terminal

    def greet(self, chat: Chat, terminal) -> None:
        if chat.step == 1:
            terminal.types("anybody?\r")
            terminal.shows("anybody?", times=2)  # as it was typed, and its echo
        elif chat.step == 2:
            terminal.shows("* waiting for the second user")
        else:
            terminal.shows(QUESTION)
            terminal.types("client\r")
            terminal.shows("* welcome, client")

    @contract("client", "за терминалом: введённое отправляется, пришедшее выводится")
    def test_what_is_typed_is_sent_and_what_arrives_is_shown(self, chat, terminal):
        self.greet(chat, terminal)
        if chat.step == 1:
            return
        bob = meet_bob(chat)
        terminal.types("hello\r")
        bob.expect(chat.heard("client", "hello"))
        bob.say("hi")
        terminal.shows(chat.heard("bob", "hi"))

    @contract("client", "за терминалом: сервер пропал — клиент завершается, не дожидаясь Enter")
    def test_the_client_leaves_at_once_when_the_server_goes(self, chat, terminal):
        self.greet(chat, terminal)
        terminal.types("half a li")
        chat.server.process.kill()
        if chat.step == 1:
            chat.server.process.wait()
            terminal.types("ne\r")  # a limit of step 1
        assert terminal.exits(within=STOP_TIME) == 1
        assert "Traceback" not in "\n".join(terminal.lines())

    @contract("client", "за терминалом: Ctrl-C завершает клиент без traceback")
    def test_ctrl_c_ends_it_without_a_traceback(self, chat, terminal):
        self.greet(chat, terminal)
        terminal.types("\x03")
        terminal.exits(within=STOP_TIME)
        assert "Traceback" not in "\n".join(terminal.lines())

    @contract("client", "за терминалом: Ctrl-D (конец ввода) завершает клиент, код возврата 0")
    def test_ctrl_d_ends_it(self, chat, terminal):
        self.greet(chat, terminal)
        if chat.step == 2:  # its server waits for the second user, and for nothing else
            meet_bob(chat)
        terminal.settles()
        terminal.types("\x04")
        assert terminal.exits(within=STOP_TIME) == 0


CONNECTING = (
    "connect = socket.socket.connect;"
    "socket.socket.connect = lambda *a: (print('connecting', flush=True), connect(*a))"
)


@own
@posix_only
def test_ctrl_c_while_the_client_connects_ends_it_without_a_traceback(step, story):
    with socket.socket() as listener:  # it never accepts, and its queue is full
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(address)
        command = prepared(program(step, "client"), CONNECTING)
        with Program(command, "--port", str(address[1]), story=story) as it:
            it.prints("connecting")
            it.interrupt()
            it.exits(within=STOP_TIME)
            assert it.stderr() == ""
        for connection in waiting:
            connection.close()


@own
@pytest.mark.parametrize("closed", ["<&-", ">&-"])
@posix_only
def test_a_client_without_input_or_output_says_so_in_a_line(step, closed):
    line = subprocess.list2cmdline(program(step, "client"))
    done = subprocess.run(["sh", "-c", f"{line} {closed}"], capture_output=True, text=True)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
