"""Step 4, the client at a terminal: what arrives does not break the line that is being typed.

With prompt_toolkit, with `readline`, and at a terminal that can do neither.
"""

import os
import re
import shlex
import signal
import socket

import pytest

from expectations import QUESTION, STOP_TIME
from fake_server import receive_until
from marks import contract, own, posix_only
from tools.harness import Frames, wait_until

STEP = 4
HALF = "half a li"
LIBRARY = pytest.mark.parametrize("library", [True, False], ids=["prompt_toolkit", "readline"])
pytestmark = posix_only


def with_library(client_command: list[str], library: bool) -> list[str]:
    """Return the command that runs the client with prompt_toolkit, or without it."""
    if not library:
        return client_command  # -S hides what is installed
    pytest.importorskip("prompt_toolkit")
    return [word for word in client_command if word != "-S"]


def at_terminal(chat, client_command, story, library: bool, **environment: str):
    """Start the client as ann, with prompt_toolkit or on the standard library alone."""
    from terminal_screen import Terminal

    env = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    env |= {"TERM": "xterm-256color"} | environment
    command = with_library(client_command, library)
    return Terminal([*command, "--port", str(chat.server.port), "--nick", "ann"], story, env=env)


def in_shell(chat, client_command, story, library: bool, line: str):
    """Start a shell with a line in which CLIENT stands for the client's command."""
    from terminal_screen import Terminal

    command = [*with_library(client_command, library), "--port", str(chat.server.port)]
    line = line.replace("CLIENT", shlex.join([*command, "--nick", "ann"]))
    return Terminal(["sh", "-mc", line], story, env=os.environ | {"TERM": "xterm-256color"})


def bob_joins(chat, terminal):
    bob = chat.connect("bob")
    bob.say("bob")
    bob.expect(QUESTION, "* welcome, bob", "* online: ann, bob")
    terminal.shows("* bob joined")
    return bob


def prompts(library: bool) -> str:
    """Return what stands in front of the line that is typed."""
    return "ann> " if library else ""


def starts_typing(terminal, library: bool, text: str = HALF) -> None:
    """Wait until the client reads single keys, and type a line without its end."""
    terminal.waits_at(prompts(library))
    terminal.settles()
    terminal.types(text)
    terminal.waits_at(f"{prompts(library)}{text}")


# What is shown


@contract("client", "за терминалом имя автора и служебные строки выделены; NO_COLOR выключает это")
@LIBRARY
@pytest.mark.parametrize("no_color", ["", "1"])
def test_authors_and_the_servers_lines_are_set_apart(
    chat, client_command, story, library, no_color
):
    with at_terminal(chat, client_command, story, library, NO_COLOR=no_color) as terminal:
        terminal.shows("* online: ann")
        bob = bob_joins(chat, terminal)
        bob.say("hello")
        bob.say("* ann left")
        terminal.shows("bob: hello", "bob: * ann left")
        column = {
            line.rstrip(): [terminal.screen.buffer[row][x].bold for x in range(12)]
            for row, line in enumerate(terminal.screen.display)
        }
        output = terminal.output.decode()
        dim = re.search(r"\x1b\[(\d+;)*2(;\d+)*m\* bob joined", output)
        forged = re.search(r"\x1b\[(\d+;)*2(;\d+)*m(bob: )?\* ann left", output)
        bold = column["bob: hello"]
        assert not forged
        assert not bold[6]
        if no_color:
            assert not any(bold)
            assert not dim
        else:
            assert bold[0]
            assert dim


@contract("client", "на простом терминале (TERM=dumb) клиент ведёт себя как в канале")
@LIBRARY
def test_on_a_dumb_terminal_it_behaves_as_in_a_pipe(chat, client_command, story, library):
    with at_terminal(chat, client_command, story, library, TERM="dumb") as terminal:
        terminal.shows("* online: ann")
        bob = bob_joins(chat, terminal)
        bob.say("hello")
        terminal.shows("bob: hello")
        terminal.types("hi\r")
        bob.expect("ann: hi")
        assert b"\x1b" not in terminal.output
        chat.server.process.kill()
        assert terminal.exits(within=STOP_TIME) == 1


