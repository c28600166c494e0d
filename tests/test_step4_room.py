"""The room of step 4, in one process: what a batch holds for each, and what waits for one user."""

import contextlib
import socket
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from tools.harness import DEADLINE, STEPS

sys.path.insert(0, str(STEPS[4]))
import room as room_module
from framing import FrameReader, encode
from room import PATIENCE, SHORT_PATIENCE, Room, User


class Guest:
    """A user of a room, and the other end of the connection."""

    def __init__(self, nick: str) -> None:
        connection, self.end = socket.socketpair()
        self.end.settimeout(DEADLINE)
        self.reader = FrameReader(self.end)
        self.user = User(connection, "here")
        self.user.nick = nick

    def hears(self, *texts: str) -> None:
        assert [self.reader.receive() for _ in texts] == list(texts)

    def close(self) -> None:
        self.user.connection.close()
        self.end.close()


@pytest.fixture
def guests():
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(Guest(nick))) for nick in ("ann", "bob", "c")]


@pytest.fixture
def room():
    return Room(100_000, log=lambda line: None)


@contextlib.contextmanager
def one_batch(room: Room):
    """Have all that is posted meanwhile handled as one batch."""
    with room.turn:
        yield
    room.busy.set()


def test_of_a_batch_each_gets_what_came_in_their_time_and_not_their_own_words(room, guests):
    ann, bob, carl = guests
    room.post(room.join, ann.user)
    room.post(room.join, bob.user)
    with one_batch(room):
        room.post(room.say, ann.user, encode("ann: one"))
        room.post(room.join, carl.user)
        room.post(room.say, bob.user, encode("bob: two"))
        room.post(room.answer, bob.user, "/who")
        room.post(room.leave, ann.user, "bye", "* bye")
        room.post(room.say, carl.user, encode("c: three"))
    ann.hears("* welcome, ann", "* online: ann", "* bob joined")
    ann.hears("* c joined", "bob: two", "* bye")
    bob.hears("* welcome, bob", "* online: ann, bob")
    bob.hears("ann: one", "* c joined", "* online: ann, bob, c", "* ann left", "c: three")
    carl.hears("* welcome, c", "* online: ann, bob, c", "bob: two", "* ann left")


def test_who_has_left_neither_joins_nor_speaks(room, guests):
    ann, bob, _ = guests
    room.post(room.join, ann.user)
    room.post(room.leave, bob.user, "the server stops", "* server is shutting down")
    room.post(room.join, bob.user)
    room.post(room.say, bob.user, encode("bob: still here"))
    room.post(room.answer, ann.user, "/who")
    ann.hears("* welcome, ann", "* online: ann", "* online: ann")


def test_who_waits_for_an_event_does_not_wait_for_the_turn(room, guests):
    ann = guests[0].user
    waiting = threading.Thread(target=room.post_and_wait, args=(room.join, ann), daemon=True)
    with room.turn:  # as in a flood, where whoever has it takes it again at once
        waiting.start()
        deadline = time.monotonic() + DEADLINE
        while waiting.is_alive() and time.monotonic() < deadline:
            room.handle_inbox()
            waiting.join(0.01)
        assert not waiting.is_alive()
        assert ann.connection in room.users


def test_a_batch_that_is_large_enough_is_sent_whatever_else_waits(room, guests, monkeypatch):
    ann, bob, _ = guests
    for guest in (ann, bob):
        room.post(room.join, guest.user)
    sizes = []
    send_batch = room.send_batch
    monkeypatch.setattr(room, "send_batch", lambda: (sizes.append(room.size), send_batch()))
    text = "ann: " + "x" * 10_000
    with one_batch(room):
        for _ in range(12):
            room.post(room.say, ann.user, encode(text))
    bob.hears("* welcome, bob", "* online: ann, bob", *[text] * 12)
    assert max(sizes) < 40_000  # a quarter of what may wait for a user, and one message


def test_nothing_is_sent_to_whom_a_batch_has_nothing_for(room, guests, monkeypatch):
    ann, bob, _ = guests
    for guest in (ann, bob):
        room.post(room.join, guest.user)
    sent = []
    monkeypatch.setattr(
        socket.socket, "send", lambda _, data, *flags: sent.append(data) or len(data)
    )
    room.post(room.say, ann.user, encode("ann: one"))
    room.post(room.answer, ann.user, "/who")
    assert sent == [encode("ann: one"), encode("* online: ann, bob")]


def test_what_waits_for_a_user_is_not_overtaken(guests):
    ann = guests[0]
    ann.user.writer = threading.current_thread()  # as if it were about to send this:
    ann.user.pending.append(b"first")
    ann.user.waiting = 5
    ann.user.send(b"second")
    assert list(ann.user.pending) == [b"first", b"second"]
    assert ann.user.waiting == 11


class StalledGuest(Guest):
    """A user who reads nothing, and a clock that goes on only when somebody waits for this user."""

    def __init__(self, nick: str, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(nick)
        self.now, self.waited = 1000.0, 0.0
        self.is_behind = True
        monkeypatch.setattr(room_module, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(self.user, "catch_up", self.catch_up)
        self.user.waiting = room.max_pending
        room.users[self.user.connection] = self.user
        room.behind.add(self.user.connection)

    def catch_up(self, most: int, deadline: float) -> None:
        if self.is_behind and deadline > self.now:
            self.waited += deadline - self.now
            self.now = deadline


@pytest.fixture
def stalled(room, monkeypatch):
    with contextlib.closing(StalledGuest("stalled", room, monkeypatch)) as guest:
        yield guest


def test_a_flood_waits_for_who_is_behind_for_as_long_as_the_patience(room, stalled):
    for _ in range(100):
        room.let_catch_up(room.max_pending // 100, patience=1)
    assert stalled.waited == pytest.approx(1)


def test_talk_that_leaves_time_to_read_waits_for_nobody(room, stalled):
    for _ in range(100):
        room.let_catch_up(room.max_pending // 100, patience=1)
        stalled.now += 0.011  # the limit is reached after 1.1 s
    assert stalled.waited == 0


def test_the_patience_is_no_longer_after_much_talk(room, stalled):
    stalled.is_behind = False
    for _ in range(1000):
        room.let_catch_up(room.max_pending // 100, patience=1)
    stalled.is_behind = True
    room.let_catch_up(room.max_pending // 100, patience=1)
    assert stalled.waited == pytest.approx(1 / 50)


def test_at_a_stop_nobody_is_waited_for(room, stalled):
    room.stopping = True
    for _ in range(2):
        room.let_catch_up(room.max_pending, patience=1)
    assert stalled.waited == 0


@pytest.mark.parametrize("portable", [False, True])
def test_the_patience_is_short_if_another_user_takes_everything(
    room, stalled, guests, monkeypatch, portable
):
    if portable:
        monkeypatch.setattr(room_module, "SEND_NOW", None)
    ann, bob, _ = guests
    patiences = []
    monkeypatch.setattr(room, "let_catch_up", lambda size, patience: patiences.append(patience))
    room.post(room.join, ann.user)
    room.post(room.say, ann.user, encode("ann: to nobody else"))
    assert patiences[1:] == [PATIENCE]
    room.post(room.join, bob.user)
    bob.user.catch_up(0, stalled.now + DEADLINE)
    room.post(room.say, ann.user, encode("ann: to bob, too"))
    assert patiences[3:] == [SHORT_PATIENCE]
