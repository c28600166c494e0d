"""Step 4 under load and abuse: whatever a peer does, the others do not notice."""

import itertools
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from misbehaviour import KINDS, misbehave
from properties import PROPERTIES
from tools.harness import Chat, Frames, Peer, prepared, program, wait_until

STEP = 4
MEGABYTE = 2**20
QUESTION = "* enter your nickname"
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX limits and signals")


def test_the_registry_of_properties_holds_on_the_way_for_systems_without_msg_dontwait(start):
    """On Windows a socket cannot be told to send without waiting: all goes through writers."""
    command = prepared(program(4, "server"), "vars(socket).pop('MSG_DONTWAIT', None)")
    for prop in PROPERTIES:
        prop.check(start(command=command))


# Readers who stop


def flood_with_stalled_readers(chat: Chat, count: int) -> tuple[float, float]:
    """Let 60 MB pass; return how long the readers waited for it, and MB by which memory grew."""
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    for number in range(count):
        stalled = chat.connect(f"stalled{number}", reads=False)
        stalled.say(stalled.name)
        for other in (ann, bob, carl):
            other.expect(f"* stalled{number} joined")
    memory = Memory(chat)
    started = time.monotonic()
    texts = [*(f"{number:01000}" for number in range(60_000)), "the end"]
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
    log = chat.server.stderr()
    assert log.count("left: does not read") == count
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
            self.peak = max(self.peak, self.process.memory_info().rss)
            if reader.ended or time.monotonic() > end:
                self.story.fail(reader.name, f"{size} bytes", reader.ended or "too slow")

    def grown(self) -> float:
        """Return by how many MB the memory has grown at most."""
        return (self.peak - self.before) / MEGABYTE


@pytest.mark.parametrize("count", [1, 50])
def test_readers_who_stop_delay_nobody_and_cost_little_memory(start, count):
    undisturbed, _ = flood_with_stalled_readers(start(), 0)
    disturbed, grown = flood_with_stalled_readers(start(), count)
    assert grown < 40, f"memory grew by {grown:.0f} MB"
    # A ratio, and generous, for the machine may be busy; a chat that waits for them stands still.
    assert disturbed < 3 * undisturbed + 1, f"{disturbed:.1f} s instead of {undisturbed:.1f} s"


def test_talkers_who_are_faster_than_the_room_cost_little_memory(chat):
    ann, *talkers = [chat.join(name) for name in ("ann", "bob", "carl", "dora", "emil")]
    stalled = chat.connect("stalled", reads=False)  # makes the room slow until it is cut off
    stalled.say("stalled")
    ann.expect("* stalled joined")
    memory = Memory(chat)
    texts = [f"{number:01000}" for number in range(8_000)]
    for talker in talkers:
        talker.floods(*texts)
    memory.watch_until_received(ann, 4 * len(texts) * len(Frames.encode(f"bob: {texts[0]}")))
    assert memory.grown() < 15, f"memory grew by {memory.grown():.0f} MB"


def test_who_leaves_while_the_room_is_busy_gets_everything_until_the_farewell(chat):
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


def test_a_reader_who_pauses_and_then_reads_on_gets_everything(chat):
    ann = chat.join("ann")
    slow = chat.connect("slow", reads=False)
    slow.say("slow")
    ann.expect("* slow joined")
    texts = [f"{number:01000}" for number in range(1500)]
    ann.floods(*texts)
    assert not ann.is_held_up()
    slow.start_reading()
    slow.expect(QUESTION, "* welcome, slow", "* online: ann, slow")
    slow.expect(*(f"ann: {text}" for text in texts))


def test_a_reader_who_is_slow_but_reads_gets_everything(chat):
    ann = chat.join("ann")
    slow = chat.connect("slow", reads=False)
    slow.say("slow")
    ann.expect("* slow joined")
    ann.floods(*(f"{number:01000}" for number in range(6_000)), "/quit")
    read_slowly(slow.connection, 1.2e6, b"* ann left")
    assert "slow left" not in chat.server.stderr()
    ann.expect("* bye")


