"""Modes of the load generator: one message at a time, a crowd, a room in which nobody speaks."""

import selectors
import time

import numpy as np

from bench.processors import Meter
from bench.settings import Settings
from bench.stats import percentile, summary
from bench.users import Gathering, LoadError, SimulatedUser

WARM_UP = 10  # messages of mode "single" that do not count, at least
EVERYBODY = 200  # users, up to whom each speaks once before mode "single" counts
PATIENCE = 5  # seconds for a message to reach everybody


def run_single(gathering: Gathering, settings: Settings) -> dict:
    """One message at a time: the next one leaves when everybody has the last one."""
    users, dialect = gathering.users, gathering.dialect
    gathering.awake = settings.processor is not None
    rows = []
    meter = Meter(settings.pid)
    warm_up = max(WARM_UP, len(users)) if len(users) <= EVERYBODY else WARM_UP
    for turn in range(-warm_up, settings.messages):
        sender = users[turn % len(users)] if settings.turns else users[0]
        latencies = deliver_one(gathering, sender, dialect.payload(turn + warm_up))
        if turn >= 0:
            rows.append(latencies)
    milliseconds = np.array(rows) / 1e6
    last = milliseconds.max(axis=1)
    expected = settings.messages * (len(users) - 1)
    if milliseconds.size != expected:
        raise LoadError(f"{milliseconds.size} of {expected} deliveries")
    settings.save(milliseconds.astype(np.float32))
    return {
        **summary(milliseconds.ravel()),
        "last_p50_ms": percentile(last, 50),
        "last_p99_ms": percentile(last, 99),
        "expected": expected,
        "received": int(milliseconds.size),
        **meter.percent(),
    }


def deliver_one(gathering: Gathering, sender: SimulatedUser, payload: bytes) -> list[int]:
    """Send one message and wait until all others have it.

    Returns the nanoseconds that it took each, in their order.
    """
    expected = gathering.dialect.delivered(sender.nick, payload)
    message = gathering.dialect.message(payload)
    clock, wait = time.perf_counter_ns, gathering.wait
    latencies, parts = [0] * len(gathering.users), {}
    missing = len(gathering.users) - 1
    start = clock()
    sender.connection.send(message)
    while missing:
        events = wait(PATIENCE)
        if not events:
            raise LoadError(f"{missing} users did not get a message within {PATIENCE} seconds")
        for key, _ in events:
            data = key.fileobj.recv(4096)
            now = clock()
            if data != expected:
                data = put_together(parts, key, data, expected)
            if data == expected:
                latencies[key.data.index] = now - start
                missing -= 1
    del latencies[sender.index]
    return latencies


def put_together(parts: dict, key: selectors.SelectorKey, data: bytes, expected: bytes) -> bytes:
    """Return all that has come for a user, piece by piece; LoadError if it is something else."""
    parts[key.fd] = parts.get(key.fd, b"") + data
    if not data:
        raise LoadError(f"{key.data.nick} was disconnected")
    if not expected.startswith(parts[key.fd]):
        raise LoadError(f"{key.data.nick} got other bytes than were sent")
    return parts[key.fd]


def run_crowd(gathering: Gathering, settings: Settings) -> dict:
    """Many users, one message to all of them."""
    latencies = []
    for _ in range(3):
        payload = gathering.dialect.payload(1)
        latencies.append(deliver_one(gathering, gathering.users[0], payload))
    milliseconds = np.array(latencies) / 1e6
    return {
        **summary(milliseconds.ravel()),
        "last_ms": percentile(milliseconds.max(axis=1), 50),
        "expected": milliseconds.shape[1],
        "received": int((milliseconds > 0).sum(axis=1).min()),
    }


def run_idle(gathering: Gathering, settings: Settings) -> dict:
    """Silent users: what the server does while there is nothing to do."""
    meter = Meter(settings.pid)
    if gathering.pump(settings.seconds):
        raise LoadError("a server said something, although nobody had spoken")
    return meter.percent()
