"""What PROTOCOL says of every server and every client.

The test file of each step imports all that is here, so that it runs for that step too.
"""

import os
import signal
import socket
import subprocess
import sys
import threading

import psutil
import pytest

from properties import check_property, properties_of, two_people
from tools.harness import Chat, Program, Server, prepared, program, wait_until

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and terminals")
SIGNALS = [signal.SIGINT, signal.SIGTERM]
STOP_TIME = 2  # seconds in which a program that is told to stop has to end
CONNECTING = (
    "connect = socket.socket.connect;"
    "socket.socket.connect = lambda *a: (print('connecting', flush=True), connect(*a))"
)
BURNT = 0.25  # seconds of CPU that an idle server may use in a second


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the table of properties for the step of the test file."""
    if "prop" in metafunc.fixturenames:
        metafunc.parametrize("prop", properties_of(metafunc.module.STEP))


def test_property(prop, chat, request):
    check_property(prop, chat, request)


def converse(chat: Chat) -> None:
    """Let people talk as far as the step can: all that they say has to arrive."""
    if chat.step == 1:
        ann = chat.join("ann")
        ann.say("hello")
        ann.expect("hello")
        ann.leave()
    else:
        two_people(chat)
        for peer in chat.people:
            if peer.joined:
                peer.leave()
    chat.people.clear()


def stop(server: Server, signum: int = signal.SIGTERM) -> None:
    """Stop a server as a user would, and check that it goes quietly."""
    server.interrupt(signum)
    assert server.exits(within=STOP_TIME) == 0
    assert "Traceback" not in server.stderr()


def test_the_first_line_says_host_and_port(chat):
    assert chat.server.prints("\n") == f"listening on 127.0.0.1:{chat.server.port}\n"
    assert chat.server.port > 0


def test_an_address_that_is_taken_is_named_in_one_line_with_status_1(chat, server_command):
    address = ["--host", "127.0.0.1", "--port", str(chat.server.port)]
    second = subprocess.run([*server_command, *address], capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert second.stdout == ""
    assert len(second.stderr.splitlines()) == 1
    assert f"127.0.0.1:{chat.server.port}" in second.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "256.1.1.1:0", "no.such.host.invalid:0"])
def test_an_impossible_address_is_named_in_one_line_with_status_1(address, server_command):
    host, port = address.split(":")
    command = [*server_command, "--host", host, "--port", port]
    server = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert server.returncode == 1
    assert len(server.stderr.splitlines()) == 1
    assert host in server.stderr


@posix_only
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_stop_with_nobody_there_ends_with_status_0(chat, signum):
    stop(chat.server, signum)


@posix_only
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_stop_with_clients_connected_ends_with_status_0(chat, signum):
    chat.connect("silent")
    for name in ("ann", "bob")[: max(chat.step - 1, 0)]:
        chat.people.clear()
        chat.connect(name)
    stop(chat.server, signum)


@posix_only
def test_a_second_signal_during_the_stop_changes_nothing(chat):
    chat.join("ann")
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        try:
            chat.server.interrupt(signum)
        except ProcessLookupError:  # it has ended already
            pass
    assert chat.server.exits(within=STOP_TIME) == 0
    assert "Error" not in chat.server.stderr()


@posix_only
def test_the_port_is_free_for_the_next_start_at_once(chat, start, server_command, story):
    converse(chat)
    chat.connect("ann")
    port = chat.server.port
    stop(chat.server)
    address = ["--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen([*server_command, *address], stdout=subprocess.PIPE) as second:
        line = second.stdout.readline()
        second.terminate()
    assert line.decode().strip() == f"listening on 127.0.0.1:{port}"


def test_clients_that_connect_and_go_at_once_harm_nobody(chat):
    for number in range(30):
        chat.connect(f"hasty {number}").close()
    chat.people.clear()
    converse(chat)


def test_clients_that_reset_the_connection_harm_nobody(chat):
    for number in range(10):
        peer = chat.connect(f"rude {number}")
        peer.send(b"*")  # no nickname, should the server read it before the reset arrives
        peer.reset()
    chat.people.clear()
    converse(chat)


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


def test_after_a_client_has_left_the_server_is_idle(chat):
    converse(chat)
    process = psutil.Process(chat.server.process.pid)
    before = sum(process.cpu_times()[:2])
    threading.Event().wait(1)  # not to wait for something: the time that is measured
    assert sum(process.cpu_times()[:2]) - before < BURNT


def test_those_who_left_leave_no_thread_and_no_connection(chat):
    process = psutil.Process(chat.server.process.pid)
    converse(chat)

    def at_rest() -> bool:
        established = [c for c in process.net_connections() if c.status != psutil.CONN_LISTEN]
        return not established and process.num_threads() <= threads

    threads = 3 if chat.step == 4 else 1  # step 4 has one for its room and one for its log
    wait_until(at_rest, "no thread and no connection left", chat.story)


def test_no_server_is_told_in_one_line_with_status_1(client_command):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*client_command, "--host", "127.0.0.1", "--port", str(port)]
    client = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    assert client.returncode == 1
    assert len(client.stderr.splitlines()) == 1
    assert f"127.0.0.1:{port}" in client.stderr


def test_the_client_says_that_the_server_went_away_and_exits_with_1(chat, run_client):
    client = run_client(chat)
    meet(chat, client)
    chat.server.process.kill()
    assert client.exits(within=STOP_TIME) == 1  # although its input is open
    assert len(client.stderr().splitlines()) == 1
    assert "Traceback" not in client.stderr()


@posix_only
def test_ctrl_c_ends_the_client_with_status_0(chat, run_client):
    client = run_client(chat)
    meet(chat, client)
    client.interrupt()
    assert client.exits(within=STOP_TIME) == 0
    assert client.stderr() == ""


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


def meet(chat: Chat, client) -> None:
    """Bring a client program and, from step 2 on, a raw connection together; return the latter."""
    if chat.step == 1:
        client.types("anybody?\n")
        client.prints("anybody?\n")
        return None
    if chat.step == 2:
        client.prints("* waiting for the second user\n")
    else:
        client.prints("* enter your nickname\n")
        client.types("client\n")
        client.prints("* welcome, client\n")
    if chat.step == 4:
        client.prints("* online: client\n")
        peer = chat.connect("bob")
        peer.expect("* enter your nickname")
        peer.say("bob")
        peer.expect("* welcome, bob", "* online: client, bob")
    else:
        peer = chat.join("bob")
    return peer


@posix_only
class TestAtATerminal:
    """The same client, with a person at the keyboard."""

    @pytest.fixture
    def terminal(self, chat, client_command, story):
        from terminal import Terminal

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
            terminal.shows("* enter your nickname")
            terminal.types("client\r")
            terminal.shows("* welcome, client")

    def test_what_is_typed_is_sent_and_what_arrives_is_shown(self, chat, terminal):
        self.greet(chat, terminal)
        if chat.step == 1:
            return
        bob = chat.connect("bob") if chat.step == 4 else chat.join("bob")
        if chat.step == 4:
            bob.expect("* enter your nickname")
            bob.say("bob")
            bob.expect("* welcome, bob", "* online: client, bob")
        terminal.types("hello\r")
        bob.expect(chat.heard("client", "hello"))
        bob.say("hi")
        terminal.shows(chat.heard("bob", "hi"))

    def test_the_client_leaves_at_once_when_the_server_goes(self, chat, terminal):
        self.greet(chat, terminal)
        terminal.types("half a li")
        chat.server.process.kill()
        assert terminal.exits(within=STOP_TIME) == 1
        assert "Traceback" not in "\n".join(terminal.lines())

    def test_ctrl_c_ends_it_without_a_traceback(self, chat, terminal):
        self.greet(chat, terminal)
        terminal.types("\x03")
        assert terminal.exits(within=STOP_TIME) == 0
        assert "Traceback" not in "\n".join(terminal.lines())

    def test_ctrl_d_ends_it(self, chat, terminal):
        self.greet(chat, terminal)
        terminal.types("\x04")
        assert terminal.exits(within=STOP_TIME) == 0


assert sys.version_info >= (3, 11), "the steps need Python 3.11 or newer"


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
            assert it.exits() == 0
            assert it.stderr() == ""
        for connection in waiting:
            connection.close()
