"""The load generator: simulated users in one thread, in a process apart from the server's.

Run in `notebooks/`:  echo '{"mode": "single", "port": 8080, "users": 10}' | python -m bench.load
It reads its settings as JSON, prints its results as JSON, and saves the latencies as an array
where "samples" names a file. One clock (`time.perf_counter_ns`) stamps both ends of a delivery.
"""

import gc
import json
import select
import selectors
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import psutil

from bench.dialects import DIALECTS, DIGITS, MARK, PAYLOAD, Raw, find_messages, messages
from bench.stats import percentile, summary
from bench.users import BUFFER, Gathering, LoadError, User, gather

WARM_UP = 10  # messages of mode "single" that do not count, at least
EVERYBODY = 200  # users, up to whom each speaks once before mode "single" counts
BLOCK = 512  # messages that a sender of mode "saturation" hands over at once
SHORT = 0.3  # seconds: in less, the system's hundredths say nothing about processes
SPIN = 50_000  # nanoseconds: shorter waits are spent awake
NAP = 10_000_000  # nanoseconds between two looks at the clock when all is sent


@dataclass
class Settings:
    """What to do. Times in seconds."""

    mode: str
    port: int
    host: str = "127.0.0.1"
    dialect: str = "frames"
    users: int = 100
    senders: int = 10  # of the users; in mode "single" see `turns`
    messages: int = 200  # in mode "single"
    payload: int = PAYLOAD  # bytes of a message, without its header
    turns: bool = True  # in mode "single": all take turns; otherwise the first user speaks alone
    stamps: bool = False  # in modes "single" and "rate": tell when messages left, on the clock
    rate: float = 3000.0  # messages per second of all senders together, in mode "rate"
    seconds: float = 2.0  # for which load is offered, or silence is watched
    uncounted: float = 0.0  # at the beginning of mode "rate": messages due then do not count
    warm_up: float = 0.5  # before the counting in mode "saturation"
    drain: float = 2.0  # for which deliveries are awaited after the last message
    stall_at: float = 1.0  # when the last user stops reading, in mode "stall"
    joining: float = 60.0  # for all users to join
    pid: int | None = None  # of the server, to see its memory and its use of the processor
    samples: str | None = None  # file for the latencies in milliseconds, float32, `.npy`; in
    # mode "stall" for the rows (due, arrived) of one healthy user, microseconds, int64

    def check(self) -> None:
        """Raise ValueError where a setting makes no sense."""
        if self.mode not in MODES:
            raise ValueError(f"no such mode: {self.mode}")
        if self.dialect not in DIALECTS:
            raise ValueError(f"no such dialect: {self.dialect}")
        if not 2 <= self.users <= 8000:  # the names of more do not fit into one frame
            raise ValueError("users must be from 2 to 8000")
        if not 1 <= self.senders <= self.users:
            raise ValueError("senders must be from 1 to the number of users")
        if self.payload < DIGITS + 2:  # the mark before the digits, the end behind them
            raise ValueError(f"a payload has at least {DIGITS + 2} bytes")
        if self.mode == "stall" and self.users < 3:
            raise ValueError("mode stall needs a sender, a healthy reader and one who stops")
        waits = (self.drain, self.warm_up, self.uncounted)
        if min(self.messages, self.rate, self.seconds) <= 0 or min(waits) < 0:
            raise ValueError("numbers and times must be positive")
        if self.pid is None and self.mode in ("crowd", "idle"):
            raise ValueError(f"mode {self.mode} needs the pid of the server")


class Meter:
    """The processor time of the server, of this process and of all others, as shares of a core."""

    def __init__(self, pid: int | None) -> None:
        self.server = psutil.Process(pid) if pid else None
        self.start = self.read()

    def read(self) -> tuple[float, float, float, float]:
        """Return the time, and the processor seconds of the server, this process and all."""
        used = self.server.cpu_times() if self.server else None
        server = used.user + used.system if used else float("nan")
        every = psutil.cpu_times()
        total = every.user + every.system + getattr(every, "nice", 0)
        return time.perf_counter(), server, time.process_time(), total

    def percent(self) -> dict[str, float]:
        """Return how busy each was since the start; 100 is one core."""
        elapsed, server, own, total = (b - a for a, b in zip(self.start, self.read(), strict=True))
        result = {"generator_cpu_percent": 100 * own / elapsed}
        if elapsed > SHORT:
            result["server_cpu_percent"] = 100 * server / elapsed
            result["others_cpu_percent"] = max(100 * (total - server - own) / elapsed, 0.0)
        return result


