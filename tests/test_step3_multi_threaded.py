"""Step 3, many users, a thread each; what one `recv` returns is one message."""

import re
import runpy
import sys
import threading

import pytest

from every_step import *  # noqa: F403
from nicknames import BAD, GOOD
from tools.harness import STEPS, jittery, program

STEP = 3
QUESTION = "* enter your nickname"


@pytest.mark.parametrize("nick", GOOD)
def test_a_nickname_that_fits_is_welcomed(chat, nick):
    ann = chat.join("ann") if nick != "a" else None
    newcomer = chat.connect("newcomer")
    newcomer.expect(QUESTION)
    newcomer.say(f"  {nick} \r")  # white space at the ends is taken off
    newcomer.expect(f"* welcome, {nick}")
    if ann:
        ann.expect(f"* {nick} joined")


@pytest.mark.parametrize("nick", BAD.values(), ids=BAD)
def test_a_nickname_that_is_wrong_is_refused_with_the_reason(chat, nick):
    newcomer = chat.connect("newcomer")
    newcomer.expect(QUESTION)
    newcomer.send(f"{nick}\n".encode())
    newcomer.expect_server_line()
    newcomer.expect(QUESTION)
    newcomer.say("ann")
    newcomer.expect("* welcome, ann")


@pytest.mark.parametrize("nick", ["ann", "ANN", " Ann "])
def test_a_nickname_that_is_taken_is_refused_whatever_its_case(chat, nick):
    chat.join("ann")
    newcomer = chat.connect("newcomer")
    newcomer.expect(QUESTION)
    newcomer.say(nick)
    assert "taken" in newcomer.expect_server_line()
    newcomer.expect(QUESTION)


def test_a_nickname_is_free_again_when_its_owner_has_left(chat):
    bob = chat.join("bob")
    for _ in range(5):
        ann = chat.join("ann")
        ann.leave()
        bob.expect("* ann left")


def test_a_message_goes_to_all_others_and_not_back_to_its_author(chat):
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    ann.say("hello")
    for other in (bob, carl):
        other.expect("ann: hello")
    bob.say("hi")
    ann.expect("bob: hi")  # and nothing of her own before it
    carl.expect("bob: hi")


def test_a_message_keeps_its_bytes(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.send(b"\x00\xff, no newline")
    assert bob.get_bytes(19) == b"ann: \x00\xff, no newline"


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_whoever_leaves_in_whatever_way_is_said_to_have_left_once(chat, how):
    ann, bob = chat.join("ann"), chat.join("bob")
    getattr(bob, how)()
    bob.joined = False
    ann.expect("* bob left")
    carl = chat.join("carl")  # were it said twice, ann would read it before this
    assert carl.joined


def test_whoever_leaves_before_the_welcome_is_not_mentioned(chat):
    ann = chat.join("ann")
    nobody = chat.connect("nobody")
    nobody.expect(QUESTION)
    nobody.close()
    chat.join("bob")
    assert not ann.stream


def stall(chat, *talkers):
    """Let somebody join who does not read, and flood until the server takes no more."""
    stalled = chat.connect("stalled", reads=False)
    stalled.say("stalled")
    talkers[0].expect("* stalled joined")
    for talker in talkers:
        talker.floods_bytes(talker.name[0].encode() * 20_000_000)
    for talker in talkers:
        assert talker.is_held_up()
    return stalled


def test_no_lock_is_held_while_sending_so_newcomers_are_welcome_while_a_talker_is_stuck(chat):
    stall(chat, chat.join("ann"))
    bob = chat.connect("bob")
    bob.expect(QUESTION)
    bob.say("bob")
    bob.expect("* welcome, bob")


def test_what_two_users_say_at_once_does_not_mingle(chat):
    stalled = stall(chat, chat.join("ann"), chat.join("bob"))
    stalled.start_reading()
    size = 2 * 20_000_000
    assert stalled.has_received(b"b" * 100, within=chat.story.deadline)
    wait_until(lambda: len(stalled.stream) > size, "40 MB for the slow reader", chat.story)  # noqa: F405
    said = bytes(stalled.stream).partition(b"\nann: ")[2]
    assert re.fullmatch(rb"a+((ann: a+)|(bob: b+))*", said)


def test_people_who_come_and_go_do_not_disturb_those_who_talk(start, foreign):
    chat = start() if foreign else start(command=jittery(program(3, "server")))
    ann, bob = chat.join("ann"), chat.join("bob")

    def come_and_go(number: int) -> None:
        for turn in range(25):  # each with a nickname of its own: the last may still be taken
            guest = chat.connect(f"guest{number}.{turn}")
            guest.say(guest.name)
            guest.has_received(b"welcome", within=chat.story.deadline)
            guest.close()

    guests = [threading.Thread(target=come_and_go, args=(number,)) for number in range(8)]
    for guest in guests:
        guest.start()
    for number in range(300):
        ann.say(str(number))
        bob.skip_to(f"ann: {number}")  # one after the other: without frames, two would be glued
    for guest in guests:
        guest.join()
    assert "Traceback" not in chat.server.stderr()


def test_the_lock_keeps_the_registry_whole_while_many_threads_use_it():
    """In this process, for only so are the accesses close enough together."""
    server = runpy.run_path(str(STEPS[3] / "server.py"))
    room = server["Room"]()
    for number in range(5000):
        room.add(server["User"](None, f"user{number}"))
    over = threading.Event()

    def come_and_go(name: str) -> None:
        guest = server["User"](None, name)
        while not over.is_set():
            room.add(guest)
            room.remove(guest)

    guests = [threading.Thread(target=come_and_go, args=(name,)) for name in ("x", "y", "z")]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for guest in guests:
            guest.start()
        for _ in range(500):
            assert 5000 <= len(room.others(None)) <= 5003
    finally:
        over.set()
        sys.setswitchinterval(interval)
        for guest in guests:
            guest.join()


def test_the_client_sends_what_comes_through_a_pipe_and_prints_what_arrives(chat, run_client):
    bob = chat.join("bob")
    client = run_client(chat)
    client.prints(QUESTION)
    client.types("ann\n")
    client.prints("* welcome, ann\n")
    bob.expect("* ann joined")
    client.types("hello")
    client.ends_input()
    bob.expect("ann: hello", "* ann left")
    assert client.exits() == 0
    assert client.prints("") == f"{QUESTION}\n* welcome, ann\n"
