"""Step 2, two users: what one sends goes to the other, unchanged, both ways at once."""

import random
import socket
import time

import psutil
import pytest

from marks import contract, own
from tools.harness import jittery, prepared, program, wait_until

STEP = 2
WAITING = "* waiting for the second user"
HERE = "* the second user is here"
LEFT = "* the other user has left"
NEXT_PAIR = 2  # seconds until the server takes the next pair


def pair(chat, reads=True):
    ann = chat.connect("ann", reads)
    if reads:
        ann.expect(WAITING)
    bob = chat.connect("bob")
    bob.expect(HERE)
    if reads:
        ann.expect(HERE)
    return ann, bob


@contract("news", f"первый получает «{WAITING}», оба — «{HERE}»")
def test_the_first_waits_and_both_are_told_when_the_pair_is_complete(chat):
    pair(chat)


@contract("talk", "байты идут без изменений в обе стороны одновременно")
def test_bytes_go_unchanged_both_ways_at_once(chat):
    ann, bob = pair(chat)
    one, two = random.Random(1).randbytes(2_000_000), random.Random(2).randbytes(2_000_000)
    ann.floods_bytes(one)
    bob.floods_bytes(two)
    assert bob.get_bytes(len(one)) == one
    assert ann.get_bytes(len(two)) == two


@contract("talk", "медленному получателю приходит всё (sendall, а не send)")
def test_a_user_who_reads_a_little_late_gets_everything(chat):
    ann, bob = pair(chat, reads=False)
    data = random.Random(1).randbytes(12_000_000)
    bob.floods_bytes(data)
    bob.is_held_up(0.2)
    ann.start_reading()
    ann.expect(WAITING, HERE)
    assert ann.get_bytes(len(data)) == data


@own
def test_what_a_send_does_not_take_is_not_lost(start):
    """With a small buffer, a `send` with a time-out takes only a part."""
    prelude = (
        "accept = socket.socket.accept; socket.socket.accept = lambda listener:"
        " [c[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096) or c"
        " for c in [accept(listener)]][0]"
    )
    chat = start(command=prepared(program(2, "server"), prelude))
    ann, bob = pair(chat)
    data = random.Random(1).randbytes(500_000)
    ann.floods_bytes(data)
    assert bob.get_bytes(len(data)) == data


@contract("talk", "байты передаются сразу, без ожидания целой строки")
def test_a_character_in_two_pieces_arrives_whole(chat):
    ann, bob = pair(chat)
    data = "ж\n".encode()
    ann.send(data[:1])
    assert bob.has_received(data[:1], within=chat.story.deadline)
    ann.send(data[1:])
    bob.expect("ж")


@contract("leave", "тот, кто остался, получает сообщение об уходе, и его отключают")
@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
@pytest.mark.parametrize("who", [0, 1])
def test_whoever_is_left_is_told_and_disconnected(chat, who, how):
    people = pair(chat)
    getattr(people[who], how)()
    people[1 - who].expect(LEFT)
    people[1 - who].expect_end()


@contract("leave", "всё, что отправлено до ухода, приходит раньше сообщения об уходе")
def test_what_was_said_before_leaving_arrives_before_the_news(chat):
    ann, bob = pair(chat)
    ann.say(*map(str, range(2000)), "the end")
    ann.half_close()
    bob.skip_to("the end")
    bob.expect(LEFT)


@contract("leave", "сообщение об уходе доходит и до того, кто в это время пишет")
def test_the_news_reaches_a_user_who_is_still_talking(chat):
    ann, bob = pair(chat)
    bob.say("are you there?")
    ann.close()
    bob.say("hello?")
    bob.expect(LEFT)


@own
def test_the_one_who_is_left_is_not_reset(chat):
    ann, bob = pair(chat)
    bob.say("are you there?")
    ann.half_close()
    bob.expect(LEFT)
    bob.say("so you are gone")
    assert bob.expect_end() == "the connection was closed"


@own
def test_what_the_one_who_stays_has_said_still_reaches_the_one_who_has_half_closed(start):
    for _ in range(10):
        chat = start()
        ann, bob = chat.join("ann"), chat.join("bob")
        ann.half_close()
        bob.say("to the last word")
        ann.expect("to the last word")


@own
def test_the_one_who_stays_may_finish_speaking(chat):
    ann, bob = pair(chat)
    ann.half_close()
    bob.expect(LEFT)
    bob.say("goodbye, then")
    bob.half_close()
    ann.expect("goodbye, then")
    ann.expect_end()


@contract("leave", "сервер принимает следующую пару")
def test_the_server_takes_the_next_pair(chat):
    for _ in range(3):
        ann, bob = pair(chat)
        ann.close()
        bob.expect(LEFT)
        bob.close()


@contract("leave", "третий ждёт и обслуживается, когда пара ушла")
def test_a_third_person_is_served_when_the_pair_is_over(chat):
    ann, bob = pair(chat)
    carl = chat.connect("carl")
    ann.say("hello")
    bob.expect("hello")
    assert not carl.stream
    ann.close()
    bob.close()
    carl.expect(WAITING)


