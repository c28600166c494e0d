"""Step 4's room, users and frames in one process: what cannot be brought about from outside."""

import contextlib
import importlib
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marks import own, posix_only
from tools.harness import DEADLINE, STEPS

sys.path.insert(0, str(STEPS[4]))
framing = importlib.import_module("framing")
user_module = importlib.import_module("user")
room_module = importlib.import_module("room")
server = importlib.import_module("server")
terminal = importlib.import_module("terminal")

STEP = 4
encode, FrameReader = framing.encode, framing.FrameReader
Room, User = room_module.Room, user_module.User
MAX_PENDING = 100_000


class Guest:
    """A user of a room, and the other end of the connection."""

    def __init__(self, room: Room, nick: str, buffer: int = 0) -> None:
        connection, self.end = socket.socketpair()
        for one in (connection, self.end) if buffer else ():
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.end.settimeout(DEADLINE)
        self.reader = FrameReader(self.end)
        self.user = User(connection, "here")
        self.room, self.nick = room, nick
        assert room.enter(self.user)

    def join(self) -> None:
        assert self.room.join(self.user, self.nick) is None

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
def room():
    room = Room(10, MAX_PENDING)
    yield room
    room.stopping = True


@pytest.fixture
def enter(room):
    """A function that makes a guest who has joined (with `late`: who has not yet)."""
    with contextlib.ExitStack() as stack:

        def make(nick: str, late: bool = False, buffer: int = 0) -> Guest:
            guest = stack.enter_context(contextlib.closing(Guest(room, nick, buffer)))
            if not late:
                guest.join()
            return guest

        yield make


@own
def test_of_what_was_said_each_gets_what_came_in_their_time_and_not_their_own_words(room, enter):
    ann, bob = enter("ann"), enter("bob")
    ann.hears("* welcome, ann", "* online: ann", "* bob joined")
    bob.hears("* welcome, bob", "* online: ann, bob")
    room.say(ann.user, encode("ann: one"))
    room.say(bob.user, encode("bob: two"))
    carl = enter("carl")
    room.say(carl.user, encode("carl: three"))
    room.answer(bob.user, None)
    room.say(ann.user, encode("ann: four"))
    room.leave(ann.user, "bye")
    ann.hears("bob: two", "* carl joined", "carl: three", "* bye")
    bob.hears("ann: one", "* carl joined", "carl: three", "* online: ann, bob, carl")
    bob.hears("ann: four", "* ann left")
    carl.hears("* welcome, carl", "* online: ann, bob, carl", "ann: four", "* ann left")
    for guest in (ann, bob, carl):
        guest.hears_nothing()


@own
def test_who_leaves_and_said_nothing_gets_what_was_said_just_before(room, enter):
    ann, bob = enter("ann"), enter("bob")
    ann.hears("* welcome, ann", "* online: ann", "* bob joined")
    room.say(bob.user, encode("bob: just before"))
    room.leave(ann.user, "bye")
    ann.hears("bob: just before", "* bye")


@own
def test_the_second_leave_of_a_user_changes_nothing(room, enter):
    ann, bob = enter("ann"), enter("bob")
    ann.hears("* welcome, ann", "* online: ann", "* bob joined")
    for why in ("bye", "connection lost"):
        room.leave(bob.user, why)
    ann.hears("* bob left")
    ann.hears_nothing()
    assert bob.user.gone == "bye"


@own
def test_who_has_gone_neither_joins_nor_is_told(room, enter):
    ann, late = enter("ann"), enter("late", late=True)
    room.leave(late.user, "no nickname")
    room.join(late.user, "late")
    room.answer(late.user, encode("never"))
    late.hears("* no nickname")
    late.hears_nothing()
    ann.hears("* welcome, ann", "* online: ann")
    ann.hears_nothing()


