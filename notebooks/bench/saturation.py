"""A mode of the load generator: as many messages as the server takes."""

import math
import selectors
import time

import numpy as np

from bench.dialects import MARK, Raw, messages
from bench.processors import Meter
from bench.settings import Settings
from bench.users import BUFFER, Gathering, LoadError, SimulatedUser, count_newlines, send

BLOCK = 512  # messages that a sender hands over at once


class Talker:
    """A sender of mode "saturation": always has the next messages at hand."""

    def __init__(self, user: SimulatedUser, dialect: Raw) -> None:
        self.user = user
        self.dialect = dialect
        self.size = len(dialect.message(dialect.payload(0)))
        self.prepared = 0  # messages
        self.sent = 0  # bytes
        self.waiting = memoryview(b"")
        self.silent = False  # True: sends no more than what waits

    def talk(self) -> None:
        """Send as much as the socket takes of the next block."""
        if not self.waiting and not self.silent:
            self.waiting = memoryview(self.more())
        size = send(self.user, self.waiting)
        self.waiting = self.waiting[size:]
        self.sent += size

    def more(self) -> bytes:
        """Return the next block."""
        block = messages(self.dialect, self.prepared, BLOCK)
        self.prepared += BLOCK
        return block

    def fall_silent(self) -> None:
        """Keep no more than the rest of the message that is on its way."""
        self.waiting = self.waiting[: -self.sent % self.size]
        self.silent = True

    def whole(self) -> int:
        """Return how many messages were sent to their last byte."""
        return self.sent // self.size


class SaturationRun:
    """Senders send what the server takes; recipients count bytes, and look at samples."""

    def __init__(self, gathering: Gathering, talkers: list[Talker]) -> None:
        users, self.dialect = gathering.users, gathering.dialect
        self.selector, self.users = gathering.selector, users
        self.talkers = {talker.user: talker for talker in talkers}
        self.by_nick = {user.nick.encode(): talker for user, talker in self.talkers.items()}
        self.size = len(self.dialect.delivered(users[0].nick, self.dialect.payload(0)))
        self.buffer = bytearray(BUFFER)
        self.array = np.frombuffer(self.buffer, dtype=np.uint8)  # the same bytes
        self.received = [0] * len(users)  # bytes
        self.newlines = 0
        self.last_seen: dict[tuple[int, bytes], int] = {}
        self.samples = 0
        for user in self.talkers:
            self.watch(user, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def watch(self, user: SimulatedUser, events: int) -> None:
        """Say which events of a user are of interest."""
        self.selector.modify(user.connection, events, user)

    def deliveries(self) -> float:
        """Return how many messages have arrived."""
        return self.newlines if self.dialect.glued else sum(self.received) / self.size

    def pump(self, timeout: float) -> None:
        """Receive and send once, wherever that is possible."""
        for key, events in self.selector.select(timeout):
            user = key.data
            if events & selectors.EVENT_READ:
                self.receive(user)
            if events & selectors.EVENT_WRITE:
                talker = self.talkers[user]
                talker.talk()
                if not talker.waiting and talker.silent:
                    self.watch(user, selectors.EVENT_READ)

    def receive(self, user: SimulatedUser) -> None:
        """Count what has come for one user."""
        size = user.receive(self.buffer)
        self.received[user.index] += size
        if self.dialect.whole:
            self.look_at_last(user, size)
        elif self.dialect.glued:
            self.newlines += count_newlines(self.array[:size])

    def look_at_last(self, user: SimulatedUser, size: int) -> None:
        """Check the last whole message: its place, its author, its number; LoadError if not."""
        end = size - self.received[user.index] % self.size
        if end < self.size:
            return
        message = bytes(self.buffer[end - self.size : end])
        start = message.find(MARK)
        try:
            number = int(message[start + 1 : start + 13])
            nick = next(nick for nick in self.by_nick if nick in message[:start])
            expected = self.dialect.delivered(nick.decode(), self.dialect.payload(number))
        except (ValueError, StopIteration):
            raise LoadError(f"{user.nick} got bytes that nobody sent") from None
        in_order = self.last_seen.get((user.index, nick), -1) <= number
        if message != expected or not in_order or number >= self.by_nick[nick].prepared:
            raise LoadError(f"{user.nick} got a message that was not sent, or in the wrong order")
        self.last_seen[user.index, nick] = number
        self.samples += 1

    def run(self, seconds: float) -> None:
        """Send and receive for a time."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.pump(0.1)

    def expected(self) -> int:
        """Return how many deliveries the messages sent so far make."""
        return sum(talker.whole() for talker in self.talkers.values()) * (len(self.users) - 1)

    def fall_silent(self, seconds: float) -> None:
        """End the messages that were begun and wait for what is under way."""
        for talker in self.talkers.values():
            talker.fall_silent()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end and self.deliveries() < self.expected():
            self.pump(0.1)


def run_saturation(gathering: Gathering, settings: Settings) -> dict:
    """As fast as the server takes it: deliveries per second, counted where they arrive."""
    speakers = gathering.users[: settings.senders]
    run = SaturationRun(gathering, [Talker(user, gathering.dialect) for user in speakers])
    run.run(settings.warm_up)
    meter, start, before = Meter(settings.pid), time.perf_counter(), run.deliveries()
    run.run(settings.seconds)
    elapsed, counted = time.perf_counter() - start, run.deliveries() - before
    busy = meter.percent()
    run.fall_silent(settings.drain)
    received, expected = run.deliveries(), run.expected()
    if received > expected:
        raise LoadError(f"{received:.0f} deliveries of {expected} messages")
    speed = counted / elapsed
    if "server_cpu_percent" in busy:
        busy["us_per_delivery"] = 1e4 * busy["server_cpu_percent"] / speed if speed else math.inf
    return {
        "deliveries_per_s": speed,
        "received": int(received),
        "expected": expected,
        "all_arrived": received == expected,  # False: some were still under way
        "samples_checked": run.samples,
        **busy,
    }