def run_single(gathering: Gathering, settings: Settings) -> dict:
    """One message at a time: the next one leaves when everybody has the last one."""
    users, dialect = gathering.users, gathering.dialect
    rows, starts = [], []
    meter = Meter(settings.pid)
    warm_up = max(WARM_UP, len(users)) if len(users) <= EVERYBODY else WARM_UP
    for turn in range(-warm_up, settings.messages):
        sender = users[turn % len(users)] if settings.turns else users[0]
        start, latencies = deliver_one(gathering, sender, dialect.payload(turn + warm_up))
        if turn >= 0:
            rows.append(latencies)
            starts.append(start)
    milliseconds = np.array(rows) / 1e6
    last = milliseconds.max(axis=1)
    expected = settings.messages * (len(users) - 1)
    if milliseconds.size != expected:
        raise LoadError(f"{milliseconds.size} of {expected} deliveries")
    save(settings, milliseconds)
    return {
        **summary(milliseconds.ravel()),
        "last_p50_ms": percentile(last, 50),
        "last_p99_ms": percentile(last, 99),
        "expected": expected,
        "received": int(milliseconds.size),
        **({"starts_ns": starts} if settings.stamps else {}),
        **meter.percent(),
    }


def deliver_one(gathering: Gathering, sender: User, payload: bytes) -> tuple[int, list[int]]:
    """Send one message and wait until all others have it.

    Returns when it left, on the clock, and the nanoseconds that it took each.
    """
    expected = gathering.dialect.delivered(sender.nick, payload)
    message = gathering.dialect.message(payload)
    clock, select = time.perf_counter_ns, gathering.selector.select
    latencies, parts = [], {}
    missing = len(gathering.users) - 1
    start = clock()
    sender.connection.send(message)
    while len(latencies) < missing:
        events = select(5)
        if not events:
            raise LoadError(f"{len(latencies)} of {missing} users got a message within 5 seconds")
        for key, _ in events:
            data = key.fileobj.recv(4096)
            now = clock()
            if data != expected:
                data = put_together(parts, key, data, expected)
            if data == expected:
                latencies.append(now - start)
    return start, latencies