@own
@LIBRARY
def test_with_its_output_in_a_pipe_it_behaves_as_in_a_pipe(chat, client_command, story, library):
    with in_shell(chat, client_command, story, library, "CLIENT | cat") as terminal:
        terminal.shows("* online: ann")
        bob = bob_joins(chat, terminal)
        terminal.types("hi\r")
        bob.expect("ann: hi")
        assert b"\x1b" not in terminal.output


@own
@LIBRARY
def test_a_name_from_the_server_does_not_harm_the_prompt(fake, client_command, story, library):
    with at_terminal(fake, client_command, story, library) as terminal, fake.accept() as connection:
        connection.sendall(Frames.encode(QUESTION) + Frames.encode("* welcome, a\u202enn"))
        terminal.shows("* welcome, a\ufffdnn")
        terminal.settles()
        terminal.types("hello")
        wait_until(
            lambda: any(line.endswith("hello") for line in terminal.lines()), "the line", story
        )
        assert "\u202e" not in terminal.output.decode()


@own
@LIBRARY
def test_a_message_with_emoji_and_one_of_several_rows_are_shown_whole(
    chat, client_command, story, library
):
    with at_terminal(chat, client_command, story, library) as terminal:
        terminal.shows("* online: ann")
        bob = bob_joins(chat, terminal)
        bob.say("👋 hi", "x" * 100)
        terminal.shows("bob: 👋 hi", "bob: " + "x" * 75, "x" * 25)


@own
@LIBRARY
def test_a_flood_reaches_the_screen_whole(chat, client_command, story, library):
    with at_terminal(chat, client_command, story, library) as terminal:
        terminal.shows("* online: ann")
        bob = bob_joins(chat, terminal)
        bob.floods(*map(str, range(5000)))
        terminal.shows(*(f"bob: {number}" for number in range(4990, 5000)))
        said = re.findall(r"bob: .*?(\d+)\r*\n", terminal.output.decode())
        assert said == [str(number) for number in range(5000)]


@own
@LIBRARY
def test_an_answer_that_comes_at_once_stands_above_the_line(chat, client_command, story, library):
    with at_terminal(chat, client_command, story, library) as terminal:
        terminal.shows("* online: ann")
        for number in range(15):
            starts_typing(terminal, library, f"/{number}")
            terminal.types("\r")
            terminal.shows(f"* unknown command: /{number}, try /help")


@own
def test_what_is_on_the_screen_stays_however_late_the_terminal_answers(chat, client_command, story):
    with at_terminal(chat, client_command, story, library=True) as terminal:
        answers = []  # to: where is the cursor?
        terminal.screen.write_process_input = answers.append
        terminal.shows("* online: ann")
        starts_typing(terminal, True, "/one")
        terminal.types("\r")
        terminal.shows("* unknown command: /one, try /help")
        bob_joins(chat, terminal)
        terminal.waits_at("ann> ")
        for answer in answers:
            terminal.process.write(answer)
        starts_typing(terminal, True)
        assert terminal.lines()[0] == "* welcome, ann"


# The line that is typed


@own
@LIBRARY
def test_what_arrives_does_not_break_the_line_being_typed(chat, client_command, story, library):
    with at_terminal(chat, client_command, story, library) as terminal:
        terminal.shows("* online: ann")
        bob = bob_joins(chat, terminal)
        starts_typing(terminal, library)
        bob.say("hello")
        terminal.shows("bob: hello")
        terminal.waits_at(f"{prompts(library)}{HALF}")
        assert terminal.lines().count(f"{prompts(library)}{HALF}") == 1
        terminal.types("ne\r")
        bob.expect("ann: half a line")


