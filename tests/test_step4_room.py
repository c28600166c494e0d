"""Step 4's room without its thread: each test is the room's thread, and calls what events call."""

import contextlib
import importlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from marks import own, posix_only
from tools.harness import DEADLINE, STEPS

sys.path.insert(0, str(STEPS[4]))
framing = importlib.import_module("framing")
user_module = importlib.import_module("user")
room_module = importlib.import_module("room")
server_module = importlib.import_module("server")

STEP = 4
pytestmark = own
MAX_PENDING = 100_000


class Guest:
    """A user of a room, and the other end of the connection."""

    def __init__(self, room: room_module.Room, nick: str, buffer: int) -> None:
        connection, self.end = socket.socketpair()
        for one in (connection, self.end) if buffer else ():
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.end.settimeout(DEADLINE)
        self.reader = framing.FrameReader(self.end)
        self.user = user_module.User(connection, "here")
        self.room = room
        room.enter(self.user)
        self.says(nick)

    def says(self, *texts: str) -> None:
        self.room.hear(self.user, list(texts))

    def hears(self, *texts: str) -> None:
        assert [self.reader.receive() for _ in texts] == list(texts)

    def hears_nothing(self) -> None:
        assert not self.reader.buffer
        self.end.setblocking(False)
        with pytest.raises(BlockingIOError):
            self.end.recv(1)
        self.end.settimeout(DEADLINE)

    def close(self) -> None:
        self.user.connection.close()
        self.end.close()


@pytest.fixture
def room() -> room_module.Room:
    return room_module.Room(10, MAX_PENDING, 30)


@pytest.fixture
def enter(room) -> Iterator[Callable[..., Guest]]:
    """A function that makes a guest who has joined; it has read all until then."""
    with contextlib.ExitStack() as stack:

        def make(nick: str, buffer: int = 0) -> Guest:
            guest = stack.enter_context(contextlib.closing(Guest(room, nick, buffer)))
            nicks = ", ".join(user.nick for user in room.users.values())
            guest.hears("* enter your nickname", f"* welcome, {nick}", f"* online: {nicks}")
            return guest

        yield make


