"""Step 4, framing and exit: whole messages, commands, and an end that is told."""

import importlib
import shlex
import signal
import socket
import struct
import subprocess
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from every_step import *  # noqa: F403
from nicknames import BAD, GOOD
from tools.harness import STEPS, Frames, Peer, program, wait_until

STEP = 4
QUESTION = "* enter your nickname"
LIMIT = 65_536


def newcomer_asked(chat):
    newcomer = chat.connect("newcomer")
    newcomer.expect(QUESTION)
    return newcomer


# Joining


@pytest.mark.parametrize("nick", GOOD)
def test_a_nickname_that_fits_is_welcomed_and_told_who_is_online(chat, nick):
    zoe = chat.join("zoe")
    newcomer = newcomer_asked(chat)
    newcomer.say(f"  {nick}\t")
    newcomer.expect(f"* welcome, {nick}", f"* online: zoe, {nick}")
    zoe.expect(f"* {nick} joined")


@pytest.mark.parametrize("nick", BAD.values(), ids=BAD)
def test_a_nickname_that_is_wrong_is_refused_with_the_reason(chat, nick):
    newcomer = newcomer_asked(chat)
    newcomer.say(nick)
    newcomer.expect_server_line()
    newcomer.expect(QUESTION)
    newcomer.say("ann")
    newcomer.expect("* welcome, ann")


@pytest.mark.parametrize("nick", ["ann", "ANN", " Ann "])
def test_a_nickname_that_is_taken_is_refused_whatever_its_case(chat, nick):
    chat.join("ann")
    newcomer = newcomer_asked(chat)
    newcomer.say(nick)
    assert "taken" in newcomer.expect_server_line()
    newcomer.expect(QUESTION)


def test_the_third_refused_nickname_ends_the_connection_with_the_reason(chat):
    newcomer = newcomer_asked(chat)
    for _ in range(2):
        newcomer.say("a b")
        newcomer.expect_server_line()
        newcomer.expect(QUESTION)
    newcomer.say("a:b")
    assert newcomer.expect_server_line() != QUESTION
    newcomer.expect_end()


@pytest.mark.parametrize("bytes_first", [b"", b"\0\0\0\5a"], ids=["nothing", "part of a frame"])
def test_no_nickname_within_the_login_timeout_ends_the_connection_with_the_reason(
    start, bytes_first
):
    chat = start("--login-timeout", "0.5")
    newcomer = newcomer_asked(chat)
    newcomer.send(bytes_first)
    newcomer.expect_server_line()
    newcomer.expect_end()


def test_the_login_timeout_does_not_concern_those_who_have_joined(start):
    chat = start("--login-timeout", "0.5")
    ann, bob = chat.join("ann"), chat.join("bob")
    chat.connect("silent").expect(QUESTION)
    chat.people[-1].expect_server_line()  # now the timeout is over
    ann.say("hello")
    bob.expect("ann: hello")


def test_more_than_max_clients_are_told_that_the_server_is_full(start):
    chat = start("--max-clients", "2")
    ann, bob = chat.join("ann"), chat.join("bob")
    carl = chat.connect("carl")
    carl.expect("* server is full")
    carl.expect_end()
    bob.leave()
    ann.expect("* bob left")
    chat.join("dora")


def test_the_last_free_place_goes_to_one_of_two_who_come_at_once(start):
    chat = start("--max-clients", "2")
    chat.join("ann")
    newcomers = [chat.connect("bob"), chat.connect("carl")]
    answers = sorted(newcomer.expect_server_line() for newcomer in newcomers)
    assert answers == [QUESTION, "* server is full"]


def test_all_in_one_piece_nickname_messages_and_quit_is_not_lost(chat):
    ann = chat.join("ann")
    bob = chat.connect("bob")
    bob.say("bob", "one", "two", "/quit")
    bob.expect(QUESTION, "* welcome, bob", "* online: ann, bob", "* bye")
    bob.expect_end()
    ann.expect("* bob joined", "bob: one", "bob: two", "* bob left")


# Talking


def test_a_message_goes_to_all_others_and_not_back_to_its_author(chat):
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    ann.say("hello")
    for other in (bob, carl):
        other.expect("ann: hello")
    bob.say("hi")
    ann.expect("bob: hi")
    carl.expect("bob: hi")


