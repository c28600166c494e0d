"""Exercise 4.4: a heartbeat. An empty frame asks: are you there? An empty frame is the answer."""

import pytest

from fake_server import receive_until
from marks import exercise
from tools.harness import Frames

STEP = 4
INTERVAL = 1.0  # seconds
FLOOD = 20_000  # messages of a kilobyte
LONG = 4  # they take a slow machine more than the usual deadline


def answers(connection, story):
    """Check that the client sends an empty frame, and nothing before it."""
    try:
        assert receive_until(connection, b"\0\0\0\0") == Frames.encode("")
    except TimeoutError:
        story.fail("everybody", "от клиента пустой кадр в ответ на пустой кадр", "его нет")


def live_to(peer, expected):
    """Answer each heartbeat until this message comes."""
    while (got := peer.get(expected)) != expected:
        assert got == "", f"{peer.name} ожидает '' или {expected!r}, но: пришло {got!r}"
        peer.say("")


@exercise("кто не отвечает, того отключают, и остальные об этом узнают")
def test_who_does_not_answer_is_disconnected_and_the_others_read_it(start):
    chat = start("--heartbeat", str(INTERVAL))
    ann, bob = chat.join("ann"), chat.join("bob")
    live_to(ann, "* bob left")
    bob.skip_to("")
    bob.skip_to("* disconnected: you did not answer the heartbeat")
    assert bob.expect_end()
    carl = chat.connect("carl")
    live_to(carl, "* enter your nickname")
    carl.say("carl")
    live_to(ann, "* carl joined")
    assert "Traceback" not in chat.server.stderr(), "ошибка в программе сервера"


@exercise("кто отвечает или пишет, остаётся")
def test_who_answers_or_talks_stays(start):
    chat = start("--heartbeat", str(INTERVAL))
    ann, bob = chat.join("ann"), chat.join("bob")
    for _ in range(3):
        bob.expect("")
        bob.say("I have no time for heartbeats")
        live_to(ann, "bob: I have no time for heartbeats")


@exercise("кто не читает, никого не задерживает и отключается")
def test_one_who_does_not_read_delays_nobody(start):
    chat = start("--heartbeat", "60")
    ann, bob = chat.join("ann"), chat.join("bob")
    lazy = chat.connect("lazy", reads=False)
    lazy.say("lazy")
    for other in (ann, bob):
        other.expect("* lazy joined")
    ann.floods(*["x" * 1000] * FLOOD, "the end")
    if not bob.has_received(b"the end", within=LONG * chat.story.deadline):
        chat.story.fail("bob", "всё, что отправила ann", f"пришло только {len(bob.stream)} байтов")
    assert "* lazy left" in bob.skip_to("ann: the end")


@exercise("клиент отвечает на пустой кадр и ничего не показывает")
@pytest.mark.parametrize("nick", [[], ["--nick", "ann"]], ids=["without --nick", "with --nick"])
def test_the_client_answers_each_heartbeat_and_shows_none(fake, run_client, nick, story):
    client = run_client(fake, *nick)
    with fake.accept() as connection:
        connection.sendall(Frames.encode("* enter your nickname"))
        if nick:
            assert receive_until(connection, b"ann") == Frames.encode("ann")
        connection.sendall(b"".join(map(Frames.encode, ["* welcome, ann", "", "* hello"])))
        answers(connection, story)
        printed = client.prints("* hello\n")
        assert printed.endswith("* welcome, ann\n* hello\n"), printed
        client.types("hi\n")
        assert receive_until(connection, b"hi") == Frames.encode("hi")


@exercise("пустой кадр после /quit клиенту не мешает: он читает * bye и завершается с кодом 0")
def test_a_heartbeat_after_quit_is_no_error(fake, run_client):
    client = run_client(fake)
    with fake.accept() as connection:
        connection.sendall(b"".join(map(Frames.encode, ["* enter your nickname", "* welcome, a"])))
        client.prints("* welcome, a\n")
        client.ends_input()
        receive_until(connection, b"")  # `/quit`, and no more will come
        connection.sendall(Frames.encode("") + Frames.encode("* bye"))
        printed = client.prints("* bye\n")
        assert printed.endswith("* welcome, a\n* bye\n"), printed
    assert client.exits() == 0, client.stderr()