class Clock:
    """Time that goes on only when the room sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.on_sleep = lambda: None
        monkeypatch.setattr(room_module, "time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.on_sleep()


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def test_each_gets_what_came_in_their_time_in_one_order_and_not_their_own_words(room, enter):
    ann, bob = enter("ann"), enter("bob")
    ann.says("one")
    bob.says("two")
    carl = enter("carl")
    carl.says("three")
    bob.says("/who")
    ann.says("four", "/quit", "never")
    room.send_out()
    ann.hears("* bob joined", "bob: two", "* carl joined", "carl: three", "* bye")
    bob.hears("ann: one", "* carl joined", "carl: three", "* online: ann, bob, carl")
    bob.hears("ann: four", "* ann left")
    carl.hears("ann: four", "* ann left")
    for guest in (ann, bob, carl):
        guest.hears_nothing()


def test_who_asks_amid_a_batch_gets_each_message_once(room, enter):
    ann, bob = enter("ann"), enter("bob")
    room.send_out()
    ann.says("one")
    bob.says("/who")
    ann.says("two")
    room.send_out()
    bob.hears("ann: one", "* online: ann, bob", "ann: two")
    bob.hears_nothing()


def test_the_second_leave_of_a_user_changes_nothing(room, enter):
    ann, bob = enter("ann"), enter("bob")
    for reason in ("bye", "connection lost"):
        room.leave(bob.user, reason)
    room.send_out()
    ann.hears("* bob joined", "* bob left")
    ann.hears_nothing()
    assert bob.user.reason == "bye"


def test_who_has_left_is_heard_no_more(room, enter):
    ann, bob = enter("ann"), enter("bob")
    room.leave(bob.user, "bye")
    bob.says("too late")
    room.send_out()
    ann.hears("* bob joined", "* bob left")
    ann.hears_nothing()


def test_of_who_has_gone_nothing_is_left(room, enter):
    ann, bob = enter("ann"), enter("bob")
    room.leave(bob.user, "bye")
    room.forget(bob.user)
    assert room.connected == {ann.user}
    assert list(room.users.values()) == [ann.user]


def test_more_events_than_the_queue_takes_have_to_wait(room):
    for _ in range(room_module.MOST_EVENTS):
        room.post(print)
    assert room.events.full()


def test_what_waits_is_sent_to_each_in_one_piece(room, enter, monkeypatch):
    ann, bob, carl = enter("ann"), enter("bob"), enter("carl")
    room.send_out()
    calls = []
    send_now = user_module.User.send_now

    def noted(user, data) -> int:
        calls.append(user)
        return send_now(user, data)

    monkeypatch.setattr(user_module.User, "send_now", noted)
    for number in range(20):
        ann.says(f"a{number}")
        bob.says(f"b{number}")
    assert calls == []
    room.send_out()
    assert sorted(map(id, calls)) == sorted(map(id, [ann.user, bob.user, carl.user]))


@posix_only
def test_no_batch_is_so_big_that_it_costs_a_reader_the_place(room, enter):
    ann, bob = enter("ann"), enter("bob", buffer=4_000)
    ann.says(*["x" * 1_000] * 80)  # in one event
    assert len(room.said) * 1_000 <= MAX_PENDING // 8 + 1_000, "the rest is sent already"
    assert bob.user.waiting > 0, "all was taken at once: nothing was tested"
    assert not bob.user.reason


@posix_only
def test_what_the_system_does_not_take_at_once_comes_later_whole_and_in_order(room, enter):
    ann, bob = enter("ann"), enter("bob", buffer=10_000)
    texts = [f"{number:05} {'x' * 1_000}" for number in range(60)]
    for text in texts:
        ann.says(text)
        room.send_out()
    user = bob.user
    assert user.waiting == sum(map(len, user.outbox)) > 0
    for text in texts:
        bob.hears(f"ann: {text}")
        room.send_out()
    assert (user.waiting, list(user.outbox), room.behind) == (0, [], 0)


@posix_only
def test_who_leaves_is_done_when_all_is_sent_and_not_before(room, enter):
    ann, bob = enter("ann"), enter("bob", buffer=4_000)
    ann.says(*["x" * 1_000] * 30)
    room.leave(bob.user, "bye")
    assert bob.user.outbox
    assert not bob.user.done.is_set()
    for _ in range(30):
        bob.hears(f"ann: {'x' * 1_000}")
        room.send_out()
    bob.hears("* bye")
    assert bob.user.done.is_set()


def test_for_a_connection_that_is_broken_nothing_waits(room, enter):
    bob = enter("bob")
    bob.end.close()
    for _ in range(3):
        bob.user.send(b"x" * 1_000)
    assert (bob.user.waiting, list(bob.user.outbox)) == (0, [])


def test_a_system_that_cannot_say_how_much_it_takes_gets_a_piece_at_a_time(
    room, enter, monkeypatch
):
    bob, sizes = enter("bob"), []

    class CountingSocket(socket.socket):
        def send(self, data) -> int:
            sizes.append(len(data))
            return super().send(data)

    monkeypatch.setattr(user_module, "DONT_WAIT", None)
    bob.user.connection = CountingSocket(fileno=bob.user.connection.detach())
    bob.user.send(b"x" * 100_000)
    bob.user.send_rest()
    assert sizes
    assert max(sizes) <= user_module.PIECE


@pytest.fixture
def finish(monkeypatch):
    """A function that runs the last wait of a user's thread, with these limits in seconds."""

    def run(user, patience: float, linger: float) -> threading.Thread:
        monkeypatch.setattr(user_module, "PATIENCE", patience)
        monkeypatch.setattr(user_module, "LINGER", linger)
        thread = threading.Thread(target=user.finish, daemon=True)
        thread.start()
        return thread

    return run