def test_who_asks_much_and_reads_slowly_delays_nobody(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    asker = chat.connect("asker", reads=False)
    asker.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    asker.say("asker")
    for other in (ann, bob):
        other.expect("* asker joined")
    asker.floods(*["/" + "x" * 999] * 50_000)  # answers are as long
    threading.Thread(target=read_slowly, args=(asker.connection,), daemon=True).start()
    longest, begun = 0.0, time.monotonic()
    while (started := time.monotonic()) < begun + 4:
        ann.say("still there?")
        bob.skip_to("ann: still there?")
        longest = max(longest, time.monotonic() - started)
    assert longest < 1, f"{longest:.1f} s"
    assert "asker left" not in chat.server.stderr(), "who reads, if slowly, is not cut off"


def test_who_asks_much_and_reads_gets_every_answer(start):
    chat = start("--max-pending", "65536")
    ann, asker = chat.join("ann"), chat.join("asker")
    asker.floods(*["/who"] * 20_000, "the end")
    asker.expect(*["* online: ann, asker"] * 20_000)
    ann.expect("asker: the end")


def read_slowly(connection: socket.socket, rate: float = 3e6, end: bytes = b"the end") -> None:
    """Read so many bytes in a second, until the end of the stream or the bytes `end`."""
    pause = threading.Event()
    started, received, last = time.monotonic(), 0, b""
    try:
        while end not in last and (data := connection.recv(16_384)):
            last = last[-len(end) :] + data
            received += len(data)
            pause.wait(max(started + received / rate - time.monotonic(), 0))
    except OSError:  # the server or the test has closed it
        pass


# Many at once


def test_twelve_who_talk_at_once_all_get_everything_once_and_in_one_order(chat):
    people = [chat.join(f"user{number}") for number in range(12)]
    for person in people:
        person.floods(*(f"{number}" for number in range(150)))
    heard = {}
    for person in people:
        heard[person] = [person.get() for _ in range(11 * 150)]
        for other in people:
            said = [line for line in heard[person] if line.startswith(f"{other.name}:")]
            own = other is person
            assert said == [] if own else said == [f"{other.name}: {n}" for n in range(150)]
    for one, two in itertools.pairwise(people):
        own = (f"{one.name}:", f"{two.name}:")
        orders = [[line for line in heard[p] if not line.startswith(own)] for p in (one, two)]
        assert orders[0] == orders[1]


def test_of_those_who_ask_for_one_nickname_in_the_same_moment_one_gets_it(chat):
    for number in range(10):
        people = [chat.connect(f"person{number}.{i}") for i in range(6)]
        for person in people:
            person.expect(QUESTION)
        barrier = threading.Barrier(len(people))

        def ask(person, nick=f"nick{number}", barrier=barrier) -> None:
            barrier.wait()
            person.say(nick)

        threads = [threading.Thread(target=ask, args=(person,)) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answers = [person.expect_server_line() for person in people]
        assert sorted(answers)[:-1] == ["* this nickname is taken"] * 5
        assert answers.count(f"* welcome, nick{number}") == 1


# What a peer may do


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
            assert re.fullmatch(r"\* (reset|one) (joined|left)|reset: one", line)
    wait_until(
        lambda: process.num_threads() <= threads and descriptors_of(process) <= descriptors,
        "no thread and no descriptor stays behind",
        chat.story,
    )
    assert "Traceback" not in chat.server.stderr()


def descriptors_of(process: psutil.Process) -> int:
    return process.num_fds() if os.name == "posix" else process.num_handles()


def test_ten_thousand_who_connect_and_close_leave_nothing_behind(chat):
    chat.story.deadline *= 4  # thousands of threads at once, on a machine that may be busy
    process = psutil.Process(chat.server.process.pid)
    ann, bob = chat.join("ann"), chat.join("bob")
    threads, descriptors = process.num_threads(), descriptors_of(process)
    for number in range(10_000):
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


def test_a_refused_length_costs_no_memory(chat):
    process = psutil.Process(chat.server.process.pid)
    chat.join("ann")
    before = process.memory_info().rss
    for _ in range(20):
        misbehave(chat, "4 GB", random.Random(1))
    assert process.memory_info().rss - before < 20 * MEGABYTE


# When the system has no more


@posix_only
def test_out_of_file_descriptors_those_inside_go_on_and_newcomers_come_in_later(start):
    import resource

    limit = (40, 40)
    chat = start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))
    process = psutil.Process(chat.server.process.pid)
    ann, bob = chat.join("ann"), chat.join("bob")
    crowd = [chat.connect(f"silent{number}") for number in range(60)]
    wait_until(lambda: "cannot accept" in chat.server.stderr(), "no descriptor left", chat.story)
    before = sum(process.cpu_times()[:2])
    threading.Event().wait(1)  # the time that is measured
    assert sum(process.cpu_times()[:2]) - before < 0.25
    ann.say("hello")
    bob.expect("ann: hello")
    for silent in crowd:
        silent.close()
    chat.people = [ann, bob]
    chat.join("carl")


