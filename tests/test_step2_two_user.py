"""Step 2, two users: what one sends goes to the other, unchanged, both ways at once."""

import contextlib
import os
import random

import psutil
import pytest

from expectations import expect_idle
from marks import contract, limit, own, posix_only
from tools.harness import ConnectionFailed, jittery, program

STEP = 2
WAITING = "* waiting for the second user"
HERE = "* the second user is here"
LEFT = "* the other user has left"
GLANCE = 1  # seconds in which nothing comes that would come at once


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
    with contextlib.suppress(ConnectionFailed):  # who stays is disconnected at once
        bob.say("hello?")
    bob.expect(LEFT)


@own
@pytest.mark.parametrize("how", ["close", "reset"])
def test_the_news_of_a_broken_connection_reaches_a_user_whose_words_met_it_first(start, how):
    """One thread fails to send what the other one fails to receive: who stays is told, once."""
    for _ in range(10):
        chat = start(command=jittery(program(2, "server")))
        ann, bob = pair(chat)
        bob.floods_bytes(b"x\n" * 200_000)
        getattr(ann, how)()
        bob.expect(LEFT)
        assert not bob.skip_to_end()


@own
def test_who_leaves_first_does_not_read_that_the_other_one_has_left(start):
    for _ in range(10):
        chat = start(command=jittery(program(2, "server")))
        ann, bob = pair(chat)
        ann.half_close()
        bob.expect(LEFT)
        bob.close()
        ann.expect_end()


@own
def test_a_user_who_leaves_with_words_unread_still_lets_the_other_one_know(chat):
    ann, bob = pair(chat, reads=False)
    bob.say("are you there?")
    ann.reset()
    bob.expect(LEFT)
    bob.expect_end()


@contract("leave", "сервер принимает следующую пару")
def test_the_server_takes_the_next_pair(chat):
    for _ in range(3):
        ann, bob = pair(chat)
        ann.close()
        bob.expect(LEFT)
        bob.close()


@limit
def test_a_third_person_gets_no_answer_until_the_pair_is_over(chat):
    ann, bob = pair(chat)
    carl = chat.connect("carl")
    ann.say("hello")
    bob.expect("hello")
    assert not carl.has_received(b"*", within=GLANCE)
    ann.close()
    carl.expect(WAITING)


@contract("leave", "тот, кто остался и не уходит сам, не задерживает следующую пару")
def test_a_user_who_does_not_leave_when_told_holds_up_nobody(chat):
    ann, bob = pair(chat, reads=False)
    bob.close()
    pair(chat)
    assert ann.reader is None  # has neither read nor closed


@limit
def test_what_the_one_who_stays_says_after_the_leaving_goes_nowhere(chat):
    ann, bob = pair(chat)
    ann.half_close()
    bob.expect(LEFT)
    bob.connection.sendall(b"to the last word\n")
    assert ann.skip_to_end() == []  # although she still reads


@limit
@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
@pytest.mark.parametrize("stalled_first", [True, False])
def test_one_who_stops_reading_stops_the_pair_until_that_client_is_closed(chat, how, stalled_first):
    if how == "half_close" and os.name == "nt":
        pytest.skip("Wine does not wake a `send` whose socket is closed, as Windows does")
    if stalled_first:
        ann, bob = pair(chat, reads=False)
    else:
        bob = chat.connect("bob")
        bob.expect(WAITING)
        ann = chat.connect("ann", reads=False)
        bob.expect(HERE)
    bob.floods_bytes(b"x" * 50_000_000)
    assert bob.is_held_up()
    carl = chat.connect("carl")
    assert not carl.has_received(b"*", within=GLANCE)
    getattr(ann, how)()
    bob.expect(LEFT)
    bob.skip_to_end()
    carl.expect(WAITING)
    chat.connect("dora").expect(HERE)


@own
def test_a_user_who_pauses_reading_goes_on_where_the_talk_was(chat):
    ann, bob = pair(chat, reads=False)
    bob.say("hello")
    bob.floods_bytes(b"x" * 20_000_000 + b"\n")
    assert bob.is_held_up()
    ann.say("wait, I read slowly")
    bob.expect("wait, I read slowly")
    ann.start_reading()
    ann.expect(WAITING, HERE, "hello")
    assert ann.get_bytes(20_000_001).strip(b"x") == b"\n"


@limit
@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
@pytest.mark.parametrize("said", ["", "is anybody here?"])
def test_a_first_user_who_leaves_is_noticed_only_when_the_second_has_come(chat, how, said):
    ann = chat.connect("ann")
    ann.expect(WAITING)
    if said:
        ann.say(said)
    getattr(ann, how)()
    bob = chat.connect("bob")
    bob.expect(HERE)
    heard = bob.skip_to(LEFT)
    if how != "reset":  # which may throw away what was not received yet
        assert heard == ([said] if said else [])
    bob.expect_end()
    pair(chat)  # who connects again is served


@own
def test_a_server_with_a_user_who_waits_is_idle(chat):
    chat.connect("ann").expect(WAITING)
    expect_idle(chat)


@own
@posix_only
def test_a_server_out_of_descriptors_takes_the_second_user_when_it_can(start):
    import resource

    chat = start()
    pid = chat.server.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    enough_for_one = psutil.Process(pid).num_fds() + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (enough_for_one, limits[1]))
    ann = chat.connect("ann")
    ann.expect(WAITING)
    bob = chat.connect("bob")
    assert not bob.has_received(b"*", within=GLANCE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    bob.expect(HERE)
    ann.expect(HERE)


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


@contract("client", "конец ввода до прихода второго: сказанное доходит, код возврата 0")
def test_a_client_that_ends_its_input_while_waiting_leaves_when_the_second_user_comes(
    chat, run_client
):
    client = run_client(chat)
    client.prints(WAITING)
    client.types("is anybody here?\n")
    client.ends_input()
    bob = chat.connect("bob")
    bob.expect(HERE, "is anybody here?", LEFT)
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
