"""Modes of the load generator: an honest pair talks, while others do their worst beside it.

The others are processes of their own, so that the pair's clock does not wait for them.
"""

import contextlib
import itertools
import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator

import numpy as np

from bench.dialects import DIALECTS, MARK, Raw
from bench.rate import RateRun, measured
from bench.saturation import SaturationRun, Talker
from bench.settings import Settings
from bench.users import Gathering, LoadError, SimulatedUser

POLITE = 10  # the pair shares a processor with the attackers, and shall not wait for them
LONGER = 30  # seconds until an attacker ends by itself, if nobody ends it before
NOISE = 64_000_000  # bytes of the others that each of the pair may get
ONE_BYTE = b"x"  # a text of the flood
LINE = b"x" * 100  # a text of the paste
BLOCK = 1000  # texts that are handed over at once
SMALL = 65_536  # bytes of an attacker that the system may keep: the rest is with the server


class PairRun(RateRun):
    """A fixed rate: the first of two users talks, the second one listens; others make noise."""

    def __post_init__(self) -> None:
        self.searched = 0  # bytes of the listener's stream
        super().__post_init__()

    def room(self) -> int:
        """Return how many bytes may come for a user."""
        return super().room() + NOISE

    def expected(self) -> int:
        """Return how many messages the listener gets, noise aside."""
        return self.total

    def receive(self, user: SimulatedUser) -> int:
        """Read what has come for one user; return how many of the pair's messages are whole now."""
        super().receive(user)
        if user is not self.gathering.users[1]:
            return 0
        start = self.searched
        self.searched = max(self.filled[user.index] - self.gathering.dialect.size + 1, start)
        return int(np.count_nonzero(self.stream(user)[start : self.searched] == ord(MARK)))


class Babbler(Talker):
    """A talker who says one text over and over, or `blocks` times BLOCK of them."""

    def __init__(
        self, user: SimulatedUser, dialect: Raw, text: bytes, blocks: int | None = None
    ) -> None:
        super().__init__(user, dialect)
        message = dialect.message(text)
        self.size = len(message)
        self.block = message * BLOCK
        self.blocks = blocks

    def more(self) -> bytes:
        """Return the next messages; fall silent with the last ones."""
        self.prepared += BLOCK
        self.silent = self.blocks is not None and self.prepared >= self.blocks * BLOCK
        return self.block


class Babble(SaturationRun):
    """Talkers who babble; they read what comes and do not look at it."""

    def receive(self, user: SimulatedUser) -> None:
        """Read what has come for one user."""
        user.receive(self.buffer)

    def last(self, done) -> None:
        """Babble for some time, and tell in `done` how many messages were sent."""
        end = time.monotonic() + LONGER
        while time.monotonic() < end:
            self.pump(0.1)
            done.value = sum(talker.whole() for talker in self.talkers.values())


def arrive(settings: Settings, count: int, letter: str) -> Gathering:
    """Return `count` users of the attackers who have joined."""
    address = settings.host, settings.port
    gathering = Gathering(address, DIALECTS[settings.dialect], settings.joining, letter)
    gathering.join(count)
    return gathering


def flood(settings: Settings, number: int, done) -> None:
    """Be many users who send messages of one byte as fast as the server takes them."""
    gathering = arrive(settings, settings.attackers, "f")
    for user in gathering.users:
        user.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    talkers = [Babbler(user, gathering.dialect, ONE_BYTE) for user in gathering.users]
    Babble(gathering, talkers).last(done)


def paste(settings: Settings, number: int, done) -> None:
    """Be one user who sends much at once; the others do not read it."""
    gathering = arrive(settings, settings.attackers + 1, "p")
    author, *idlers = gathering.users
    for idler in idlers:
        idler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        gathering.selector.unregister(idler.connection)
    blocks = round(settings.pasted / (BLOCK * len(LINE)))
    Babble(gathering, [Babbler(author, gathering.dialect, LINE, blocks)]).last(done)


def storm(settings: Settings, number: int, done) -> None:
    """Connect, say one word and vanish, again and again."""
    dialect = DIALECTS[settings.dialect]
    end = time.monotonic() + LONGER
    for turn in itertools.count():
        if time.monotonic() > end:
            return
        try:
            with socket.create_connection((settings.host, settings.port), 5) as connection:
                hello = dialect.hello(f"s{number}.{turn}")
                connection.sendall(hello + dialect.message(b"shout"))
            done.value += 1
        except OSError:  # refused, or reset while it spoke: that is what it asked for
            pass


DEEDS: dict[str, Callable] = {"storm": storm, "flood": flood, "paste": paste}


def attack(settings: Settings, number: int, done) -> None:
    """Attack in this process until it is ended; the server may have had enough before."""
    if hasattr(os, "nice"):
        os.nice(POLITE)
    with contextlib.suppress(LoadError, KeyboardInterrupt):
        DEEDS[settings.mode](settings, number, done)


@contextlib.contextmanager
def attackers(settings: Settings) -> Iterator[list]:
    """Start the attackers; yield for each of them a number that grows with what it has done."""
    context = multiprocessing.get_context("spawn")
    programs = settings.attackers if settings.mode == "storm" else 1
    counts = [context.Value("q", 0) for _ in range(programs)]
    processes = [
        context.Process(target=attack, args=(settings, number, done), daemon=True)
        for number, done in enumerate(counts)
    ]
    for process in processes:
        process.start()
    try:
        yield counts
    finally:
        for process in processes:
            process.terminate()
            process.join()


def run_pair(gathering: Gathering, settings: Settings) -> dict:
    """An honest pair amid attackers: the latencies of its messages, from when they were due."""
    run = PairRun(gathering, settings)
    with attackers(settings) as counts:
        deadline = time.monotonic() + settings.joining
        while not all(done.value for done in counts):
            if time.monotonic() > deadline:
                raise LoadError(f"the {settings.mode} did not begin in time")
            gathering.pump(0.01)
        return measured(run) | {"attacks": sum(done.value for done in counts)}