@own
@LIBRARY
def test_a_typed_line_of_several_rows_is_not_broken_either(chat, client_command, story, library):
    text = "x" * 60 + "y" * 60
    rows = [prompts(library) + text[: 80 - len(prompts(library))]]
    rows.append(text[80 - len(prompts(library)) :])
    with at_terminal(chat, client_command, story, library) as terminal:
        terminal.shows("* online: ann")
        bob = bob_joins(chat, terminal)
        terminal.waits_at(prompts(library))
        terminal.settles()
        terminal.types(text)
        terminal.waits_at(rows[1])
        bob.say("hello")
        terminal.shows("bob: hello")
        terminal.waits_at(rows[1])
        assert terminal.lines()[-3:] == ["bob: hello", *rows]
        assert terminal.lines().count(rows[0]) == 1
        terminal.types("\r")
        bob.expect(f"ann: {text}")


@own
@LIBRARY
def test_a_line_that_was_sent_is_not_drawn_again(chat, client_command, story, library):
    with at_terminal(chat, client_command, story, library) as terminal:
        terminal.shows("* online: ann")
        bob = bob_joins(chat, terminal)
        starts_typing(terminal, library, "sent")
        terminal.types("\r")
        bob.expect("ann: sent")
        terminal.waits_at(prompts(library))
        bob.say("hello")
        terminal.shows("bob: hello")
        terminal.waits_at(prompts(library))
        assert terminal.lines().count(f"{prompts(library)}sent") == 1


@own
@LIBRARY
def test_each_line_of_a_paste_is_a_message(chat, client_command, story, library):
    with at_terminal(chat, client_command, story, library) as terminal:
        terminal.shows("* online: ann")
        bob = bob_joins(chat, terminal)
        starts_typing(terminal, library, "zero ")
        pasted = "one\rtwo\rthree"
        if b"\x1b[?2004h" in terminal.output:  # it has asked to be told where a paste begins
            pasted = f"\x1b[200~{pasted}\x1b[201~"
        terminal.types(pasted + "\r")
        bob.expect("ann: zero one", "ann: two", "ann: three")


@own
@LIBRARY
def test_there_is_a_history(chat, client_command, story, library):
    with at_terminal(chat, client_command, story, library) as terminal:
        terminal.shows("* online: ann")
        bob = bob_joins(chat, terminal)
        starts_typing(terminal, library, "one")
        terminal.types("\r")
        bob.expect("ann: one")
        terminal.waits_at(prompts(library))
        terminal.settles()
        terminal.types("\x1b[A")
        terminal.waits_at(f"{prompts(library)}one")
        terminal.types("\r")
        bob.expect("ann: one")


@own
def test_commands_complete_with_tab(chat, client_command, story):
    with at_terminal(chat, client_command, story, library=True) as terminal:
        terminal.shows("* online: ann")
        terminal.waits_at("ann> ")
        terminal.settles()
        terminal.types("/w\t")
        terminal.waits_at("ann> /who")
        terminal.types("\r")
        terminal.shows("* online: ann", times=2)


@own
@LIBRARY
def test_bytes_that_are_no_utf8_do_not_end_it(chat, client_command, story, library):
    strict = {"PYTHONIOENCODING": "utf-8:strict"}  # as where a language is set
    with at_terminal(chat, client_command, story, library, **strict) as terminal:
        terminal.shows("* online: ann")
        bob = bob_joins(chat, terminal)
        starts_typing(terminal, library, "one")
        os.write(terminal.process.fd, b"\xff\r")
        assert bob.get().startswith("ann: one")
        starts_typing(terminal, library, "two")
        terminal.types("\r")
        bob.expect("ann: two")


# The end


