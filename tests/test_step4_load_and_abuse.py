"""Step 4 under load and abuse: whatever a peer does, the others do not notice."""

import contextlib
import itertools
import os
import random
import re
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from expectations import QUESTION, STOP_TIME, expect_idle, in_threads, processor_time
from marks import contract, own, posix_only
from misbehaviour import KINDS, misbehave
from properties import PROPERTIES
from tools.harness import (
    Chat,
    Frames,
    NotAsTold,
    Peer,
    jittery,
    prepared,
    program,
    scale,
    wait_until,
)

STEP = 4
MEGABYTE = 2**20
FLOOD = 60  # seconds in which the slowest flood of these tests has to be over


def tells_connections() -> bool:
    """Ask the system: does it tell which connections are those of a process? (Wine does not.)"""
    with socket.create_server(("127.0.0.1", 0)):
        return bool(psutil.Process().net_connections("tcp"))


needs_connections = pytest.mark.skipif(
    not tells_connections(), reason="this system (Wine?) does not tell whose a connection is"
)


@own
def test_the_registry_of_properties_holds_on_the_way_for_systems_without_msg_dontwait(start):
    """On Windows a socket cannot be told to send without waiting: all goes through writers."""
    command = prepared(program(4, "server"), "vars(socket).pop('MSG_DONTWAIT', None)")
    for prop in PROPERTIES:
        prop.check(start(command=command))


# Readers who stop


def flood_with_stalled_readers(chat: Chat, count: int) -> tuple[float, float]:
    """Let 30 MB pass; return how long the readers waited for it, and MB by which memory grew."""
    chat.story.deadline = FLOOD
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    for number in range(count):
        stalled = chat.connect(f"stalled{number}", reads=False)
        stalled.say(stalled.name)
        for other in (ann, bob, carl):
            other.expect(f"* stalled{number} joined")
    memory = Memory(chat)
    started = time.monotonic()
    texts = [*(f"{number:01000}" for number in range(30_000)), "the end"]
    size = sum(len(Frames.encode(f"ann: {text}")) for text in texts)
    ann.floods(*texts)
    for reader in (bob, carl):
        memory.watch_until_received(reader, size)
    duration = time.monotonic() - started
    expected = [f"ann: {text}" for text in texts[:-1]]
    left = {f"* stalled{number} left" for number in range(count)}
    for reader in (bob, carl):
        lines = reader.skip_to("ann: the end")
        assert [line for line in lines if line not in left] == expected, "lost or out of order"
        assert left <= set(lines), "who does not read is disconnected"
    return duration, memory.grown()


class Memory:
    """The memory of a server, and by how much it has grown at most."""

    def __init__(self, chat: Chat) -> None:
        self.story = chat.story
        self.process = psutil.Process(chat.server.process.pid)
        self.before = self.peak = self.process.memory_info().rss

    def watch_until_received(self, reader: Peer, size: int) -> None:
        """Look at the memory until a reader has got so many bytes."""
        end = time.monotonic() + self.story.deadline
        while len(reader.stream) < size:
            threading.Event().wait(0.05)  # the pace at which memory is looked at
            self.look()
            if reader.ended or time.monotonic() > end:
                self.story.fail(reader.name, f"{size} bytes", reader.ended or "too slow")

    def look(self) -> None:
        self.peak = max(self.peak, self.process.memory_info().rss)

    def grown(self) -> float:
        """Return by how many MB the memory has grown at most."""
        return (self.peak - self.before) / MEGABYTE


@pytest.mark.ci
@own
@pytest.mark.parametrize("count", [1, 50])
def test_readers_who_stop_delay_nobody_and_cost_little_memory(start, count):
    undisturbed, _ = flood_with_stalled_readers(start(), 0)
    disturbed, grown = flood_with_stalled_readers(start(), count)
    assert grown < 15 + 1.5 * count, f"memory grew by {grown:.0f} MB"
    # A ratio, and generous, for the machine may be busy; a chat that waits for them stands still.
    assert disturbed < 3 * undisturbed + 1.5, f"{disturbed:.1f} s instead of {undisturbed:.1f} s"


@contract("slow", "поток сообщений: читающие получают всё, переставшие читать отключаются")
def test_readers_get_all_of_a_flood_and_who_has_stopped_is_disconnected(start):
    flood_with_stalled_readers(start(), 3)


@contract("slow", "отключённого за молчание соединение действительно закрывается")
@needs_connections
def test_who_is_cut_off_loses_the_connection(chat):
    ann = chat.join("ann")
    stalled = [chat.connect(f"stalled{number}", reads=False) for number in range(6)]
    for one in stalled:
        one.say(one.name)
        ann.expect(f"* {one.name} joined")
    process = psutil.Process(chat.server.process.pid)
    chat.story.deadline = FLOOD
    ann.floods(*(f"{number:01000}" for number in range(12_000)))
    left = {ann.get() for _ in stalled}
    assert left == {f"* {one.name} left" for one in stalled}
    # Although they still do not read, and do not close: nothing of theirs stays with the server.

    def connections() -> int:
        return sum(c.status != psutil.CONN_LISTEN for c in process.net_connections("tcp"))

    wait_until(lambda: connections() == 1, "only ann's connection stays", chat.story)
    for one in stalled:
        one.start_reading()
        one.skip_to_end()