def test_out_of_threads_one_connection_is_refused_with_a_line_and_nothing_else(start):
    prelude = (  # after the room, the log and three users, two threads do not start
        "from itertools import chain, repeat;"
        "fails = chain([False] * 5, [True] * 2, repeat(False));"
        "start = threading.Thread.start; threading.Thread.start = lambda thread:"
        " (_ for _ in ()).throw(RuntimeError('can\\'t start new thread')) if next(fails)"
        " else start(thread)"
    )
    chat = start("--max-clients", "4", command=prepared(program(4, "server"), prelude))
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    for _ in range(2):
        refused = chat.connect("refused")
        assert "threads" in refused.expect_server_line()
        refused.expect_end()
    ann.say("hello")
    bob.expect("ann: hello")
    carl.expect("ann: hello")
    chat.join("dora")  # the place of those who were refused is free


def test_without_a_thread_for_a_writer_only_the_slow_user_is_disconnected(start):
    prelude = (
        "start = threading.Thread.start; threading.Thread.start = lambda thread:"
        " start(thread) if 'write)' not in thread.name else"
        " (_ for _ in ()).throw(RuntimeError('can\\'t start new thread'))"
    )
    chat = start(command=prepared(program(4, "server"), prelude))
    ann = chat.join("ann")
    stalled = chat.connect("stalled", reads=False)
    stalled.say("stalled")
    ann.expect("* stalled joined")
    ann.floods(*(f"{number:01000}" for number in range(20_000)))
    ann.expect("* stalled left")
    wait_until(lambda: "no thread" in chat.server.stderr(), "the reason in the log", chat.story)


# The stop


@posix_only
def test_a_stop_in_a_storm_delivers_what_was_accepted_and_ends_in_time(chat):
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
    assert chat.server.exits(within=2) == 0
    assert "Traceback" not in chat.server.stderr()
    heard = []
    for reader in readers:
        heard.append(reader.skip_to("* server is shutting down"))
        reader.expect_end()
        for talker in talkers:
            said = [line for line in heard[-1] if line.startswith(f"{talker.name}: ")]
            assert said == [f"{talker.name}: {n:0500}" for n in range(len(said))], "no gap"
    assert heard[0] == heard[1]


@posix_only
def test_a_stop_is_in_time_also_when_the_room_has_much_to_do(chat):
    talkers = [chat.connect(name, reads=False) for name in ("ann", "bob", "carl")]
    for talker in talkers:
        talker.say(talker.name)
        talker.floods(*["x" * 60_000] * 200)
        reading = (talker.connection, 1e6)  # so the room has to wait for each
        threading.Thread(target=read_slowly, args=reading, daemon=True).start()
    flooded = 10 * MEGABYTE  # the system holds up to 3 MB of each, the rest waits in the room
    wait_until(lambda: sum(t.flooded for t in talkers) > flooded, "10 MB", chat.story)
    chat.server.interrupt(signal.SIGTERM)
    assert chat.server.exits(within=2) == 0
    assert "Traceback" not in chat.server.stderr()
    assert "left: the server stops" in chat.server.stderr()


# Rest


def test_silent_users_cost_no_cpu(chat):
    # More than 200: from there on the thread of the room tells all that happens.
    process = psutil.Process(chat.server.process.pid)
    for number in range(220):
        chat.connect(f"silent{number}").say(f"silent{number}")
    chat.people[0].skip_to("* silent219 joined")
    before = sum(process.cpu_times()[:2])
    threading.Event().wait(1)  # the time that is measured
    assert sum(process.cpu_times()[:2]) - before < 0.1


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
