"""What the harness promises: programs start as a user's do, whatever started the tests."""

import os
import socket
import subprocess
import sys

import pytest

from tools.harness import DEADLINE, SMALL_BUFFER, STEPS, Lines, Peer, Program, first_error

TOOLS = STEPS[1].parent
# Starts a program in this process's surroundings, interrupts it, and prints how it ended.
INTERRUPT = """
import sys
sys.path.insert(0, sys.argv[1])
from tools.harness import Program, Story, start_as_a_user_would
start_as_a_user_would()
told = "import os, time; print('PYTHONUNBUFFERED' in os.environ, flush=True); time.sleep(60)"
with Program([sys.executable, "-c", told], story=Story(5)) as program:
    print(program.prints("\\n"), end="")
    program.interrupt()
    print(program.exits())
"""


@pytest.mark.skipif(os.name != "posix", reason="no program can press Ctrl-C for another")
def test_programs_obey_ctrl_c_and_forget_unbuffered_output_whatever_started_the_tests():
    shell = "trap '' INT; exec \"$@\""  # as `&` in a script does it
    done = subprocess.run(
        ["bash", "-c", shell, "bash", sys.executable, "-c", INTERRUPT, str(TOOLS)],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=6 * DEADLINE,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["False", "-2"]


def test_what_windows_puts_before_the_end_of_a_line_is_not_seen(story):
    code = "import os; os.write(1, b'one' + os.linesep.encode() + b'two')"
    with Program([sys.executable, "-c", code], story=story) as program:
        assert program.prints("two") == "one\ntwo"


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_who_does_not_read_has_a_small_buffer_whatever_the_system_allows(listener, story):
    peer = Peer(listener.getsockname()[1], "stalled", Lines, story, reads=False)
    size = peer.connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    peer.close()
    assert size <= 2 * SMALL_BUFFER  # Linux gives twice what it is asked for


def test_a_peer_who_waits_for_words_can_be_closed_at_once(listener, story):
    peer = Peer(listener.getsockname()[1], "ann", Lines, story)
    with listener.accept()[0] as server:
        peer.close()
        assert not peer.reader.is_alive()
        assert server.recv(1) == b""


def test_of_many_errors_the_first_one_is_told_up_to_its_cause():
    one = ["Traceback (most recent call last):", *['  File "server.py"'] * 40, "ValueError: first"]
    other = ["", "Exception in thread 2:", "Traceback (most recent call last):", "OSError: last"]
    assert first_error("\n".join(["Exception in thread 1:", *one, *other])) == one
    assert first_error("\n".join(one[:9])) == one[:9]  # the rest is still to come
    assert first_error("a log") == []
