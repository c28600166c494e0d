"""Step 1, echo: bytes out are bytes in, one client at a time."""

import random

import pytest

from every_step import *  # noqa: F403

STEP = 1


@pytest.mark.parametrize("size", [1, 2, 1000, 65_536, 65_537, 1_000_000])
def test_bytes_out_are_bytes_in(chat, size):
    data = random.Random(size).randbytes(size)
    ann = chat.join("ann")
    ann.send(data)
    assert ann.get_bytes(size) == data


def test_the_order_is_kept_whatever_the_sizes_of_the_pieces(chat):
    chance = random.Random(1)
    pieces = [chance.randbytes(chance.choice([1, 2, 3, 100, 5000])) for _ in range(300)]
    ann = chat.join("ann")
    for piece in pieces:
        ann.send(piece)
    assert ann.get_bytes(sum(map(len, pieces))) == b"".join(pieces)


def test_after_a_half_close_the_rest_comes_back_and_the_stream_ends(chat):
    ann = chat.join("ann")
    ann.send(b"x" * 500_000)
    ann.half_close()
    assert ann.get_bytes(500_000) == b"x" * 500_000
    assert ann.expect_end() == "the connection was closed"


def test_the_next_client_is_answered_when_the_first_has_left(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say("hello")
    ann.say("hi")
    ann.expect("hi")
    assert not bob.stream
    ann.leave()
    bob.expect("hello")


def test_the_client_loses_nothing_of_piped_input_and_exits_with_0(chat, run_client):
    client = run_client(chat)
    client.types("one\ntwo")
    client.ends_input()
    assert client.exits() == 0
    assert client.prints("") == "one\ntwo\n"
    assert client.stderr() == ""


def test_the_client_prints_and_sends_at_the_same_time(chat, run_client):
    lines = "".join(f"{number} {'x' * 200}\n" for number in range(20_000))  # more than fits
    client = run_client(chat)
    client.types(lines)
    client.ends_input()
    assert client.exits() == 0
    assert client.prints("") == lines