@own
@LIBRARY
@pytest.mark.parametrize(
    ("keys", "status"),
    [("/quit\r", 0), ("\x04", 0), (f"{HALF}\x03", 0), (HALF, 1)],
    ids=["/quit", "Ctrl-D", "Ctrl-C", "the server goes"],
)
def test_it_ends_soon_and_leaves_the_terminal_as_it_was(
    chat, client_command, story, library, keys, status
):
    import termios

    line = "read line; CLIENT; echo status $?; read line"
    with in_shell(chat, client_command, story, library, line) as terminal:
        before = termios.tcgetattr(terminal.process.fd)
        terminal.types("\r")  # the client starts when that is known
        terminal.shows("* online: ann")
        terminal.waits_at(prompts(library))
        wait_until(
            lambda: termios.tcgetattr(terminal.process.fd) != before, "it to read keys", story
        )
        terminal.types(keys)
        if status:
            terminal.waits_at(f"{prompts(library)}{HALF}")
            chat.server.process.kill()
        terminal.shows(f"status {status}")
        assert termios.tcgetattr(terminal.process.fd) == before
        assert terminal.output.count(b"\x1b[?2004h") == terminal.output.count(b"\x1b[?2004l")
        if status:
            wanted = [f"{prompts(library)}{HALF}", "the server has closed the connection"]
            assert terminal.lines()[-3:-1] == wanted


@own
@LIBRARY
def test_ctrl_c_ends_it_although_the_server_does_not_answer(chat, client_command, story, library):
    with at_terminal(chat, client_command, story, library) as terminal:
        terminal.shows("* online: ann")
        starts_typing(terminal, library)
        chat.server.process.send_signal(signal.SIGSTOP)
        try:
            terminal.types("\x03")
            assert terminal.exits(within=STOP_TIME) == 0
        finally:
            chat.server.process.send_signal(signal.SIGCONT)


@own
@LIBRARY
def test_ctrl_c_ends_it_after_the_end_of_input_too(fake, client_command, story, library):
    with at_terminal(fake, client_command, story, library) as terminal, fake.accept() as connection:
        connection.sendall(Frames.encode(QUESTION) + Frames.encode("* welcome, ann"))
        starts_typing(terminal, library, "one")
        terminal.types("\r")
        terminal.waits_at(prompts(library))
        terminal.settles()
        terminal.types("\x04")
        receive_until(connection, Frames.encode("/quit"))  # and does not answer
        terminal.types("\x03")
        terminal.exits(within=STOP_TIME)


@own
def test_ctrl_c_in_a_large_paste_ends_it_on_the_standard_library_alone(chat, client_command, story):
    with at_terminal(chat, client_command, story, library=False) as terminal:
        terminal.shows("* online: ann")
        bob = bob_joins(chat, terminal)
        terminal.settles()
        terminal.types("a line of a paste\r" * 100)
        bob.expect("ann: a line of a paste")
        terminal.types("\x03")
        assert terminal.exits(within=STOP_TIME) == 0


@own
@LIBRARY
def test_the_last_words_of_the_server_are_shown(chat, client_command, story, library):
    with at_terminal(chat, client_command, story, library) as terminal:
        terminal.shows("* online: ann")
        starts_typing(terminal, library)
        chat.server.interrupt()
        assert terminal.exits(within=STOP_TIME) == 1
        assert "* server is shutting down" in terminal.lines()
        assert "the server has closed the connection" in terminal.lines()


@own
@LIBRARY
def test_it_ends_when_the_server_goes_between_two_lines(fake, client_command, story, library):
    with at_terminal(fake, client_command, story, library) as terminal, fake.accept() as connection:
        connection.sendall(Frames.encode(QUESTION) + Frames.encode("* welcome, ann"))
        receive_until(connection, Frames.encode("ann"))
        starts_typing(terminal, library, "one")
        terminal.types("\r")
        receive_until(connection, Frames.encode("one"))
        connection.shutdown(socket.SHUT_WR)
        assert terminal.exits(within=STOP_TIME) == 1


@own
def test_ctrl_z_puts_it_aside_until_it_is_continued(chat, client_command, story):
    line = "CLIENT; echo aside; fg; echo over"
    with in_shell(chat, client_command, story, library=True, line=line) as terminal:
        terminal.shows("* online: ann")
        terminal.waits_at("ann> ")
        terminal.settles()
        terminal.types("\x1a")
        terminal.shows("aside")
        bob_joins(chat, terminal)
        terminal.waits_at("ann> ")
        terminal.types("/quit\r")
        terminal.shows("over")