def test_who_has_got_everything_sees_the_end_of_the_stream_at_once(room, enter, finish):
    bob = enter("bob")
    room.leave(bob.user, "bye")
    waiting = finish(bob.user, patience=1_000, linger=1_000)
    bob.hears("* bye")
    assert bob.end.recv(1) == b""
    bob.end.close()
    waiting.join(DEADLINE)
    assert not waiting.is_alive()


@pytest.mark.parametrize(
    ("waiting", "linger"),
    [(MAX_PENDING, 1_000), (float("nan"), 0.3)],  # nan differs from what it was, whenever one looks
    ids=["takes nothing", "takes a little, again and again"],
)
def test_a_leaver_is_not_waited_for_longer_than_the_limits(room, enter, finish, waiting, linger):
    bob = enter("bob")
    far_behind(room, bob, MAX_PENDING)
    room.leave(bob.user, "bye")
    bob.user.waiting = waiting
    thread = finish(bob.user, patience=0.05, linger=linger)
    thread.join(DEADLINE)
    assert not thread.is_alive()


def test_who_sends_on_after_leaving_is_not_read_for_ever(room, enter, finish):
    bob = enter("bob")
    room.leave(bob.user, "bye")
    waiting = finish(bob.user, patience=0.3, linger=1_000)
    enough = time.monotonic() + DEADLINE
    with contextlib.suppress(OSError):  # it is not read any more
        while waiting.is_alive() and time.monotonic() < enough:
            bob.end.send(b"x")
    assert not waiting.is_alive()


def far_behind(room, guest: Guest, waiting: int) -> None:
    """Let so many bytes wait for a guest who takes none of them."""
    guest.user.outbox.append(memoryview(bytes(waiting)))
    guest.user.waiting = waiting
    guest.user.send_now = lambda data: 0 if len(data) > 1_000 else len(data)