@contract("leave", "тот, кто остался и не уходит сам, не задерживает следующую пару")
def test_a_user_who_does_not_leave_when_told_holds_up_nobody(chat):
    ann, bob = pair(chat, reads=False)
    bob.close()
    pair(chat)
    assert ann.reader is None  # has neither read nor closed


@contract("slow", "следующая пара — не позже 2 с после ухода, даже если другой перестал читать")
@pytest.mark.parametrize("how", ["closes", "resets", "half-closes"])
@pytest.mark.parametrize("stalled_first", [True, False])
def test_a_pair_of_whom_one_has_stopped_reading_ends_in_time(chat, how, stalled_first):
    if stalled_first:
        _, bob = pair(chat, reads=False)
    else:
        bob = chat.connect("bob")
        bob.expect(WAITING)
        chat.connect("ann", reads=False)
        bob.expect(HERE)
    bob.floods_bytes(b"x" * 50_000_000)
    assert bob.is_held_up(0.2)
    if how == "half-closes":
        bob.half_close()
    else:
        bob.connection.shutdown(socket.SHUT_WR)  # ends the flood
        bob.reset() if how == "resets" else bob.close()
    started = time.monotonic()
    chat.connect("carl").expect(WAITING)
    chat.connect("dora").expect(HERE)
    took = time.monotonic() - started
    if took > NEXT_PAIR + 0.5:
        chat.story.fail("dora", "the next pair within 2 s", f"it took {took:.1f} s")


@own
def test_a_silent_pair_is_not_taken_for_a_stalled_one(chat):
    ann, bob = pair(chat)
    time.sleep(3)  # longer than the server waits for a user who takes nothing
    ann.say("still here?")
    bob.expect("still here?")


@own
def test_a_user_who_pauses_reading_while_little_is_under_way_stays(chat):
    ann, bob = pair(chat, reads=False)
    bob.say("hello")
    time.sleep(2)  # a pause that the test is about
    bob.say("are you there?")
    ann.start_reading()
    ann.expect(WAITING, HERE, "hello", "are you there?")


@contract("leave", "ожидающий, который ушёл, не попадает в пару")
@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_whoever_leaves_while_waiting_is_not_paired(chat, how):
    ann = chat.connect("ann")
    ann.expect(WAITING)
    getattr(ann, how)()
    if how == "half_close":
        ann.expect_end()
    bob = chat.connect("bob")
    bob.expect(WAITING)
    carl = chat.connect("carl")
    carl.expect(HERE)


@own
def test_no_thread_stays_for_those_who_spoke_while_waiting_and_left(chat):
    process = psutil.Process(chat.server.process.pid)
    threads = process.num_threads()
    for number in range(3):
        hasty = chat.connect(f"hasty {number}")
        hasty.expect(WAITING)
        hasty.say("is anybody here?")
        hasty.close()
    chat.connect("ann").expect(WAITING)
    one_more = threads + 1  # ann's
    wait_until(lambda: process.num_threads() <= one_more, "no thread stays behind", chat.story)


@own
def test_who_comes_and_goes_while_others_come_disturbs_no_pair(start):
    chat = start(command=jittery(program(2, "server")))
    for number in range(40):
        hasty = chat.connect(f"hasty {number}")
        hasty.reset() if number % 2 else hasty.close()
    while True:
        ann = chat.connect("ann")
        if ann.get() == WAITING:
            break
    bob = chat.connect("bob")
    bob.expect(HERE)
    ann.expect(HERE)
    ann.say("hello")
    bob.expect("hello")
    assert "Traceback" not in chat.server.stderr()


@contract("client", "конец ввода во время ожидания: код возврата 0")
def test_a_client_that_ends_its_input_while_waiting_may_go(chat, run_client):
    client = run_client(chat)
    client.ends_input()
    assert client.exits() == 0


@contract("client", "из канала ничего не теряется, пришедшее выводится, код возврата 0")
def test_the_client_loses_nothing_of_piped_input_and_exits_with_0(chat, run_client):
    bob = chat.connect("bob")
    bob.expect(WAITING)
    client = run_client(chat)
    client.types("one\ntwo\n")
    client.prints(HERE + "\n")
    client.ends_input()
    bob.expect(HERE, "one", "two", LEFT)
    bob.close()
    assert client.exits() == 0
    assert client.prints("") == f"{HERE}\n"
    assert client.stderr() == ""


@contract("client", "то, что приходит после конца ввода, выводится")
def test_what_arrives_after_the_end_of_the_input_is_printed(run_client, fake):
    client = run_client(fake)
    with fake.accept() as connection:
        client.ends_input()
        assert connection.recv(1) == b""
        connection.sendall(b"late\n")
    assert client.exits() == 0
    assert client.prints("") == "late\n"