def put_together(parts: dict, key: selectors.SelectorKey, data: bytes, expected: bytes) -> bytes:
    """Return all that has come for a user, piece by piece; LoadError if it is something else."""
    parts[key.fd] = parts.get(key.fd, b"") + data
    if not data:
        raise LoadError(f"{key.data.nick} was disconnected")
    if not expected.startswith(parts[key.fd]):
        raise LoadError(f"{key.data.nick} got other bytes than were sent")
    return parts[key.fd]


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
        self.blocked: dict[User, bytearray] = {}  # what sockets of senders did not take
        size = len(dialect.delivered(users[0].nick, dialect.payload(0))) * self.total + BUFFER
        # Everything is kept and looked at when the run is over: while it lasts, there is no time.
        # Written once before, so that no page is missing later.
        self.inboxes = [np.ones(size, dtype=np.uint8) for _ in users]
        self.views = [memoryview(inbox).cast("B") for inbox in self.inboxes]
        self.filled = [0] * len(users)

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

    def receive(self, user: User) -> int:
        """Read what has come for one user, note when, return how much, as `expected` has it."""
        index, position = user.index, self.filled[user.index]
        size = user.receive(self.views[index][position : position + BUFFER])
        self.stamps.append((time.perf_counter_ns(), index, size))
        self.filled[index] = position + size
        if self.gathering.dialect.glued:
            return count_newlines(self.inboxes[index][position : position + size])
        return size

    def stream(self, user: User) -> np.ndarray:
        """Return all bytes that a user has got."""
        return self.inboxes[user.index][: self.filled[user.index]]

    def arrivals(self, user: User, stamps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def when_read(user: User, positions: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """Return when the bytes at these positions of a user's stream were read."""
    times, _, sizes = stamps[stamps[:, 1] == user.index].T
    return times[np.searchsorted(np.cumsum(sizes), positions, side="right")]


def send(user: User, data: bytes | bytearray | memoryview) -> int:
    """Send what the socket takes; return the number of bytes. LoadError if it is broken."""
    try:
        return user.connection.send(data)
    except BlockingIOError:
        return 0
    except OSError as error:
        raise LoadError(f"{user.nick} was disconnected: {error.strerror}") from None


def count_newlines(data: np.ndarray) -> int:
    """Return how many newlines are in an array of bytes."""
    return int(np.count_nonzero(data == ord("\n")))


def run_rate(gathering: Gathering, settings: Settings) -> dict:
    """A fixed rate; latency counts from when each message was due, whatever delayed it."""
    run = RateRun(gathering, settings)
    meter = Meter(settings.pid)
    run.run()
    busy = meter.percent()
    milliseconds, lost = run.milliseconds()
    save(settings, milliseconds)
    return {
        **summary(milliseconds),
        "max_ms": float(milliseconds.max()),
        "expected": len(milliseconds),
        "received": len(milliseconds) - lost,
        "lost": lost,
        **({"starts_ns": [run.start]} if settings.stamps else {}),
        "sent_late_p99_ms": percentile(np.array(run.late), 99) / 1e6,
        "seconds": (run.end - run.start) / 1e9,
        **busy,
    }


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

    def receive(self, user: User) -> int:
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
    if settings.samples:
        np.save(settings.samples, timeline)
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


class Talker:
    """A sender of mode "saturation": always has the next messages at hand."""

    def __init__(self, user: User, dialect: Raw) -> None:
        self.user = user
        self.dialect = dialect
        self.size = len(dialect.message(dialect.payload(0)))
        self.prepared = 0  # messages
        self.sent = 0  # bytes
        self.waiting = memoryview(b"")

    def talk(self) -> None:
        """Send as much as the socket takes of the next block."""
        if not self.waiting:
            self.waiting = memoryview(messages(self.dialect, self.prepared, BLOCK))
            self.prepared += BLOCK
        size = send(self.user, self.waiting)
        self.waiting = self.waiting[size:]
        self.sent += size

    def fall_silent(self) -> None:
        """Keep no more than the rest of the message that is on its way."""
        self.waiting = self.waiting[: -self.sent % self.size]

    def whole(self) -> int:
        """Return how many messages were sent to their last byte."""
        return self.sent // self.size


class SaturationRun:
    """Senders send what the server takes; recipients count bytes, and look at samples."""

    def __init__(self, gathering: Gathering, settings: Settings) -> None:
        users, self.dialect = gathering.users, gathering.dialect
        self.selector, self.users = gathering.selector, users
        self.talkers = {user: Talker(user, self.dialect) for user in users[: settings.senders]}
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

    def watch(self, user: User, events: int) -> None:
        """Say which events of a user are of interest."""
        self.selector.modify(user.connection, events, user)

    def deliveries(self) -> float:
        """Return how many messages have arrived."""
        if self.dialect.whole:
            return sum(self.received) / self.size
        if self.dialect.glued:
            return self.newlines
        return sum(self.received) / self.dialect.size

    def pump(self, timeout: float) -> None:
        """Receive and send once, wherever that is possible."""
        for key, events in self.selector.select(timeout):
            user = key.data
            if events & selectors.EVENT_READ:
                self.receive(user)
            if events & selectors.EVENT_WRITE:
                self.talkers[user].talk()

    def receive(self, user: User) -> None:
        """Count what has come for one user."""
        size = user.receive(self.buffer)
        self.received[user.index] += size
        if self.dialect.whole:
            self.look_at_last(user, size)
        elif self.dialect.glued:
            self.newlines += count_newlines(self.array[:size])

    def look_at_last(self, user: User, size: int) -> None:
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

    def until(self, seconds: float, done: Callable[[], bool] = lambda: False) -> None:
        """Run for a time, or until `done`."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end and not done():
            self.pump(0.1)

    def expected(self) -> int:
        """Return how many deliveries the messages sent so far make."""
        return sum(talker.whole() for talker in self.talkers.values()) * (len(self.users) - 1)

    def fall_silent(self, seconds: float) -> None:
        """End the messages that were begun and wait for what is under way."""
        for talker in self.talkers.values():
            talker.fall_silent()
            if not talker.waiting:
                self.watch(talker.user, selectors.EVENT_READ)
        end = time.perf_counter() + seconds
        while time.perf_counter() < end and self.deliveries() < self.expected():
            self.finish_sending(0.1)

    def finish_sending(self, timeout: float) -> None:
        """Receive, and send the last bytes."""
        for key, events in self.selector.select(timeout):
            if events & selectors.EVENT_READ:
                self.receive(key.data)
            if events & selectors.EVENT_WRITE:
                talker = self.talkers[key.data]
                if talker.waiting:
                    talker.talk()
                if not talker.waiting:
                    self.watch(talker.user, selectors.EVENT_READ)


def run_saturation(gathering: Gathering, settings: Settings) -> dict:
    """As fast as the server takes it: deliveries per second, counted where they arrive."""
    run = SaturationRun(gathering, settings)
    run.until(settings.warm_up)
    meter, start, before = Meter(settings.pid), time.perf_counter(), run.deliveries()
    run.until(settings.seconds)
    elapsed, counted = time.perf_counter() - start, run.deliveries() - before
    busy = meter.percent()
    run.fall_silent(settings.drain)
    received, expected = run.deliveries(), run.expected()
    if received > expected:
        raise LoadError(f"{received:.0f} deliveries of {expected} messages")
    return {
        "deliveries_per_s": counted / elapsed,
        "received": int(received),
        "expected": expected,
        "all_arrived": received == expected,  # False: some were still under way
        "samples_checked": run.samples,
        **busy,
    }


def run_crowd(gathering: Gathering, settings: Settings) -> dict:
    """Many users, one message to all of them."""
    missing = len(gathering.users) - 1
    latencies = []
    for _ in range(3):
        payload = gathering.dialect.payload(1)
        latencies.append(deliver_one(gathering, gathering.users[0], payload)[1])
    milliseconds = np.array(latencies) / 1e6
    return {
        **summary(milliseconds.ravel()),
        "last_ms": percentile(milliseconds.max(axis=1), 50),
        "expected": missing,
        "received": min(map(len, latencies)),
    }


def run_idle(gathering: Gathering, settings: Settings) -> dict:
    """Silent users: what the server does while there is nothing to do."""
    server = psutil.Process(settings.pid)
    switches = server.num_ctx_switches().voluntary
    meter = Meter(settings.pid)
    if gathering.pump(settings.seconds):
        raise LoadError("a server said something, although nobody had spoken")
    busy = meter.percent()
    return {"main_thread_wakes": server.num_ctx_switches().voluntary - switches, **busy}


def joined(settings: Settings) -> tuple[Gathering, dict]:
    """Return the users, and what their joining cost: seconds, bytes, memory of the server."""
    server = psutil.Process(settings.pid) if settings.pid else None
    before = server.memory_info().rss if server else 0
    start = time.perf_counter()
    dialect = DIALECTS[settings.dialect].sized(settings.payload)
    gathering = gather((settings.host, settings.port), dialect, settings.users, settings.joining)
    seconds, told = time.perf_counter() - start, gathering.received
    result = {"join_seconds": seconds, "join_bytes": told, "join_mb_per_s": told / 1e6 / seconds}
    if settings.dialect == "frames":
        nick = gathering.users[-1].nick
        probe = len(dialect.delivered(nick, dialect.payload(0))) * (settings.users - 1)
        expected = dialect.joining_bytes(nick, settings.users) + probe
        if gathering.received != expected:
            raise LoadError(f"{gathering.received} bytes while joining, not {expected}")
    if server:
        memory = server.memory_info().rss - before
        result["server_kb_per_user"] = memory / 1000 / settings.users
    return gathering, result


def save(settings: Settings, milliseconds: np.ndarray) -> None:
    """Keep the single latencies, if that is wanted."""
    if settings.samples:
        np.save(settings.samples, milliseconds.astype(np.float32))


MODES: dict[str, Callable[[Gathering, Settings], dict]] = {
    "single": run_single,
    "rate": run_rate,
    "stall": run_stall,
    "saturation": run_saturation,
    "crowd": run_crowd,
    "idle": run_idle,
}


def raise_file_limit() -> int:
    """Allow this process and its children as many open files as the system does; say how many."""
    try:
        import resource
    except ImportError:  # Windows: no such limit
        return sys.maxsize
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # macOS: the hard limit may be more than the system grants
        hard = soft
    return hard if hard != resource.RLIM_INFINITY else sys.maxsize


def main() -> int:
    """Read the settings from standard input, print the results; return the exit status."""
    try:
        values = json.load(sys.stdin)
        if not isinstance(values, dict):
            raise ValueError("not a JSON object")
        settings = Settings(**values)
        settings.check()
    except (TypeError, ValueError) as error:
        print(f"bad settings: {error}", file=sys.stderr)
        return 2
    raise_file_limit()
    gc.disable()  # a collection in the middle of a run would look like a slow server
    try:
        gathering, result = joined(settings)
        result |= MODES[settings.mode](gathering, settings)
        gathering.close()
        print(json.dumps(result))
        return 0
    except (LoadError, OSError, psutil.Error) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