def test_a_flood_waits_for_who_is_far_behind_as_long_as_it_takes_at_the_slowest_pace(
    room, enter, clock
):
    far_behind(room, enter("ann"), MAX_PENDING * 3 // 4)
    room.size = 250_000
    room.let_catch_up()
    assert clock.now == pytest.approx(1000.25, abs=2 * room_module.RETRY)


def test_nobody_waits_for_who_is_only_a_little_behind(room, enter, clock):
    far_behind(room, enter("ann"), MAX_PENDING // 2)
    room.size = 250_000
    room.let_catch_up()
    assert clock.now == 1000


def test_a_flood_goes_on_as_soon_as_the_reader_has_caught_up(room, enter, clock):
    ann = enter("ann")
    far_behind(room, ann, MAX_PENDING * 3 // 4)
    clock.on_sleep = lambda: setattr(ann.user, "send_now", len)
    room.size = 250_000
    room.let_catch_up()
    assert clock.now == 1000 + room_module.RETRY


def test_at_a_stop_nobody_is_waited_for(room, enter, clock):
    far_behind(room, enter("ann"), MAX_PENDING * 3 // 4)
    room.size = 250_000
    room.stop()
    room.let_catch_up()
    assert clock.now == 1000


def test_who_is_over_the_limit_is_cut_off_and_the_others_are_told(room, enter, clock):
    ann, bob = enter("ann"), enter("bob")
    room.send_out()
    far_behind(room, bob, MAX_PENDING + 1)
    room.let_catch_up()
    room.send_out()
    ann.hears("* bob joined", "* bob left")
    assert bob.user.reason == "does not read"
    assert not bob.user.outbox
    assert bob.end.recv(1) == b""  # without a word


@posix_only
def test_who_breaks_off_while_bytes_wait_has_left_and_the_nickname_is_free(room, enter):
    ann, lazy = enter("ann"), enter("lazy", buffer=4_000)
    ann.says(*["x" * 1_000] * 30)
    room.send_out()
    assert lazy.user.waiting, "all was taken at once: nothing was tested"
    lazy.end.close()
    room.leave(lazy.user, "connection lost")
    room.send_out()
    assert (lazy.user.waiting, list(lazy.user.outbox)) == (0, [])
    assert lazy.user.done.is_set()
    ann.hears("* lazy joined", "* lazy left")
    enter("lazy")


def test_a_mistake_in_what_answers_a_mistake_does_not_end_the_room(room, enter, caplog):
    ann, bob = enter("ann"), enter("bob")
    del room.users["bob"]  # as a command of one's own might do by mistake
    room.do(lambda user: 1 / 0, bob.user)
    ann.says("the room goes on")
    assert "ZeroDivisionError" in caplog.text
    assert "KeyError" in caplog.text


def test_quit_with_white_space_before_it_is_no_nickname_and_no_command(room):
    with contextlib.closing(Guest(room, " /quit", 0)) as guest:
        assert not guest.user.reason
        assert guest.reader.receive() == "* enter your nickname"
        assert guest.reader.receive().startswith("* a nickname has ")


def test_the_late_are_turned_away_at_their_deadline(room, clock):
    with contextlib.closing(Guest(room, "", 0)) as silent:
        clock.now += 29.9
        room.turn_away_the_late()
        assert not silent.user.reason
        clock.now += 0.2
        room.turn_away_the_late()
        assert silent.user.reason == "no nickname within 30 seconds"
        assert not room.newcomers


def test_a_mistake_in_an_event_costs_its_user_the_place_and_nobody_else(room, enter, caplog):
    ann, bob = enter("ann"), enter("bob")
    room.send_out()
    room.do(lambda user: 1 / 0, bob.user)
    room.send_out()
    ann.hears("* bob joined", "* bob left")
    bob.hears("* internal error")
    assert "ZeroDivisionError" in caplog.text


def test_who_has_nothing_to_be_sent_costs_no_send(room, enter):
    ann = enter("ann")
    room.send_out()
    sent = []
    ann.user.send_now = lambda data: sent.append(bytes(data)) or len(data)
    ann.says("to nobody")
    room.send_out()
    assert sent == []


@pytest.mark.parametrize(("behind", "wait"), [(0, "TICK"), (1, "RETRY")])
def test_the_room_looks_at_its_outboxes_often_only_while_somebody_is_behind(
    room, monkeypatch, behind, wait
):
    waits = []

    def take_events(timeout: float) -> None:
        waits.append(timeout)
        room.stop()

    monkeypatch.setattr(room, "take_events", take_events)
    monkeypatch.setattr(room_module.os, "_exit", lambda status: None)
    room.behind = behind
    room.run()
    assert waits[0] == getattr(room_module, wait)


def test_at_a_stop_who_has_left_already_is_told_nothing_more(room, enter):
    ann, bob = enter("ann"), enter("bob")
    room.leave(bob.user, "bye")
    room.say_goodbye()
    bob.hears("* bye")
    bob.hears_nothing()
    ann.hears("* bob joined", "* bob left", "* server is shutting down")


def test_at_a_stop_what_waits_is_sent_while_there_is_time(room, enter, clock):
    ann = enter("ann")
    far_behind(room, ann, MAX_PENDING)
    clock.on_sleep = lambda: setattr(ann.user, "send_now", len)
    room.say_goodbye()
    assert ann.user.waiting == 0


def test_who_has_left_is_read_no_more(room, enter):
    bob = enter("bob")
    bob.end.sendall(framing.encode("one more"))
    bob.user.reason = "does not read"
    thread = threading.Thread(target=server_module.talk, args=(bob.user, room), daemon=True)
    thread.start()
    thread.join(DEADLINE)
    assert not thread.is_alive()
