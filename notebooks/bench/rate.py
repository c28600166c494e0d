"""Modes of the load generator: a fixed rate, and the same while one user stops reading."""

import select
import time
from dataclasses import dataclass, field

import numpy as np

from bench.dialects import find_messages
from bench.processors import Meter
from bench.settings import Settings
from bench.stats import percentile, summary
from bench.users import BUFFER, Gathering, LoadError, SimulatedUser, count_newlines, send

SPIN = 50_000  # nanoseconds: shorter waits are spent awake
NAP = 10_000_000  # nanoseconds between two looks at the clock when all is sent


@dataclass
class RateRun:
    """Messages at a fixed rate. Each is due at a time that does not depend on the server."""

    gathering: Gathering
    settings: Settings
    late: list[int] = field(default_factory=list)  # nanoseconds from due to handed over
    sent: int = 0
    stamps: list[tuple[int, int, int]] = field(default_factory=list)  # time, user, bytes

    def __post_init__(self) -> None:
        users, dialect = self.gathering.users, self.gathering.dialect
        self.total = max(round(self.settings.rate * self.settings.seconds), 1)
        step = 1e9 / self.settings.rate
        self.due = (np.arange(self.total) * step).astype(np.int64).tolist()
        self.wire = [dialect.message(dialect.payload(number)) for number in range(self.total)]
        self.blocked: dict[SimulatedUser, bytearray] = {}  # what sockets of senders did not take
        # Everything is kept and looked at when the run is over: while it lasts, there is no time.
        # Written once before, so that no page is missing later.
        self.inboxes = [np.ones(self.room(), dtype=np.uint8) for _ in users]
        self.views = [memoryview(inbox).cast("B") for inbox in self.inboxes]
        self.filled = [0] * len(users)

    def room(self) -> int:
        """Return how many bytes may come for a user."""
        nick, dialect = self.gathering.users[0].nick, self.gathering.dialect
        return len(dialect.delivered(nick, dialect.payload(0))) * self.total + BUFFER

    def run(self) -> None:
        """Send all messages when they are due and read until all have come or time is up."""
        clock = time.perf_counter_ns
        self.start = clock()
        self.due = [self.start + due for due in self.due]
        give_up = self.due[-1] + int(self.settings.drain * 1e9)
        missing = self.expected()
        while missing > 0 and (now := clock()) < give_up:
            self.send_due(now)
            if self.blocked:
                self.send_blocked()
            for key, _ in self.wait(clock()):
                missing -= self.receive(key.data)
                # A hundred users are read one after another; who is due meanwhile does not wait.
                if self.sent < self.total and self.due[self.sent] <= self.stamps[-1][0]:
                    self.send_due(self.stamps[-1][0])
        self.end = clock()

    def expected(self) -> int:
        """Return how much all recipients together get: bytes, or messages that may be glued."""
        nick, dialect = self.gathering.users[0].nick, self.gathering.dialect
        size = 1 if dialect.glued else len(dialect.delivered(nick, dialect.payload(0)))
        return size * self.total * (len(self.gathering.users) - 1)

    def wait(self, now: int) -> list:
        """Return who has something to read; sleep until then, or until something is to be sent."""
        selector = self.gathering.selector
        gap = self.due[self.sent] - now if self.sent < self.total else NAP
        if gap > SPIN and not self.blocked and hasattr(selector, "fileno"):  # not on Windows
            # A selector sleeps whole milliseconds, `select` on the selector itself microseconds.
            select.select([selector.fileno()], [], [], gap / 1e9)
        return selector.select(0)

    def send_due(self, now: int) -> None:
        """Send what is due, each message by the next sender."""
        while self.sent < self.total and self.due[self.sent] <= now:
            sender = self.gathering.users[self.sent % self.settings.senders]
            data = self.wire[self.sent]
            if sender in self.blocked:
                self.blocked[sender] += data
            elif (size := send(sender, data)) < len(data):
                self.blocked[sender] = bytearray(data[size:])
            self.late.append(now - self.due[self.sent])
            self.sent += 1

    def send_blocked(self) -> None:
        """Try again to send what a server did not take."""
        for sender, waiting in list(self.blocked.items()):
            del waiting[: send(sender, waiting)]
            if not waiting:
                del self.blocked[sender]

    def receive(self, user: SimulatedUser) -> int:
        """Read what has come for one user, note when, return how much, as `expected` has it."""
        index, position = user.index, self.filled[user.index]
        size = user.receive(self.views[index][position : position + BUFFER])
        self.stamps.append((time.perf_counter_ns(), index, size))
        self.filled[index] = position + size
        if self.gathering.dialect.glued:
            return count_newlines(self.inboxes[index][position : position + size])
        return size

    def stream(self, user: SimulatedUser) -> np.ndarray:
        """Return all bytes that a user has got."""
        return self.inboxes[user.index][: self.filled[user.index]]

    def arrivals(self, user: SimulatedUser, stamps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the messages that a user has got, and when each was whole."""
        numbers, ends = find_messages(self.stream(user), self.gathering.dialect)
        if len(np.unique(numbers)) != len(numbers) or (numbers >= self.total).any():
            raise LoadError(f"{user.nick} got a message twice, or one that nobody sent")
        return numbers, when_read(user, ends, stamps)

    def milliseconds(self) -> tuple[np.ndarray, int]:
        """Return the latency of every delivery that counts, and how many did not come.

        What did not come has waited at least until the end of the run: it counts with that.
        """
        users, due = self.gathering.users, np.array(self.due)
        latencies = np.full((len(users), self.total), -1, dtype=np.int64)
        stamps = np.array(self.stamps, dtype=np.int64).reshape(-1, 3)
        for user in users:
            numbers, came = self.arrivals(user, stamps)
            latencies[user.index, numbers] = came - due[numbers]
        author = np.arange(self.total) % self.settings.senders
        if (latencies[author, np.arange(self.total)] >= 0).any():
            raise LoadError("a sender got its own message back")
        first = min(round(self.settings.rate * self.settings.uncounted), self.total - 1)
        counts = np.arange(self.total) >= first
        owed = (np.arange(len(users))[:, None] != author) & counts
        lost = owed & (latencies < 0)
        waited = np.broadcast_to(self.end - due, latencies.shape)
        return np.where(lost, waited, latencies)[owed] / 1e6, int(lost.sum())


def when_read(user: SimulatedUser, positions: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """Return when the bytes at these positions of a user's stream were read."""
    times, _, sizes = stamps[stamps[:, 1] == user.index].T
    return times[np.searchsorted(np.cumsum(sizes), positions, side="right")]


def run_rate(gathering: Gathering, settings: Settings) -> dict:
    """A fixed rate; latency counts from when each message was due, whatever delayed it."""
    return measured(RateRun(gathering, settings))


def measured(run: RateRun) -> dict:
    """Return what came of a run at a fixed rate, which this runs."""
    settings = run.settings
    meter = Meter(settings.pid)
    run.run()
    busy = meter.percent()
    milliseconds, lost = run.milliseconds()
    settings.save(milliseconds.astype(np.float32))
    return {
        **summary(milliseconds),
        "max_ms": float(milliseconds.max()),
        "expected": len(milliseconds),
        "received": len(milliseconds) - lost,
        "lost": lost,
        "sent_late_p99_ms": percentile(np.array(run.late), 99) / 1e6,
        "seconds": (run.end - run.start) / 1e9,
        **pieces(run),
        **busy,
    }


def pieces(run: RateRun) -> dict:
    """Return how many pieces a server without frames has sent: each begins with its author."""
    if not run.gathering.dialect.glued:
        return {}
    streams = (run.stream(user).tobytes() for user in run.gathering.users)
    return {"pieces": sum(stream.count(b": ") for stream in streams)}


class StallRun(RateRun):
    """A fixed rate, while the last user stops reading; the one before only listens."""

    def __post_init__(self) -> None:
        self.settings.senders = len(self.gathering.users) - 2
        *_, self.witness, self.stalled = self.gathering.users
        self.stalled_at = 0  # not yet
        super().__post_init__()

    def expected(self) -> int:
        """Return how much all get but the one who stops."""
        users = len(self.gathering.users) - 1
        return super().expected() // users * (users - 1)

    def send_due(self, now: int) -> None:
        """Send what is due; stop reading when it is time to."""
        if not self.stalled_at and now - self.start > self.settings.stall_at * 1e9:
            self.gathering.selector.unregister(self.stalled.connection)
            self.stalled_at = now
        super().send_due(now)

    def receive(self, user: SimulatedUser) -> int:
        """Read what has come for one user; nothing is expected of the one who stops."""
        size = super().receive(user)
        return 0 if user is self.stalled else size

    def healthy(self, stamps: np.ndarray) -> int:
        """Return how many deliveries came, of those to all but the one who stops."""
        users = self.gathering.users[:-1]
        return sum(len(self.arrivals(user, stamps)[0]) for user in users)

    def cut_off_at(self, stamps: np.ndarray) -> int | None:
        """Return when the witness read that the one who stopped has left, if it ever did."""
        found = self.stream(self.witness).tobytes().find(f"* {self.stalled.nick} left".encode())
        if found < 0:
            return None
        return int(when_read(self.witness, np.array([found]), stamps)[0])


def run_stall(gathering: Gathering, settings: Settings) -> dict:
    """One user stops reading: what the others get, with the time line of one who only listens."""
    run = StallRun(gathering, settings)
    run.run()
    stamps = np.array(run.stamps, dtype=np.int64).reshape(-1, 3)
    timeline = np.full((run.total, 2), -1, dtype=np.int64)
    timeline[:, 0] = (np.array(run.due) - run.start) // 1000
    numbers, came = run.arrivals(run.witness, stamps)
    timeline[numbers, 1] = (came - run.start) // 1000
    settings.save(timeline)
    cut_off = run.cut_off_at(stamps)
    after = np.array(run.due) > run.stalled_at
    size = len(gathering.dialect.delivered(run.stalled.nick, gathering.dialect.payload(0)))
    return {
        "expected": run.total * (len(gathering.users) - 2),
        "received": run.healthy(stamps),
        "stalled_at_ms": (run.stalled_at - run.start) / 1e6,
        "cut_off_ms": None if cut_off is None else (cut_off - run.start) / 1e6,
        "end_ms": (run.end - run.start) / 1e6,
        "bytes_for_stalled": int(after.sum()) * size,
    }