def test_empty_messages_and_white_space_are_ignored(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("", " ", "\t\n ", "\u2003", "hello")
    bob.expect("ann: hello")


@pytest.mark.parametrize(
    "text",
    ["\x1b[2J\x1b[31mred", "one\nbob: two", "a\r* b joined", "\x9b31m", "\u202eright\u2066"],
)
def test_nothing_that_a_terminal_obeys_reaches_anybody(chat, text):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say(text)
    harmful = "\x1b\n\r\x9b\u202e\u2066"
    bob.expect("ann: " + "".join("\ufffd" if char in harmful else char for char in text))


def test_emoji_sequences_arrive_whole(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽")
    bob.expect("ann: 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽")


def test_the_longest_message_that_fits_into_a_frame_arrives(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    text = "x" * (LIMIT - len("ann: "))
    ann.say(text)
    bob.expect(f"ann: {text}")


def test_a_message_that_does_not_fit_with_its_author_is_refused_and_the_talk_goes_on(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    for text in ("x" * LIMIT, "\x01" * (LIMIT // 2)):
        ann.say(text, "short")
        ann.expect_server_line()
        bob.expect("ann: short")


def test_all_see_what_they_share_in_the_same_order(chat):
    watchers = [chat.join("ann"), chat.join("bob")]
    talkers = [chat.join(f"talker{number}") for number in range(4)]
    for talker in talkers:
        talker.floods(*map(str, range(500)), "/quit")
    seen = [[watcher.get() for _ in range(4 * 501)] for watcher in watchers]
    assert seen[0] == seen[1]
    for talker in talkers:
        said = [line for line in seen[0] if line.startswith((talker.name, f"* {talker.name}"))]
        assert said == [f"{talker.name}: {n}" for n in range(500)] + [f"* {talker.name} left"]


# Commands


def test_quit_is_answered_with_bye_and_told_after_all_that_was_said(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say("one", "two", "/quit", "never")
    bob.expect("* bye")
    assert bob.expect_end() == "the connection was closed"
    ann.expect("bob: one", "bob: two", "* bob left")


def test_who_names_all_in_the_order_of_joining_to_the_asker_alone(chat):
    ann, bob, carl = (chat.join(name) for name in ("carl", "ann", "bob"))
    ann.leave()
    bob.expect("* carl left")
    carl.expect("* carl left")
    bob.say("/who", "hello")
    bob.expect("* online: ann, bob")
    carl.expect("ann: hello")


def test_help_names_the_commands_to_the_asker_alone(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("/help", "hello")
    line = ann.expect_server_line()
    assert all(command in line for command in ("/who", "/quit", "/help"))
    bob.expect("ann: hello")


@pytest.mark.parametrize(
    ("text", "word"), [("/foo", "/foo"), ("/foo bar", "/foo"), ("/", "/"), ("/QUIT", "/QUIT")]
)
def test_another_word_is_unknown_to_the_asker_alone(chat, text, word):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say(text, "hello")
    ann.expect(f"* unknown command: {word}")
    bob.expect("ann: hello")


def test_an_answer_comes_in_its_place_among_the_messages(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say("/who", "one", "/foo", "two", "/who")
    bob.expect("* online: ann, bob", "* unknown command: /foo", "* online: ann, bob")
    ann.expect("bob: one", "bob: two")


# Leaving and faults


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_whoever_leaves_in_whatever_way_is_said_to_have_left_once(chat, how):
    ann, bob = chat.join("ann"), chat.join("bob")
    getattr(bob, how)()
    bob.joined = False
    ann.expect("* bob left")
    chat.join("carl")  # were it said twice, ann would read it before this


def test_what_was_sent_whole_before_closing_arrives(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say(*map(str, range(1000)))
    bob.close()
    ann.expect(*(f"bob: {number}" for number in range(1000)), "* bob left")


def test_a_half_close_is_answered_like_quit(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say("last words")
    bob.half_close()
    bob.expect("* bye")
    bob.expect_end()
    ann.expect("bob: last words", "* bob left")


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!I", LIMIT + 1),
        b"\xff\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n" * 5000,
        struct.pack("!I", 2) + b"\xff\xfe",
    ],
    ids=["65537 bytes", "4 GB", "an HTTP request", "no UTF-8"],
)
def test_what_is_no_frame_is_answered_with_the_reason_and_ends_the_connection(chat, data):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.send(Frames.encode("one") + data)
    bob.expect_server_line()
    assert bob.expect_end() == "the connection was closed"
    ann.expect("bob: one", "* bob left")


def test_the_reason_is_not_lost_when_much_is_under_way_behind_the_bad_frame(chat):
    ann = chat.join("ann")
    bob = chat.connect("bob", reads=False)
    bob.say("bob")
    ann.expect("* bob joined")
    bob.floods_bytes(b"GET / HTTP/1.1\r\n\r\n" * 500_000)
    # Closed with bytes unread, the connection would be reset, and the reason perhaps lost.
    wait_until(lambda: bob.flooded >= bob.to_flood, "no reset", chat.story)
    bob.start_reading()
    bob.expect(QUESTION, "* welcome, bob", "* online: ann, bob")
    bob.expect_server_line()
    assert bob.expect_end() == "the connection was closed"
    ann.expect("* bob left")


def test_the_end_inside_a_frame_is_answered_with_the_reason(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.send(Frames.encode("one") + Frames.encode("two")[:-1])
    bob.half_close()
    assert bob.expect_server_line() != "* bye"
    bob.expect_end()
    ann.expect("bob: one", "* bob left")


@posix_only  # noqa: F405
def test_all_are_told_when_the_server_stops_also_those_without_a_nickname(chat):
    ann, newcomer = chat.join("ann"), newcomer_asked(chat)
    chat.server.interrupt()
    for peer in (ann, newcomer):
        peer.expect("* server is shutting down")
        peer.expect_end()
        peer.close()
    assert chat.server.exits(within=2) == 0
    assert "ann left: the server stops" in chat.server.stderr()


def test_the_log_says_who_joined_who_left_and_why(chat):
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    bob.say("/quit")
    ann.expect("* bob left")
    carl.send(b"\xff\xff\xff\xff")
    ann.expect("* carl left")
    wait_until(lambda: "carl left" in chat.server.stderr(), "a log line", chat.story)
    chat.connect("hasty").close()
    rude = chat.connect("rude")
    rude.send(b"\0\0\0\1\xff")
    wait_until(lambda: chat.server.stderr().count("\n") == 7, "7 log lines", chat.story)
    log = chat.server.stderr().splitlines()
    assert log[0].startswith("ann joined")
    assert "bob left: bye" in log
    assert any(line.endswith(" refused: the text is not valid UTF-8") for line in log)
    assert "carl left: a frame of 4294967295 bytes is over the limit of 65536" in log


# The client


def test_the_client_loses_nothing_of_piped_input_and_exits_with_0(chat, run_client):
    bob = chat.join("bob")
    client = run_client(chat)
    client.types("ann\none\ntwo")
    client.ends_input()
    assert client.exits() == 0
    bob.expect("* ann joined", "ann: one", "ann: two", "* ann left")
    assert client.prints("") == f"{QUESTION}\n* welcome, ann\n* online: bob, ann\n* bye\n"
    assert client.stderr() == ""


def test_the_option_nick_answers_the_question(chat, run_client):
    bob = chat.join("bob")
    client = run_client(chat, "--nick", "ann")
    client.types("one\n")
    client.ends_input()
    assert client.exits() == 0
    bob.expect("* ann joined", "ann: one", "* ann left")


def test_a_nick_that_is_refused_is_an_error_and_no_line_becomes_a_nickname(chat, run_client):
    bob = chat.join("bob")
    client = run_client(chat, "--nick", "BOB")
    client.types("one\n")
    assert client.exits() == 1
    assert len(client.stderr().splitlines()) == 1
    chat.join("carl")
    assert not bob.stream


def test_after_quit_the_client_exits_with_0(chat, run_client):
    client = run_client(chat, "--nick", "ann")
    client.types("/quit\n")
    assert client.exits() == 0
    assert client.stderr() == ""


def test_the_client_prints_nothing_that_a_terminal_obeys(run_client, story):
    import socket
    from types import SimpleNamespace

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(story.deadline)
        address = SimpleNamespace(server=SimpleNamespace(port=listener.getsockname()[1]))
        client = run_client(address)
        connection, _ = listener.accept()
        with connection:
            connection.sendall(Frames.encode("\x1b[2Jone\ntwo\u202e\x9b"))
            client.prints("\ufffd[2Jone\ufffdtwo\ufffd\ufffd\n")


@posix_only  # noqa: F405
def test_the_line_being_typed_is_put_back_by_the_standard_library_alone(
    chat, client_command, story
):
    from terminal import Terminal

    # The command has -S, which hides prompt_toolkit.
    with Terminal(
        [*client_command, "--port", str(chat.server.port), "--nick", "ann"], story
    ) as terminal:
        terminal.shows("* welcome, ann")
        interrupt_a_line(chat, terminal, prompt="")
        paste_lines(chat.people[-1], terminal)


@posix_only  # noqa: F405
@pytest.mark.parametrize("typed", ["/quit\r", ""])
def test_without_the_library_too_the_terminal_is_left_as_it_was(chat, client_command, story, typed):
    import termios

    from terminal import Terminal

    client = [*client_command, "--port", str(chat.server.port), "--nick", "ann"]
    with Terminal(["sh", "-c", shlex.join(client) + "; echo over; read line"], story) as terminal:
        before = termios.tcgetattr(terminal.process.fd)
        terminal.shows("* online: ann")
        fd = terminal.process.fd
        wait_until(lambda: termios.tcgetattr(fd) != before, "readline to read", chat.story)
        terminal.types("half a li")
        terminal.shows("half a li")
        if typed:
            terminal.types(f"\x15{typed}")  # Ctrl-U takes back what was typed
        else:
            chat.server.process.kill()
        terminal.shows("over")
        assert termios.tcgetattr(terminal.process.fd) == before
        assert typed or "the server has closed the connection" in terminal.lines()


def interrupt_a_line(chat, terminal, prompt: str) -> None:
    """Let a message arrive while a line is being typed; the line stays whole."""
    bob = chat.connect("bob")
    bob.say("bob")
    bob.expect(QUESTION, "* welcome, bob", "* online: ann, bob")
    # With its prompt drawn anew, prompt_toolkit listens to the keys again; before, they are echoed.
    terminal.shows("* bob joined", *prompt.split())
    terminal.types("half a li")
    terminal.shows(f"{prompt}half a li")
    bob.say("hello")
    terminal.shows("bob: hello", f"{prompt}half a li")
    terminal.types("ne\r")
    bob.expect("ann: half a line")


def paste_lines(bob, terminal) -> None:
    """Paste a text of several lines, the last one without its end: each line is a message."""
    terminal.types("\x1b[200~one\ntwo\x1b[201~\r")
    bob.expect("ann: one", "ann: two")


@posix_only  # noqa: F405
class TestWithPromptToolkit:
    """The client at a terminal, with the library that edits the line."""

    @pytest.fixture
    def terminal(self, chat, client_command, story):
        pytest.importorskip("prompt_toolkit")
        from terminal import Terminal

        command = [word for word in client_command if word != "-S"]  # -S hides the library
        with Terminal([*command, "--port", str(chat.server.port), "--nick", "ann"], story) as it:
            it.shows("* welcome, ann", ">")
            yield it

    def test_what_arrives_does_not_break_the_line_being_typed(self, chat, terminal):
        interrupt_a_line(chat, terminal, prompt="> ")
        paste_lines(chat.people[-1], terminal)

    def test_a_screen_that_stands_still_is_a_reader_who_stops(self, chat, client_command):
        pytest.importorskip("prompt_toolkit")
        from ptyprocess import PtyProcess

        bob = chat.join("bob")
        command = [word for word in client_command if word != "-S"]
        process = PtyProcess.spawn([*command, "--port", str(chat.server.port), "--nick", "ann"])
        try:
            bob.expect("* ann joined")
            bob.floods(*(f"{number:01000}" for number in range(10_000)))
            bob.expect("* ann left")
            said = "ann left: does not read"
            wait_until(lambda: said in chat.server.stderr(), said, chat.story)
        finally:
            process.kill(signal.SIGKILL)
            process.close()

    def test_a_flood_reaches_the_screen_whole(self, chat, terminal):
        bob = chat.connect("bob")
        bob.say("bob")
        bob.expect(QUESTION, "* welcome, bob", "* online: ann, bob")
        bob.floods(*map(str, range(5000)))
        terminal.shows(*(f"bob: {number}" for number in range(4990, 5000)), ">")

    def test_a_key_that_ends_the_prompt_as_the_server_goes_harms_nothing(self, monkeypatch):
        monkeypatch.syspath_prepend(str(STEPS[4]))
        keyboard = importlib.import_module("client").Keyboard()
        end = Mock(side_effect=Exception("Return value already set."))  # as prompt_toolkit does
        app = SimpleNamespace(is_running=True, is_done=True, exit=end)
        keyboard.session = SimpleNamespace(app=app)
        keyboard.status = 1
        keyboard._stop_if_over()
        app.is_done = False
        keyboard.session.default_buffer = SimpleNamespace(text="")
        with pytest.raises(Exception, match="already set"):
            keyboard._stop_if_over()

    def test_there_is_a_history(self, chat, terminal):
        bob = chat.connect("bob")
        bob.say("bob")
        bob.expect(QUESTION, "* welcome, bob", "* online: ann, bob")
        terminal.types("one\r")
        bob.expect("ann: one")
        terminal.types("\x1b[A")
        terminal.shows("> one")
        terminal.types("\r")
        bob.expect("ann: one")

    def test_an_answer_that_comes_at_once_stands_above_the_prompt(self, terminal):
        for number in range(20):
            terminal.types(f"/{number}\r")
            terminal.shows(f"* unknown command: /{number}")

    def test_what_is_on_the_screen_stays_however_late_the_terminal_answers(self, chat, terminal):
        answers = []  # to: where is the cursor?
        terminal.screen.write_process_input = lambda text: answers.append(text.encode())
        terminal.types("/one\r")
        terminal.shows("* unknown command: /one")
        chat.connect("bob").say("bob")
        terminal.shows("* bob joined", ">")
        for answer in answers:
            terminal.process.write(answer)
        terminal.types("half a li")
        terminal.shows("> half a li")
        assert terminal.lines()[0] == "* enter your nickname"

    @pytest.mark.parametrize(("keys", "status"), [("/quit\r", 0), ("\x03", 0), ("\x04", 0)])
    def test_the_ways_to_leave(self, terminal, keys, status):
        terminal.types(keys)
        assert terminal.exits(within=2) == status

    def test_it_leaves_at_once_when_the_server_goes(self, chat, terminal):
        terminal.types("half a li")
        terminal.shows("> half a li")
        chat.server.process.kill()
        assert terminal.exits(within=2) == 1
        assert "the server has closed the connection" in terminal.lines()
        assert "> half a li" in terminal.lines()

    def test_no_empty_prompt_stays_when_the_server_goes(self, chat, terminal):
        chat.server.interrupt()
        assert terminal.exits(within=2) == 1
        assert ">" not in terminal.lines()


@pytest.mark.parametrize(
    "arguments",
    ["--max-pending -1", "--max-clients 0", "--login-timeout nan", "--login-timeout inf"],
)
def test_numbers_that_make_no_sense_are_refused_in_a_line(server_command, arguments):
    done = subprocess.run(
        [*server_command, *arguments.split()], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("--max-clients and --max-pending: above 0")


@posix_only  # noqa: F405
def test_the_log_does_not_get_into_a_conversation_when_the_server_has_no_output(story):
    command = shlex.join([*program(4, "server"), "--port"])
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(["sh", "-c", f"exec {command} {port} >&- 2>&-"])
    try:
        found: list[Peer] = []
        wait_until(lambda: found or connect(port, found, story), "a server that listens", story)
        [ann] = found  # the first connection: it would get the number of standard error
        ann.say("ann")
        ann.expect(QUESTION, "* welcome, ann", "* online: ann")
        bob = Peer(port, "bob", Frames, story)
        bob.say("bob")
        bob.expect(QUESTION, "* welcome, bob", "* online: ann, bob")
        bob.say("hello")
        ann.expect("* bob joined", "bob: hello")
    finally:
        server.kill()
        server.wait()


def connect(port: int, found: list, story) -> None:
    try:
        found.append(Peer(port, "ann", Frames, story))
    except ConnectionError:
        pass
