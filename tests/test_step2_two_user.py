"""Step 2, two users: what one sends goes to the other, unchanged, both ways at once."""

import random

import pytest

from every_step import *  # noqa: F403

STEP = 2
WAITING = "* waiting for the second user"
HERE = "* the second user is here"
LEFT = "* the other user has left"


def pair(chat):
    ann = chat.connect("ann")
    ann.expect(WAITING)
    bob = chat.connect("bob")
    bob.expect(HERE)
    ann.expect(HERE)
    return ann, bob


def test_the_first_waits_and_both_are_told_when_the_pair_is_complete(chat):
    pair(chat)


def test_bytes_go_unchanged_both_ways_at_once(chat):
    ann, bob = pair(chat)
    one, two = random.Random(1).randbytes(2_000_000), random.Random(2).randbytes(2_000_000)
    ann.floods_bytes(one)
    bob.floods_bytes(two)
    assert bob.get_bytes(len(one)) == one
    assert ann.get_bytes(len(two)) == two


def test_a_character_in_two_pieces_arrives_whole(chat):
    ann, bob = pair(chat)
    data = "ж\n".encode()
    ann.send(data[:1])
    assert bob.has_received(data[:1], within=chat.story.deadline)
    ann.send(data[1:])
    bob.expect("ж")


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
@pytest.mark.parametrize("who", [0, 1])
def test_whoever_is_left_is_told_and_disconnected(chat, who, how):
    people = pair(chat)
    getattr(people[who], how)()
    people[1 - who].expect(LEFT)
    people[1 - who].expect_end()


def test_what_was_said_before_leaving_arrives_before_the_news(chat):
    ann, bob = pair(chat)
    ann.say(*map(str, range(2000)), "the end")
    ann.half_close()
    bob.skip_to("the end")
    bob.expect(LEFT)


def test_the_news_reaches_a_user_who_is_still_talking(chat):
    ann, bob = pair(chat)
    bob.say("are you there?")
    ann.close()
    bob.say("hello?")
    bob.expect(LEFT)
    assert bob.expect_end() == "the connection was closed"  # and not reset


def test_the_server_takes_the_next_pair(chat):
    for _ in range(3):
        ann, bob = pair(chat)
        ann.close()
        bob.expect(LEFT)
        bob.close()


def test_a_third_person_is_served_when_the_pair_is_over(chat):
    ann, bob = pair(chat)
    carl = chat.connect("carl")
    ann.say("hello")
    bob.expect("hello")
    assert not carl.stream
    ann.close()
    bob.close()
    carl.expect(WAITING)


def test_a_user_who_does_not_leave_when_told_holds_up_nobody(chat):
    ann = chat.connect("ann", reads=False)
    bob = chat.connect("bob")
    bob.expect(HERE)
    bob.close()
    pair(chat)
    assert ann.reader is None  # has neither read nor closed


def test_whoever_leaves_while_waiting_is_not_paired(chat):
    ann = chat.connect("ann")
    ann.expect(WAITING)
    ann.close()
    bob = chat.connect("bob")
    bob.expect(WAITING)
    carl = chat.connect("carl")
    carl.expect(HERE)


def test_a_client_that_ends_its_input_while_waiting_may_go(chat, run_client):
    client = run_client(chat)
    client.ends_input()
    assert client.exits() == 0


def test_the_client_loses_nothing_of_piped_input_and_exits_with_0(chat, run_client):
    client = run_client(chat)
    client.types("one\ntwo\n")
    client.ends_input()
    client.prints(WAITING + "\n")
    bob = chat.connect("bob")  # comes when the input of the other has ended long since
    bob.expect(HERE, "one", "two", LEFT)
    assert client.exits() == 0
    assert client.prints("") == f"{WAITING}\n{HERE}\n"


def test_what_the_one_who_stays_has_said_still_reaches_the_one_who_has_half_closed(start):
    for _ in range(10):
        chat = start()
        ann, bob = chat.join("ann"), chat.join("bob")
        ann.half_close()
        bob.say("to the last word")
        ann.expect("to the last word")