@own
def test_who_is_cut_off_leaves_no_thread_and_reads_no_word_of_it(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    process = psutil.Process(chat.server.process.pid)
    threads = process.num_threads()
    stalled = [chat.connect(f"stalled{number}", reads=False) for number in range(6)]
    for one in stalled:
        one.say(one.name)
        for other in (ann, bob):
            other.expect(f"* {one.name} joined")
    late = stalled[-1]
    ann.floods(*(f"{number:01000}" for number in range(12_000)))
    assert bob.has_received(f"* {late.name} left".encode(), within=FLOOD)
    late.start_reading()
    chat.story.deadline = FLOOD
    lines = late.skip_to_end()
    heard = [line for line in lines if line.startswith("ann: ")]
    others = [line for line in lines if line not in heard]
    assert all(re.match(r"\* (enter|welcome|online|stalled\d (joined|left))", o) for o in others)
    assert heard == [f"ann: {number:01000}" for number in range(len(heard))]
    assert late.stream[4:] == f"ann: {len(heard):01000}".encode()[: len(late.stream[4:])]
    wait_until(lambda: process.num_threads() <= threads, "no thread stays behind", chat.story)
    for one in stalled[:-1]:
        one.start_reading()
        one.skip_to_end()  # nor does a connection


@own
def test_who_returns_while_the_old_connection_is_cut_off_joins_after_it_has_left(chat):
    ann = chat.join("ann")
    chat.connect("bob", reads=False).say("bob")
    ann.expect("* bob joined")
    back = chat.connect("back")
    ann.floods(*(f"{number:01000}" for number in range(12_000)))
    while (line := back.get("a question or a welcome")) != "* welcome, bob":
        if line == QUESTION:
            back.say("bob")
    ann.expect("* bob left", "* bob joined")


@contract("slow", "один участник, который читает не сразу, получает всё")
def test_a_reader_who_pauses_and_then_reads_on_gets_everything(chat):
    ann = chat.join("ann")
    slow = chat.connect("slow", reads=False)
    slow.say("slow")
    ann.expect("* slow joined")
    texts = [f"{number:01000}" for number in range(700)]
    ann.floods(*texts)
    assert not ann.is_held_up()
    slow.start_reading()
    slow.expect(QUESTION, "* welcome, slow", "* online: ann, slow")
    slow.expect(*(f"ann: {text}" for text in texts))


@contract("slow", "кто читает медленно (1,2 МБ/с), но читает, получает всё")
def test_a_reader_who_is_slow_but_reads_gets_everything(chat):
    flood_for_a_slow_reader(chat, talkers=1)


@pytest.mark.ci
@own
def test_a_slow_reader_gets_everything_from_three_who_flood(chat):
    flood_for_a_slow_reader(chat, talkers=3)


def flood_for_a_slow_reader(chat: Chat, talkers: int) -> None:
    """Let 6 MB pass, and one read 1.2 MB/s: everything has to arrive, in order."""
    chat.story.deadline = FLOOD
    people = [chat.join(name) for name in ("ann", "bob", "carl")[:talkers]]
    slow = chat.connect("slow", reads=False)
    slow.say("slow")
    for person in people:
        person.expect("* slow joined")
    count = 6_000 // talkers
    for person in people:
        person.floods(*(f"{number:01000}" for number in range(count)), "/quit")
    data, left = b"", 0
    for chunk in read_slowly(slow.connection, 1.2e6):
        left += (data[-5:] + chunk).count(b" left") - data[-5:].count(b" left")
        data += chunk
        if left == talkers:
            break
    for person in people:
        said = re.findall(rf"{person.name}: (\d{{1000}})".encode(), data)
        assert list(map(int, said)) == list(range(count)), "lost or out of order"


@own
def test_talkers_who_are_faster_than_the_room_cost_little_memory(chat):
    chat.story.deadline = FLOOD
    ann, *talkers = [chat.join(name) for name in ("ann", "bob", "carl", "dora", "emil")]
    stalled = chat.connect("stalled", reads=False)  # makes the room slow until it is cut off
    stalled.say("stalled")
    ann.expect("* stalled joined")
    memory = Memory(chat)
    texts = [f"{number:01000}" for number in range(4_000)]
    for talker in talkers:
        talker.floods(*texts)
    memory.watch_until_received(ann, 4 * len(texts) * len(Frames.encode(f"bob: {texts[0]}")))
    assert memory.grown() < 15, f"memory grew by {memory.grown():.0f} MB"


@own
def test_who_leaves_while_the_room_is_busy_gets_everything_until_the_farewell(chat):
    chat.story.deadline = FLOOD
    ann, *others = [chat.join(name) for name in ("ann", "bob", "carl", "dora", "emil")]
    stalled = chat.connect("stalled", reads=False)  # makes the room slow until it is cut off
    stalled.say("stalled")
    for person in (ann, *others):
        person.expect("* stalled joined")
    ann.floods(*(f"{number:01000}" for number in range(10_000)), "the end")
    for person in others:
        assert person.has_received(b"ann: ", within=chat.story.deadline)
        person.say("/quit")
    for person in others:
        heard = [line for line in person.skip_to("* bye") if line.startswith("ann: ")]
        assert heard == [f"ann: {number:01000}" for number in range(len(heard))]
        assert person.expect_end() == "the connection was closed"


@contract("leave", "уходящий на медленной линии получает всё до * bye, без обрыва")
@pytest.mark.parametrize("how", ["/quit", "half-close"])
def test_who_leaves_on_a_slow_line_gets_everything_up_to_the_farewell(start, how):
    chat = start("--max-pending", str(16 * MEGABYTE))
    ann = chat.join("ann")
    slow = chat.connect("slow", reads=False)
    slow.say("slow")
    ann.expect("* slow joined")
    texts = [f"{number:01000}" for number in range(6_000)]  # more than the system buffers
    ann.floods(*texts, "/who")
    ann.expect("* online: ann, slow")  # so all of it waits for the slow one
    slow.half_close() if how == "half-close" else slow.say("/quit")
    ann.expect("* slow left")
    data = b"".join(read_slowly(slow.connection, 3e6))
    expected = [QUESTION, "* welcome, slow", "* online: ann, slow"]
    expected += [*(f"ann: {text}" for text in texts), "* bye"]
    assert data == b"".join(map(Frames.encode, expected))


@contract("leave", "уходящего, который ничего не читает, сервер ждёт около секунды")
@needs_connections
def test_who_leaves_and_does_not_read_is_given_up_soon(chat):
    ann = chat.join("ann")
    stalled = chat.connect("stalled", reads=False)
    stalled.say("stalled")
    ann.expect("* stalled joined")
    ann.floods(*(f"{number:01000}" for number in range(700)), "/who")
    ann.expect("* online: ann, stalled")
    stalled.half_close()
    ann.expect("* stalled left")
    process = psutil.Process(chat.server.process.pid)
    started = time.monotonic()
    chat.story.deadline = 10

    def connections() -> int:
        return sum(c.status != psutil.CONN_LISTEN for c in process.net_connections("tcp"))

    wait_until(lambda: connections() <= 1, "the stalled connection is closed", chat.story)
    assert time.monotonic() - started < 5


@own
def test_who_asks_much_and_reads_slowly_delays_nobody(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    asker = chat.connect("asker", reads=False)
    asker.say("asker")
    for other in (ann, bob):
        other.expect("* asker joined")
    asker.floods(*["/help"] * 200_000)
    threading.Thread(target=drain_slowly, args=(asker.connection, 1e6), daemon=True).start()
    longest, begun = 0.0, time.monotonic()
    while (started := time.monotonic()) < begun + 3:
        ann.say("still there?")
        bob.skip_to("ann: still there?")
        longest = max(longest, time.monotonic() - started)
    assert longest < 1, f"{longest:.1f} s"
    ann.say("/who")
    assert ann.get() == "* online: ann, bob, asker", "who reads, if slowly, is not cut off"


@own
def test_who_asks_much_and_reads_gets_every_answer(start):
    chat = start("--max-pending", "65536")
    ann, asker = chat.join("ann"), chat.join("asker")
    asker.floods(*["/who"] * 10_000, "the end")
    asker.expect(*["* online: ann, asker"] * 10_000)
    ann.expect("asker: the end")


def read_slowly(connection: socket.socket, rate: float):
    """Yield what comes, so many bytes a second, until the end of the stream."""
    connection.settimeout(FLOOD)
    pause = threading.Event()
    started, received = time.monotonic(), 0
    while data := connection.recv(16_384):
        yield data
        received += len(data)
        pause.wait(max(started + received / rate - time.monotonic(), 0))


def drain_slowly(connection: socket.socket, rate: float) -> None:
    try:
        for _ in read_slowly(connection, rate):
            pass
    except OSError:  # the server or the test has closed it
        pass


@own
@pytest.mark.parametrize("max_pending", ["1", "7"])
def test_the_smallest_outbox_keeps_the_server_alive(start, max_pending):
    chat = start("--max-pending", max_pending)
    ann = chat.join("ann")
    stalled = chat.connect("stalled", reads=False)
    stalled.say("stalled")
    ann.expect("* stalled joined")
    ann.floods(*(f"{number:01000}" for number in range(8_000)))
    ann.expect("* stalled left")
    chat.join("carl")


# Many at once


@contract("talk", "много авторов сразу: каждый получает всё один раз и в одном порядке")
def test_twelve_who_talk_at_once_all_get_everything_once_and_in_one_order(chat):
    people = [chat.join(f"user{number}") for number in range(12)]
    chat.story.deadline *= 3
    for person in people:
        person.floods(*(f"{number}" for number in range(100)))
    heard = {}
    for person in people:
        heard[person] = [person.get() for _ in range(11 * 100)]
        for other in people:
            said = [line for line in heard[person] if line.startswith(f"{other.name}:")]
            own = other is person
            assert said == [] if own else said == [f"{other.name}: {n}" for n in range(100)]
    for one, two in itertools.pairwise(people):
        own = (f"{one.name}:", f"{two.name}:")
        orders = [[line for line in heard[p] if not line.startswith(own)] for p in (one, two)]
        assert orders[0] == orders[1]


@contract("names", "из нескольких одновременных запросов одного имени выполняется один")
def test_of_those_who_ask_for_one_nickname_in_the_same_moment_one_gets_it(start, foreign):
    chat = start() if foreign else start(command=jittery(program(4, "server")))
    for number in range(8):
        people = [chat.connect(f"person{number}.{i}") for i in range(6)]
        for person in people:
            person.expect(QUESTION)
        barrier = threading.Barrier(len(people))

        def ask(index: int, people=people, barrier=barrier, nick=f"nick{number}") -> None:
            barrier.wait()
            people[index].say(nick)

        in_threads(len(people), ask)
        answers = [person.expect_server_line() for person in people]
        assert answers.count(f"* welcome, nick{number}") == 1, answers


@pytest.mark.ci
@contract("limits", "список участников длиннее кадра не мешает ни спросившему, ни остальным")
def test_a_list_of_users_that_is_longer_than_a_frame_is_told_all_the_same(start):
    chat = start("--max-clients", "800")
    chat.story.deadline *= 3
    ann = chat.join("ann")
    names = [f"{'名' * 28}{number:04}" for number in range(760)]  # of 88 bytes
    with Crowd(ann, names):
        bob = chat.connect("bob")
        bob.say("bob", "/x", "/who", "/y")
        bob.skip_to("* welcome, bob")
        for word in ("/x", "/y"):
            lines = bob.skip_to(f"* unknown command: {word}, try /help")
            assert len(lines) > 1
            listed = [line.removeprefix("* online: ").split(", ") for line in lines]
            assert [*itertools.chain(*listed)] == ["ann", *names, "bob"]


@contract("limits", "сколько бы ни пришло сверх --max-clients, потоков не больше, чем мест")
def test_a_full_server_refuses_everybody_and_starts_no_thread_for_it(start):
    chat = start("--max-clients", "5")
    people = [chat.connect(f"member{number}") for number in range(5)]
    for person in people:
        person.expect(QUESTION)
    process = psutil.Process(chat.server.process.pid)
    threads, most = process.num_threads(), 0
    chat.story.deadline *= 3
    for _ in range(3):
        crowd = [socket.create_connection(("127.0.0.1", chat.port)) for _ in range(100)]
        for one in crowd:
            one.settimeout(chat.story.deadline)
            most = max(most, process.num_threads())
            assert one.recv(4) == len("* server is full").to_bytes(4, "big")
            assert one.recv(100) == b"* server is full"
            assert one.recv(1) == b""
        for one in crowd:
            one.close()
    assert most <= threads
    people[0].say("ann")
    people[0].expect("* welcome, ann")


@own
def test_refused_connections_that_stay_open_stop_neither_newcomers_nor_users(start):
    chat = start("--max-clients", "2")
    ann, bob = chat.join("ann"), chat.join("bob")
    knockers = [chat.connect(f"knocker{number}", reads=False) for number in range(250)]
    for knocker in knockers[:3]:
        knocker.floods_bytes(b"x" * 1_000_000)
    knockers[-1].start_reading()
    knockers[-1].expect("* server is full")  # so were all before: none will get bob's place
    ann.say("hello")
    bob.expect("ann: hello")
    bob.say("/quit")
    bob.expect("* bye")
    bob.close()
    found = []

    def carl_is_in() -> bool:
        carl = chat.connect("carl")
        found.append(carl.get())
        return found[-1] == QUESTION

    wait_until(carl_is_in, "a place for carl", chat.story)


def wait_for_place(chat: Chat, name: str) -> Peer:
    """Connect until there is a place again."""
    found: list[Peer] = []

    def is_in() -> bool:
        found.append(chat.connect(name))
        return found[-1].get() == QUESTION

    wait_until(is_in, f"a place for {name}", chat.story)
    return found[-1]


@own
def test_a_place_is_free_only_when_its_connection_is_closed(start):
    """Who has left and takes the last bytes slowly still has the place, and so the thread."""
    chat = start("--max-clients", "2", "--max-pending", str(16 * MEGABYTE))
    ann = chat.join("ann")
    slow = chat.connect("slow", reads=False)
    slow.say("slow")
    ann.expect("* slow joined")
    ann.floods(*["x" * 1000] * 6_000, "/who")  # more than the system holds
    ann.expect("* online: ann, slow")
    slow.say("/quit")
    ann.expect("* slow left")
    reading = threading.Thread(target=drain_slowly, args=(slow.connection, 2e6), daemon=True)
    reading.start()
    chat.connect("knocker").expect("* server is full")
    reading.join(FLOOD)
    slow.close()
    wait_for_place(chat, "bob")


class Crowd:
    """Many users, each a plain socket: one thread reads for all, and sends if it is told to."""

    def __init__(self, watcher: Peer, names: list[str]) -> None:
        """Join with these names, and wait until `watcher`, who is there already, has read so."""
        self.text, self.sent = b"", 0
        self.members: list[socket.socket] = []
        self.over = threading.Event()
        port = watcher.connection.getpeername()[1]
        try:
            for name in names:
                self.members.append(socket.create_connection(("127.0.0.1", port), FLOOD))
                self.members[-1].sendall(Frames.encode(name))
                watcher.skip_to(f"* {name} joined")
        except BaseException:
            self.__exit__()
            raise
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def floods(self, text: str) -> None:
        """From now on, let all send this as fast as it is taken."""
        self.text = Frames.encode(text) * 2_000

    def _run(self) -> None:
        space = bytearray(MEGABYTE)
        with selectors.DefaultSelector() as selector:
            for member in self.members:
                member.setblocking(False)
                selector.register(member, selectors.EVENT_READ | selectors.EVENT_WRITE)
            places = dict.fromkeys(self.members, 0)  # what was sent of a text that was cut
            while not self.over.wait(0 if self.text else 0.05):
                for key, events in selector.select(0.05):
                    try:
                        if events & selectors.EVENT_READ:
                            key.fileobj.recv_into(space)
                        if events & selectors.EVENT_WRITE and self.text:
                            start = places[key.fileobj]
                            sent = key.fileobj.send(self.text[start:])
                            places[key.fileobj] = (start + sent) % len(self.text)
                            self.sent += sent
                    except BlockingIOError:
                        pass
                    except OSError:  # the server has closed it
                        selector.unregister(key.fileobj)

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *exception: object) -> None:
        self.over.set()
        if hasattr(self, "thread"):
            self.thread.join()
        for member in self.members:
            member.close()


def hears(peer: Peer, text: str) -> None:
    """Wait for this among all that comes, and forget the rest: there may be very much of it."""
    found = Frames.encode(text)
    with peer.changed:
        peer.changed.wait_for(lambda: found in peer.stream or peer.ended, peer.story.deadline)
        if found not in peer.stream:
            peer.story.fail(peer.name, repr(text), peer.ended or "nothing of it came")
        peer.stream.clear()


def longest_wait(one: Peer, other: Peer, seconds: float) -> float:
    """Let two talk for some time; return how long one waited at most for the other's word."""
    waits, begun = [], time.monotonic()
    while (started := time.monotonic()) < begun + seconds:
        text = f"still there? {len(waits)}"
        one.say(text)
        hears(other, f"{one.name}: {text}")
        waits.append(time.monotonic() - started)
    print(f"{len(waits)} messages; the longest took {1000 * max(waits):.0f} ms")
    return max(waits)


# What a peer may do


@contract("faults", "кто бы ни вёл себя неправильно, остальные разговаривают, ничего не остаётся")
@pytest.mark.parametrize("kind", KINDS)
def test_the_others_go_on_and_nothing_stays_behind(chat, kind):
    process = psutil.Process(chat.server.process.pid)
    ann, bob = chat.join("ann"), chat.join("bob")
    threads, descriptors = process.num_threads(), descriptors_of(process)
    chance = random.Random(kind)
    for number in range(15):
        misbehave(chat, kind, chance)
        ann.say(str(number))
        skipped = bob.skip_to(f"ann: {number}")
        for line in skipped:  # who resets may have joined before
            assert re.fullmatch(r"\* (reset|one|unread) (joined|left)|reset: one", line)
    wait_until(
        lambda: process.num_threads() <= threads and descriptors_of(process) <= descriptors,
        "no thread and no descriptor stays behind",
        chat.story,
    )
    assert "Traceback" not in chat.server.stderr()


def descriptors_of(process: psutil.Process) -> int:
    return process.num_fds() if psutil.POSIX else process.num_handles()


@pytest.mark.ci
@own
def test_five_thousand_who_connect_and_close_leave_nothing_behind(chat):
    chat.story.deadline *= 4  # thousands of threads at once, on a machine that may be busy
    process = psutil.Process(chat.server.process.pid)
    ann, bob = chat.join("ann"), chat.join("bob")
    threads, descriptors = process.num_threads(), descriptors_of(process)
    for number in range(5_000):
        socket.create_connection(("127.0.0.1", chat.server.port)).close()
        if number % 500 == 0:
            ann.say(str(number))
            bob.expect(f"ann: {number}")
    wait_until(
        lambda: process.num_threads() <= threads and descriptors_of(process) <= descriptors,
        "no thread and no descriptor stays behind",
        chat.story,
    )
    assert "Traceback" not in chat.server.stderr()


@contract("limits", "имя, которое приходит по байту, не продлевает время на вход")
def test_a_nickname_that_drips_in_is_cut_off_in_time_and_delays_nobody(start):
    chat = start("--login-timeout", "1")
    ann, bob = chat.join("ann"), chat.join("bob")
    slow = chat.connect("slow")
    slow.expect(QUESTION)
    pause = threading.Event()
    for byte in Frames.encode("a nickname that never ends"):
        if slow.ended:
            break
        try:
            slow.send(bytes([byte]))
        except OSError:  # cut off
            break
        ann.say("hello")
        bob.expect("ann: hello")
        pause.wait(0.2)  # the drip, not a synchronisation
    assert "nickname" in slow.expect_server_line()
    slow.expect_end()


@contract("limits", "отклонённая длина кадра не занимает памяти")
def test_a_refused_length_costs_no_memory(chat):
    process = psutil.Process(chat.server.process.pid)
    chat.join("ann")
    before = process.memory_info().rss
    for _ in range(20):
        misbehave(chat, "4 GB", random.Random(1))
    assert process.memory_info().rss - before < 20 * MEGABYTE


@pytest.mark.ci
@own
@pytest.mark.parametrize("name", ["a b", "x" * 60_000], ids=["small", "large"])
def test_a_newcomer_who_floods_with_names_and_does_not_read_delays_nobody_and_is_out_in_time(
    start, name
):
    chat = start("--login-timeout", "2", "--max-pending", str(64 * MEGABYTE))
    ann, bob = chat.join("ann"), chat.join("bob")
    flooder = chat.connect("flooder", reads=False)
    over = threading.Event()

    def flood() -> None:
        try:
            while True:
                flooder.connection.sendall(Frames.encode(name) * (60_000 // len(name)))
        except OSError:  # out
            over.set()

    threading.Thread(target=flood, daemon=True).start()
    assert longest_wait(ann, bob, seconds=4) < 1 * scale()
    assert over.wait(chat.story.deadline)
    assert "Traceback" not in chat.server.stderr()


LONG = [f"{'𐐀' * 28}{number:04}" for number in range(500)]  # each of 116 bytes


@pytest.mark.ci
@own
@posix_only
def test_who_asks_for_a_long_list_again_and_again_and_does_not_read_costs_little_memory(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    with Crowd(ann, LONG):
        memory = Memory(chat)
        asker = chat.connect("asker", reads=False)
        asker.say("asker")
        asker.floods(*["/who"] * 200_000)
        assert longest_wait(ann, bob, seconds=3) < 2 * scale()
        memory.look()
        assert memory.grown() < 60, f"memory grew by {memory.grown():.0f} MB"


@own
def test_many_small_messages_under_long_names_cut_nobody_off_who_reads(chat):
    chat.story.deadline = FLOOD
    talkers = [chat.join(name) for name in LONG[:10]]
    readers = [chat.connect(f"reader{number}", reads=False) for number in range(3)]
    for reader in readers:
        reader.say(reader.name)
        talkers[0].expect(f"* {reader.name} joined")
    for talker in talkers:
        talker.floods(*["x"] * 6_000)
    expected = len(talkers) * 6_000
    counted = [0] * len(readers)

    def read(number: int) -> None:
        rest = b""
        for chunk in read_slowly(readers[number].connection, 3e6):
            found = (rest + chunk).count(b": x")
            counted[number] += found
            rest = (rest + chunk)[-2:]
            if counted[number] == expected:
                return

    in_threads(len(readers), read)
    assert counted == [expected] * len(readers)


@pytest.mark.ci
@own
@posix_only
def test_a_leaver_on_a_very_slow_line_gets_all_of_6_mb(start):
    chat = start("--max-pending", str(16 * MEGABYTE))
    ann = chat.join("ann")
    slow = chat.connect("slow", reads=False)
    slow.say("slow")
    ann.expect("* slow joined")
    texts = [f"{number:01000}" for number in range(6_000)]
    ann.floods(*texts, "/who")
    ann.expect("* online: ann, slow")
    slow.say("/quit")
    ann.expect("* slow left")
    data = b"".join(read_slowly(slow.connection, 6e5))
    assert data.endswith(
        b"".join(map(Frames.encode, [*(f"ann: {text}" for text in texts), "* bye"]))
    )


@pytest.mark.slow
@own
@posix_only
def test_who_takes_the_last_bytes_ever_so_slowly_is_waited_for_30_seconds_and_no_longer(start):
    chat = start("--max-pending", str(16 * MEGABYTE))
    ann = chat.join("ann")
    slow = chat.connect("slow", reads=False)
    slow.say("slow")
    ann.expect("* slow joined")
    ann.floods(*[f"{number:01000}" for number in range(8_000)], "/who")
    ann.expect("* online: ann, slow")
    slow.say("/quit")
    ann.expect("* slow left")
    started = time.monotonic()
    with contextlib.suppress(ConnectionError):
        for _ in read_slowly(slow.connection, 6e4):
            pass
    assert 25 < time.monotonic() - started < 120  # what the system holds, it sends still


@pytest.mark.ci
@own
def test_a_paste_amid_ten_who_do_not_read_delays_an_honest_pair_little(chat):
    chat.story.deadline = FLOOD
    ann, bob, paster = (chat.join(name) for name in ("ann", "bob", "paster"))
    for number in range(10):
        lurker = chat.connect(f"lurker{number}", reads=False)
        lurker.say(lurker.name)
        ann.expect(f"* {lurker.name} joined")
    paster.floods(*["x" * 1000] * 20_000)
    assert longest_wait(ann, bob, seconds=5) < 1 * scale()


STORM = """
import socket, sys
while True:
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) as peer:
            peer.sendall(b"\\0\\0\\0\\4" + sys.argv[2].encode() + b"\\0\\0\\0\\5hello")
    except OSError:
        pass
"""


@pytest.mark.ci
@own
def test_a_storm_of_programs_that_connect_shout_and_vanish_delays_an_honest_pair_little(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    storms = [
        subprocess.Popen([sys.executable, "-c", STORM, str(chat.port), f"bad{number}"])
        for number in range(4)
    ]
    try:
        ann.skip_to("bad0: hello")
        assert longest_wait(ann, bob, seconds=4) < 1 * scale()
    finally:
        for storm in storms:
            storm.kill()
            storm.wait()
    assert "Traceback" not in chat.server.stderr()


@pytest.mark.ci
@own
@posix_only
def test_a_thousand_who_join_at_once_are_in_within_5_seconds(start):
    join_at_once(start(), 1_000, within=5)


@pytest.mark.slow
@own
@posix_only
@pytest.mark.parametrize("count", [3_000, 5_000])
def test_thousands_who_join_at_once_are_in_within_2_minutes(start, count):
    join_at_once(start("--max-clients", str(count)), count, within=120)


def join_at_once(chat: Chat, count: int, within: float) -> None:
    """Connect so many at once, and let each join; check that they are in before long."""
    started = time.monotonic()
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for number in range(count):
            one = socket.create_connection(("127.0.0.1", chat.port), FLOOD)
            stack.enter_context(one)
            one.sendall(Frames.encode(f"guest{number}"))
            one.setblocking(False)
            selector.register(one, selectors.EVENT_READ, [b""])
        waiting = count
        while waiting:
            for key, _ in selector.select():
                data = key.fileobj.recv(MEGABYTE)
                assert data, "the connection was closed"
                if key.data and b"* welcome" in (read := key.data[0] + data):
                    key.data.clear()
                    waiting -= 1
                elif key.data:
                    key.data[0] = read
            assert time.monotonic() - started < within * scale(), f"{waiting} still wait"
        print(f"{count} have joined in {time.monotonic() - started:.1f} s")


@pytest.mark.ci
@own
@posix_only
def test_an_honest_pair_is_heard_amid_a_thousand_who_flood_and_memory_stays_bounded(start):
    chat = start("--max-clients", "1002")
    ann, bob = chat.join("ann"), chat.join("bob")
    with Crowd(ann, [f"u{number}" for number in range(1_000)]) as crowd:
        memory = Memory(chat)
        crowd.floods("x")
        wait_until(lambda: crowd.sent > MEGABYTE, "a flood", chat.story)
        assert longest_wait(ann, bob, seconds=5) < 5 * scale()
        memory.look()
        print(f"memory grew by {memory.grown():.0f} MB")
        assert memory.grown() < 200, f"memory grew by {memory.grown():.0f} MB"


# When the system has no more


@own
@posix_only
def test_a_log_that_nobody_reads_costs_no_more_threads_than_there_are_places(start, tmp_path):
    """Standard error is a pipe that is full: whoever writes there waits for ever."""
    os.mkfifo(pipe := tmp_path / "stderr")
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(reader, bytes(4096))
    try:
        shell = ["sh", "-c", f'exec "$0" "$@" 2>{shlex.quote(str(pipe))}', *program(4, "server")]
        chat = start("--max-clients", "20", command=shell)
        process = psutil.Process(chat.server.process.pid)
        ann, bob = chat.join("ann"), chat.join("bob")
        for number in range(200):
            socket.create_connection(("127.0.0.1", chat.port)).close()
            ann.say(str(number))
            bob.expect(f"ann: {number}")
        assert process.num_threads() <= 20 + 2
        chat.server.interrupt()
        ann.expect("* server is shutting down")
        assert chat.server.exits(within=STOP_TIME) == 0
    finally:
        os.close(reader)


@own
@pytest.mark.parametrize("error", ["a part", "ENOBUFS"])
def test_what_the_system_takes_in_parts_or_refuses_in_mid_frame_leaves_no_gap(start, error):
    """Every third `send` takes a part of the bytes; one of them then fails in mid-frame."""
    prelude = (
        "import errno, itertools; count = itertools.count(1); send = socket.socket.send\n"
        "def cut(it, data, *a):\n"
        "    number = next(count)\n"
        f"    if number == 1000 and {error == 'ENOBUFS'}:\n"
        "        raise OSError(errno.ENOBUFS, 'No buffer space available')\n"
        "    return send(it, data[:7] if number % 3 == 0 else data, *a)\n"
        "socket.socket.send = cut"
    )
    chat = start(command=prepared(program(4, "server"), f"exec({prelude!r})"))
    ann, *others = [chat.join(name) for name in ("ann", "bob", "carl")]
    said = 0
    for said in range(1, 601):
        ann.say(str(said))
        if said % 20 == 0:
            ann.say("/who")
            while not ann.get("* online: ...").startswith("* online: ann"):
                pass
    ended = 0
    for other in others:
        expected = [f"ann: {number}" for number in range(1, said + 1)]
        while expected:
            try:
                line = other.get(expected[0])
            except NotAsTold:
                assert other.ended
                ended += 1
                break
            if line.startswith("ann: "):
                assert line == expected.pop(0), "a gap"
    assert ended <= (error == "ENOBUFS")


@contract("limits", "нет дескрипторов: вошедшие разговаривают, процессор свободен, потом — новые")
@posix_only
def test_out_of_file_descriptors_those_inside_go_on_and_newcomers_come_in_later(start):
    import resource

    limit = (40, 40)
    chat = start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))
    ann, bob = chat.join("ann"), chat.join("bob")
    crowd = [chat.connect(f"silent{number}", reads=False) for number in range(60)]
    threading.Event().wait(0.3)  # it has accepted all that it can
    expect_idle(chat)
    ann.say("hello")
    bob.expect("ann: hello")
    for silent in crowd:
        silent.close()
    chat.people = [ann, bob]
    chat.join("carl")


@own
def test_out_of_threads_connections_are_refused_and_nothing_else(start):
    prelude = (  # after the room and three users, two threads do not start
        "from itertools import chain, repeat;"
        "fails = chain([False] * 4, [True] * 2, repeat(False));"
        "start = threading.Thread.start; threading.Thread.start = lambda thread:"
        " (_ for _ in ()).throw(RuntimeError('can\\'t start new thread')) if next(fails)"
        " else start(thread)"
    )
    chat = start("--max-clients", "4", command=prepared(program(4, "server"), prelude))
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    for _ in range(2):
        refused = chat.connect("refused")
        refused.skip_to("* server is full")
        refused.expect_end()
    ann.say("hello")
    bob.expect("ann: hello")
    carl.expect("ann: hello")
    chat.join("dora")  # the place of those who were refused is free


# The stop


@contract("stop", "остановка под нагрузкой: сервер завершается за 2 секунды, порядок не нарушен")
@posix_only
def test_a_stop_in_a_storm_ends_in_time_and_leaves_no_gap(chat):
    readers = [chat.join("ann"), chat.join("bob")]
    stalled = chat.connect("stalled", reads=False)
    stalled.say("stalled")
    talkers = [chat.connect(f"talker{number}") for number in range(4)]
    for talker in talkers:
        talker.say(talker.name)
        talker.floods(*(f"{number:0500}" for number in range(40_000)))
    for reader in readers:
        assert reader.has_received(b"talker0: ", within=chat.story.deadline)
    chat.server.interrupt(signal.SIGTERM)
    assert chat.server.exits(within=STOP_TIME) == 0
    assert "Traceback" not in chat.server.stderr()
    heard = []
    for reader in readers:
        heard.append(reader.skip_to("* server is shutting down"))
        reader.expect_end()
        for talker in talkers:
            said = [line for line in heard[-1] if line.startswith(f"{talker.name}: ")]
            assert said == [f"{talker.name}: {n:0500}" for n in range(len(said))], "no gap"
    shorter, longer = sorted(heard, key=len)
    assert longer[: len(shorter)] == shorter, "one order"


@own
@posix_only
@pytest.mark.parametrize("count", [3, 200])
def test_a_stop_is_in_time_also_when_there_is_much_to_do(chat, count):
    chat.story.deadline = FLOOD
    talkers = [chat.connect(f"talker{number}", reads=False) for number in range(count)]
    for talker in talkers:
        talker.say(talker.name)
        talker.floods(*["x" * 60_000] * (600 // count))
        reading = (talker.connection, 1e6)  # so the room has to wait for each
        threading.Thread(target=drain_slowly, args=reading, daemon=True).start()
    flooded = 10 * MEGABYTE  # the system holds up to 3 MB of each, the rest waits in the room
    wait_until(lambda: sum(t.flooded for t in talkers) > flooded, "10 MB", chat.story)
    chat.server.interrupt(signal.SIGTERM)
    assert chat.server.exits(within=STOP_TIME) == 0
    assert "Traceback" not in chat.server.stderr()


@pytest.mark.ci
@own
@posix_only
def test_a_stop_amid_a_thousand_who_flood_is_in_time(start):
    chat = start("--max-clients", "1001")
    ann = chat.join("ann")
    with Crowd(ann, [f"u{number}" for number in range(1_000)]) as crowd:
        crowd.floods("x")
        threading.Event().wait(2)  # the room is full of what they say: not a synchronisation
        chat.server.interrupt(signal.SIGTERM)
        assert chat.server.exits(within=STOP_TIME) == 0
        assert "Traceback" not in chat.server.stderr()


@own
@posix_only
def test_a_stop_while_somebody_takes_the_last_bytes_slowly_is_in_time(start):
    chat = start("--max-pending", str(16 * MEGABYTE))
    ann = chat.join("ann")
    slow = chat.connect("slow", reads=False)
    slow.say("slow")
    ann.expect("* slow joined")
    ann.floods(*["x" * 1000] * 6_000, "/who")
    ann.expect("* online: ann, slow")
    slow.say("/quit")
    ann.expect("* slow left")
    reading = (slow.connection, 4e5)
    threading.Thread(target=drain_slowly, args=reading, daemon=True).start()
    chat.server.interrupt(signal.SIGTERM)
    ann.expect("* server is shutting down")
    ann.expect_end()
    assert chat.server.exits(within=STOP_TIME) == 0


@own
@posix_only
def test_a_stop_sends_what_waits_to_those_who_still_read(chat):
    ann = chat.join("ann")
    slow = chat.connect("slow", reads=False)
    slow.say("slow")
    ann.expect("* slow joined")
    texts = [f"{number:01000}" for number in range(900)]
    ann.floods(*texts, "/who")
    ann.expect("* online: ann, slow")
    chat.server.interrupt()
    slow.start_reading()
    slow.expect(QUESTION, "* welcome, slow", "* online: ann, slow")
    slow.expect(*(f"ann: {text}" for text in texts), "* server is shutting down")
    slow.expect_end()
    assert chat.server.exits(within=STOP_TIME) == 0


@own
@posix_only
def test_a_stop_while_people_come_and_go_shows_no_traceback(start):
    chat = start(command=jittery(program(4, "server")))
    over = threading.Event()

    def come_and_go(number: int) -> None:
        while not over.is_set():
            try:
                peer = socket.create_connection(("127.0.0.1", chat.port), timeout=5)
                peer.sendall(Frames.encode(f"guest{number}") + Frames.encode("hello"))
                peer.close()
            except OSError:  # it has stopped
                return

    ann = chat.join("ann")
    stalled = chat.connect("stalled", reads=False)
    stalled.say("stalled")
    ann.expect("* stalled joined")
    guests = threading.Thread(target=in_threads, args=(4, come_and_go))
    guests.start()
    ann.floods(*(f"{number:01000}" for number in range(3_000)))
    ann.skip_to("* guest0 joined")
    chat.server.interrupt()
    status = chat.server.exits(within=STOP_TIME)
    over.set()
    guests.join()
    assert status == 0
    assert "Traceback" not in chat.server.stderr()


# Rest


@contract("limits", "молчащие участники не нагружают процессор")
def test_silent_users_cost_no_cpu(chat):
    for number in range(220):
        chat.connect(f"silent{number}").say(f"silent{number}")
    chat.people[0].skip_to("* silent219 joined")
    threading.Event().wait(0.2)
    before = processor_time(chat.server.process.pid)
    threading.Event().wait(1)  # the time that is measured
    assert processor_time(chat.server.process.pid) - before < 0.1


@own
def test_who_was_behind_costs_no_cpu_after_catching_up(chat):
    ann = chat.join("ann")
    slow = chat.connect("slow", reads=False)
    slow.say("slow")
    ann.expect("* slow joined")
    ann.floods(*(f"{number:01000}" for number in range(900)), "the end")
    assert not ann.is_held_up()
    slow.start_reading()
    slow.skip_to("ann: the end")
    expect_idle(chat, most=0.05)


@pytest.mark.ci
@own
def test_a_moment_of_the_soak():
    soak = Path(__file__).parent / "soak.py"
    done = subprocess.run(
        [sys.executable, str(soak), "--seconds", "3", "--users", "40", "--seed", "7"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing lost" in done.stdout