@own
def test_a_full_room_takes_nobody_until_somebody_has_gone(enter):
    small = Room(1, MAX_PENDING)
    users = [User(socket.socket(), "here") for _ in range(2)]
    try:
        assert small.enter(users[0])
        assert not small.enter(users[1])
        small.leave(users[0], "bye")
        assert not small.enter(users[1]), "whoever leaves still has a thread"
        small.forget(users[0])
        assert small.enter(users[1])
    finally:
        small.stopping = True
        for user in users:
            user.connection.close()


@own
def test_a_list_of_users_that_is_too_long_for_a_frame_comes_in_several():
    names = [f"{'ж' * 28}{number:04}" for number in range(3000)]
    reader = FrameReader(Pieces(room_module.encode_online(names)))
    listed = []
    while (text := reader.receive()) is not None:
        head, _, rest = text.partition("* online: ")
        assert head == ""
        listed += rest.split(", ")
    assert listed == names


class Pieces:
    """Stands for a connection that has received these bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def recv(self, size: int) -> bytes:
        piece, self.data = self.data[:size], self.data[size:]
        return piece


# Who sends


def start(target: Callable[[], None]) -> threading.Thread:
    """Return a thread that runs `target`."""
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Turns:
    """Stands for the lock of the next sender: it is held by another, and notes who would wait."""

    def __init__(self) -> None:
        self.waits: list[bool] = []

    def acquire(self, blocking: bool = True) -> bool:
        self.waits.append(blocking)
        return False


@own
def test_while_one_sends_and_one_waits_the_others_go_on(room, enter):
    ann, bob, carl = enter("ann"), enter("bob"), enter("carl")
    with room.lock:  # ann's thread sends
        room.say(bob.user, encode("bob: one"))
        waiting = start(room.deliver)
        until(room.next_sender.locked)
        room.say(carl.user, encode("carl: two"))
        going_on = start(room.deliver)
        going_on.join(DEADLINE)
        assert not going_on.is_alive()
    waiting.join(DEADLINE)
    ann.hears("* welcome, ann", "* online: ann", "* bob joined", "* carl joined")
    ann.hears("bob: one", "carl: two")


@own
def test_beyond_many_messages_whoever_says_more_waits(room, enter):
    ann = enter("ann")
    room.next_sender = Turns()
    for _ in range(room_module.MANY + 2):
        room.say(ann.user, encode("ann: x"))
        room.deliver()
    assert room.next_sender.waits == [False] * room_module.MANY + [True] * 2


@own
def test_what_is_said_while_a_batch_is_sent_has_a_next_sender(room, enter, monkeypatch):
    ann, bob = enter("ann"), enter("bob")
    send_said, threads = room.send_said, []

    def send_and_speak() -> None:
        send_said()
        if not threads:
            room.say(bob.user, encode("bob: just after"))
            threads.append(start(room.deliver))
            until(lambda: room.next_sender.locked() or not threads[0].is_alive())

    monkeypatch.setattr(room, "send_said", send_and_speak)
    room.say(bob.user, encode("bob: one"))
    room.deliver()
    threads[0].join(DEADLINE)
    ann.hears("* welcome, ann", "* online: ann", "* bob joined", "bob: one", "bob: just after")


@own
def test_who_sends_does_not_go_on_for_as_long_as_others_speak(room, enter, monkeypatch):
    ann = enter("ann")
    rounds = []

    def speak_on(size: int) -> None:
        rounds.append(size)
        if len(rounds) < 100:
            room.say(ann.user, encode("ann: and"))

    monkeypatch.setattr(room, "let_catch_up", speak_on)
    room.say(ann.user, encode("ann: one"))
    room.deliver()
    assert len(rounds) == 1


@own
@pytest.mark.parametrize(("count", "pauses"), [(1, []), (2, [room_module.PAUSE])])
def test_a_pause_follows_a_batch_but_no_single_message(room, enter, clock, count, pauses):
    ann = enter("ann")
    slept = []
    clock.sleep = slept.append
    for _ in range(count):
        room.say(ann.user, encode("ann: x"))
    room.deliver()
    assert slept == pauses


# What waits for one user


@own
@posix_only
def test_what_the_system_does_not_take_at_once_comes_later_whole_and_in_order(room, enter):
    ann, bob = enter("ann"), enter("bob", buffer=10_000)
    bob.hears("* welcome, bob", "* online: ann, bob")
    texts = [f"ann: {number:05} {'x' * 1000}" for number in range(80)]
    for text in texts:
        room.say(ann.user, encode(text))
        room.deliver()
    assert bob.user.outbox, "all was taken at once: nothing was tested"
    assert bob.user.waiting == sum(map(len, bob.user.outbox))
    bob.hears(*texts)
    deadline = time.monotonic() + DEADLINE
    while (bob.user.outbox or room.behind) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (bob.user.waiting, bob.user.outbox, room.behind) == (0, deque(), set())


@own
@posix_only
def test_nothing_overtakes_what_waits(enter):
    bob = enter("bob", late=True, buffer=4_000)
    frames = [encode(f"{number} {'x' * 3000}") for number in range(20)]
    received = b""
    for frame in frames:
        bob.user.send(frame)
        bob.user.send_rest()
        received += bob.end.recv(1500)  # now there may be room, but not for the next one
    while len(received) < len(b"".join(frames)):
        bob.user.send_rest()
        received += bob.end.recv(1000)
    assert received == b"".join(frames)


@own
@posix_only
def test_a_send_never_waits(enter):
    bob = enter("bob", late=True, buffer=4_000)
    sender = threading.Thread(target=bob.user.send, args=(b"x" * 10_000_000,), daemon=True)
    sender.start()
    sender.join(DEADLINE)
    assert not sender.is_alive()


@own
def test_a_broken_connection_is_no_error_for_who_sends(enter):
    bob = enter("bob", late=True)
    bob.end.close()
    for _ in range(3):
        bob.user.send(b"x" * 100_000)
    bob.user.send_rest()
    assert not bob.user.outbox


@own
@posix_only
def test_too_much_that_waits_ends_in_a_farewell_and_the_others_are_told(room, enter):
    ann, bob = enter("ann"), enter("bob", buffer=10_000)
    bob.hears("* welcome, bob", "* online: ann, bob")
    ann.hears("* welcome, ann", "* online: ann", "* bob joined")
    for number in range(60):
        room.say(ann.user, encode(f"ann: {number:05} {'x' * 10_000}"))
        room.deliver()
        if bob.user.gone:
            break
    assert bob.user.gone == "does not read"
    ann.hears("* bob left")
    assert bob.user.waiting < MAX_PENDING
    texts = []
    while not texts or not texts[-1].startswith("* "):
        texts.append(bob.reader.receive())
    assert "did not read" in texts[-1]
    assert texts[:-1] == [f"ann: {n:05} {'x' * 10_000}" for n in range(len(texts) - 1)]
    assert bob.user.connection.recv(1) == b"", "the user's thread would wait for ever"


@own
@posix_only
def test_nobody_who_reads_is_cut_off_however_much_was_put_down_at_once(room, enter):
    ann, bob = enter("ann"), enter("bob", buffer=10_000)
    texts = [f"ann: {number:05} {'x' * 1000}" for number in range(400)]  # four times MAX_PENDING
    for text in texts:
        room.say(ann.user, encode(text))
    sender = threading.Thread(target=room.deliver, daemon=True)
    sender.start()
    bob.hears("* welcome, bob", "* online: ann, bob", *texts)
    sender.join(DEADLINE)
    assert not bob.user.gone


@own
@posix_only
def test_a_cut_off_is_told_although_nobody_says_anything(room, enter):
    ann, bob = enter("ann"), enter("bob", buffer=4_000)
    ann.hears("* welcome, ann", "* online: ann", "* bob joined")
    with room.lock:
        room.send(bob.user, b"x" * (MAX_PENDING + 50_000))
    ann.hears("* bob left")


@own
def test_who_returns_while_the_old_connection_is_cut_off_joins_after_it_has_left(room, enter):
    ann, bob, back = enter("ann"), enter("bob"), enter("ann", late=True)
    bob.hears("* welcome, bob", "* online: ann, bob")
    ann.user.outbox.append(b"something that waits")
    back.user.nick = "ann"
    with room.lock:
        room.said.append((back.user, None))  # as `join` does, whose thread waits for the lock
        room.cut_off(ann.user)
        room.send_said()
    bob.hears("* ann left", "* ann joined")
    back.hears("* welcome, ann", "* online: bob, ann")


class Clock:
    """Time that goes on only when the test sleeps; rooms of other tests have threads, too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.thread = 1000.0, threading.current_thread()
        self.on_sleep = lambda: None
        for module in (room_module, user_module):
            monkeypatch.setattr(module, "time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if threading.current_thread() is not self.thread:
            threading.Event().wait(seconds)
            return
        self.now += seconds
        self.on_sleep()


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


class Silent:
    """A room without its thread: nothing happens that a test does not do."""


@pytest.fixture
def quiet_room(monkeypatch):
    monkeypatch.setattr(Room, "keep_sending", lambda self: None)
    return Room(10, MAX_PENDING)


def stalled_user(quiet_room, waiting: int) -> User:
    user = User(None, "here")
    user.send_rest = lambda: None
    user.outbox.append(b"x")
    user.waiting = waiting
    quiet_room.behind.add(user)
    return user


@own
def test_a_flood_waits_for_who_is_far_behind_as_long_as_it_takes_at_the_slowest_pace(
    quiet_room, clock
):
    stalled_user(quiet_room, MAX_PENDING * 3 // 4)
    quiet_room.let_catch_up(250_000)
    assert clock.now == pytest.approx(1000.25)


@own
def test_nobody_waits_for_who_is_only_a_little_behind(quiet_room, clock):
    stalled_user(quiet_room, MAX_PENDING // 2)
    quiet_room.let_catch_up(250_000)
    assert clock.now == 1000


@own
def test_a_flood_goes_on_as_soon_as_the_reader_has_caught_up(quiet_room, clock):
    user = stalled_user(quiet_room, MAX_PENDING * 3 // 4)

    def read() -> None:
        user.waiting -= 10_000

    clock.on_sleep = read
    quiet_room.let_catch_up(250_000)
    assert clock.now < 1000.01


@own
def test_at_a_stop_nobody_is_waited_for(quiet_room, clock):
    stalled_user(quiet_room, MAX_PENDING * 3 // 4)
    quiet_room.stopping = True
    quiet_room.let_catch_up(250_000)
    assert clock.now == 1000


@own
def test_a_leaver_is_waited_for_as_long_as_there_is_progress(clock):
    user = User(None, "here")
    user.waiting = 1_000_000
    times = [1000.9, 1001.8, 1002.7, 1003.6]

    def read() -> None:
        if times and clock.now >= times[0]:
            times.pop(0)
            user.waiting -= 500

    clock.on_sleep = read
    user.wait_until_read(0)
    assert clock.now == pytest.approx(1004.6, abs=0.1), "a second without any"


@own
def test_a_leaver_who_takes_a_little_for_ever_is_waited_for_30_seconds_in_all(clock):
    user = User(None, "here")
    user.waiting = 10**9

    def read() -> None:
        user.waiting -= 1

    clock.on_sleep = read
    user.wait_until_read(0)
    assert clock.now == pytest.approx(1030, abs=0.1)


@own
def test_a_leaver_for_whom_nothing_waits_is_not_waited_for(clock):
    User(None, "here").wait_until_read(0)
    assert clock.now == 1000


@own
@posix_only
@pytest.mark.parametrize("max_pending", [1, 4, 7, 8, 100])
def test_even_the_smallest_outbox_makes_no_endless_loop(max_pending):
    room = Room(10, max_pending)
    with contextlib.ExitStack() as stack:
        ann, bob, carl = (
            stack.enter_context(contextlib.closing(Guest(room, nick, 4_000)))
            for nick in ("ann", "bob", "carl")
        )

        def talk() -> None:
            for guest in (ann, bob, carl):
                guest.join()
            for _ in range(100):
                room.say(ann.user, encode("ann: " + "x" * 1000))
                room.deliver()
            room.leave(ann.user, "bye")

        talker = threading.Thread(target=talk, daemon=True)
        talker.start()
        talker.join(DEADLINE)
        assert not talker.is_alive()
        room.stopping = True


@own
@posix_only
def test_at_a_stop_what_waits_is_sent_before_the_stream_ends(room, enter):
    ann, bob = enter("ann"), enter("bob", buffer=4_000)
    texts = [f"ann: {number:05} {'x' * 1000}" for number in range(50)]
    for text in texts:
        room.say(ann.user, encode(text))
    room.deliver()
    assert bob.user.outbox, "all was taken at once: nothing was tested"
    room.stop()
    closing = threading.Thread(target=room.close, daemon=True)
    closing.start()
    bob.hears("* welcome, bob", "* online: ann, bob", *texts, "* server is shutting down")
    assert bob.end.recv(1) == b""
    closing.join(DEADLINE)
    assert not closing.is_alive()


# In the room's thread, nothing may go wrong


@own
@posix_only
def test_users_who_come_and_go_while_others_are_behind_end_no_thread(room, enter, monkeypatch):
    """`connections` and `behind` are walked while other threads add to them."""
    failures = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    room.max_clients = 1000
    ann, slow = enter("ann"), enter("slow", buffer=4_000)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    over = threading.Event()

    def come_and_go(number: int) -> None:
        while not over.is_set():
            one, other = socket.socketpair()
            user = User(one, "here")
            if room.enter(user):
                room.join(user, f"guest{number}")
                room.leave(user, "bye")
                room.forget(user)
            one.close()
            other.close()

    guests = [
        threading.Thread(target=come_and_go, args=(number,), daemon=True) for number in range(3)
    ]
    try:
        for guest in guests:
            guest.start()
        for _ in range(150):
            room.say(ann.user, encode("ann: " + "x" * 400))
            room.deliver()
    finally:
        closing = threading.Thread(target=room.close, daemon=True)
        closing.start()  # while they still come and go
        closing.join(DEADLINE)
        over.set()
        sys.setswitchinterval(interval)
        for guest in guests:
            guest.join(DEADLINE)
    assert not failures
    assert not closing.is_alive()
    assert slow.user.gone


@own
@settings(deadline=None, max_examples=40)
@given(
    texts=st.lists(
        st.one_of(st.text(max_size=50), st.sampled_from(["/who", "/help", "/x", "x" * 65_530])),
        max_size=20,
    )
)
def test_whatever_a_user_says_reaches_no_exception_in_the_room(texts):
    """What goes wrong is the fault of one connection: it ends its own thread's work alone."""
    room = Room(10, 10**9)
    with contextlib.closing(Guest(room, "ann")) as ann:
        ann.join()
        said = b"".join(encode(text) for text in texts)
        server.talk(ann.user, FrameReader(Pieces(said)), room)
    room.stopping = True
    assert not room.said or room.users
    assert not room.lock.locked()


@own
@pytest.mark.parametrize("text", ["/", "/ ", "/\t", "/\u2003x", "/\x00", "/\n"])
def test_a_slash_and_white_space_is_a_command_like_any_other(text):
    assert server.command(text).startswith("/")
    assert server.command("no command") == ""
    assert server.command("") == ""
