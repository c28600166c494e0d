"""The five measurements: real servers and the load generator of `bench`, each run counted.

Every run has a server process and a generator process of its own. Its expected deliveries are
computed here, from the number of users alone, and compared with what the generator expected and
what came: a run that cannot be counted raises MeasurementError. Latencies are whole microseconds.
"""

import itertools
import json
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bench import suite
from bench.servers import SERVERS, STOP, Server
from lab.parameters import STALL_AT, Parameters

NAMES = ("step3", "step4", "asyncio", "forwarder")
CHATS = NAMES[:-1]
WITH, WITHOUT = "with", "without"  # TCP_NODELAY
WARM_UP = 0.1  # seconds of a rate that do not count
PHASES = ("before", "send", "between", "after")
FOUND = (  # what is kept of the results of every run, where it has them
    "expected",
    "received",
    "server_cpu_percent",
    "generator_cpu_percent",
    "others_cpu_percent",
    "sent_late_p99_ms",
    "stalled_at_ms",
    "cut_off_ms",
    "end_ms",
    "bytes_for_stalled",
    "send_calls",
    "noting_ns",
    "noting_inside_ns",
)


class MeasurementError(RuntimeError):
    """A run failed, or what came was not what had to be counted."""


@dataclass
class Samples:
    """All samples of one run of the notebook; every list has an element for each repetition."""

    # (server, users): latencies, a row for each message, sorted by arrival
    latency: dict[tuple[str, int], list[np.ndarray]] = field(default_factory=dict)
    # (server, rate): rows (latency, how many deliveries), latencies of three digits
    rate: dict[tuple[str, int], list[np.ndarray]] = field(default_factory=dict)
    # server: rows (due, arrived or -1) of one healthy client since the start
    stall: dict[str, list[np.ndarray]] = field(default_factory=dict)
    # with or without TCP_NODELAY: latencies as above
    nagle: dict[str, list[np.ndarray]] = field(default_factory=dict)
    # server: a row for each message, how long each of PHASES took, nanoseconds
    cost: dict[str, list[np.ndarray]] = field(default_factory=dict)
    # every run: experiment, server, users, rate, repeat, counts, how busy the machine was
    runs: list[dict] = field(default_factory=list)


class Laboratory:
    """Runs the measurements and collects their samples."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.samples = Samples()
        self.chance = random.Random(parameters.seed)
        self.quiet = bool(os.environ.get("CI")) or os.environ.get("LAB_PROGRESS") == "0"

    def turns(self, title: str, *choices: Iterable) -> Iterable[tuple]:
        """Yield every combination of choices, shuffled anew in each repetition, with progress."""
        turns = []
        for repeat in range(1, self.parameters.repeats + 1):
            combinations = list(itertools.product(*choices))
            self.chance.shuffle(combinations)
            turns += [(*combination, repeat) for combination in combinations]
        return tqdm(turns, desc=title, unit="прогон", file=sys.stdout, disable=self.quiet)

    def run(self, experiment: str, server: Server, repeat: int, expected: int, **task) -> dict:
        """Make one run; return the generator's results, with the array of its samples."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "samples.npy")
            task = {"senders": task["users"], "samples": str(file)} | task
            found = suite.put_load_on(server, task, STOP if server.launcher else 0)
            if "error" in found:
                raise MeasurementError(f"{experiment}, {server.title}: {found['error']}")
            if found["expected"] != expected or not 0 <= found["received"] <= expected:
                counts = f"{found['received']} of {found['expected']}, not of {expected}"
                raise MeasurementError(f"{experiment}, {server.title}: counted {counts}")
            found["samples"] = np.load(file)
        row = {"turn": len(self.samples.runs) + 1, "experiment": experiment, "server": server.name}
        row |= {"users": task["users"], "rate": task.get("rate"), "repeat": repeat}
        self.samples.runs.append(row | {key: rounded(found.get(key)) for key in FOUND})
        return found

    def single(self, experiment: str, server: Server, repeat: int, users: int, **task) -> dict:
        """Send one message at a time; all must arrive."""
        expected = task["messages"] * (users - 1)
        found = self.run(experiment, server, repeat, expected, mode="single", users=users, **task)
        if found["received"] != expected:
            raise MeasurementError(f"{found['received']} of {expected} deliveries")
        found["samples"] = np.rint(found["samples"] * 1000).astype(np.int64)
        return found

    def measure_latency(self) -> None:
        """Send one broadcast at a time to rooms of all sizes."""
        parameters = self.parameters
        for users, name, repeat in self.turns("Размер комнаты", parameters.sizes, NAMES):
            wanted = parameters.deliveries // users
            messages = max(min(wanted, parameters.messages), min(20, parameters.messages))
            found = self.single("latency", SERVERS[name], repeat, users, messages=messages)
            self.samples.latency.setdefault((name, users), []).append(found["samples"])

    def measure_rates(self) -> None:
        """Send at fixed rates; the highest only to servers that kept pace with the one before."""
        *lower, highest = self.parameters.rates
        p99s: dict[str, list[float]] = {}  # at the rate before the highest
        for rate, name, repeat in self.turns("Частота сообщений", lower, NAMES):
            p99 = self.measure_rate(name, rate, repeat)
            if rate == lower[-1]:
                p99s.setdefault(name, []).append(p99)
        limit = self.parameters.limit_ms
        broken = [name for name, found in p99s.items() if statistics.median(found) > limit]
        standing = [name for name in NAMES if name not in broken]
        for rate, name, repeat in self.turns("Наибольшая частота", (highest,), standing):
            self.measure_rate(name, rate, repeat)

    def measure_rate(self, name: str, rate: int, repeat: int) -> float:
        """Send at a fixed rate, each message counted from when it was due; return p99 in ms."""
        users, seconds = self.parameters.rate_users, self.parameters.rate_seconds
        messages = max(round(rate * (seconds + WARM_UP)), 1)
        expected = (messages - min(round(rate * WARM_UP), messages - 1)) * (users - 1)
        load = {"users": users, "rate": rate, "seconds": seconds + WARM_UP, "drain": seconds}
        found = self.run(
            "rate", SERVERS[name], repeat, expected, mode="rate", uncounted=WARM_UP, **load
        )
        latencies = three_digits(np.rint(found["samples"] * 1000).astype(np.int64))
        rows = np.stack(np.unique(latencies, return_counts=True), axis=1)
        self.samples.rate.setdefault((name, rate), []).append(rows)
        return found["p99_ms"]

    def measure_stall(self) -> None:
        """Let one reader stop, and watch another one."""
        parameters = self.parameters
        users, seconds = parameters.stall_users, parameters.stall_seconds
        load = {"users": users, "rate": parameters.stall_rate, "payload": parameters.stall_bytes}
        times = {"stall_at": STALL_AT, "seconds": seconds, "drain": 1.5}
        expected = max(round(parameters.stall_rate * seconds), 1) * (users - 2)
        for name, repeat in self.turns("Читатель замолчал", ("step3", "step4")):
            server = SERVERS[name]
            found = self.run("stall", server, repeat, expected, mode="stall", **load, **times)
            self.samples.stall.setdefault(name, []).append(found["samples"])

    def measure_nagle(self) -> None:
        """Send one broadcast at a time, with TCP_NODELAY and without."""
        parameters = self.parameters
        for variant, repeat in self.turns("Алгоритм Нейгла", (WITH, WITHOUT)):
            server = SERVERS["step4"]
            if variant == WITHOUT:
                server = server.launched("without-nodelay")
            messages = parameters.nagle_messages
            found = self.single(
                f"nagle-{variant}", server, repeat, parameters.nagle_users, messages=messages
            )
            self.samples.nagle.setdefault(variant, []).append(found["samples"])

    def measure_cost(self) -> None:
        """Record every `send` in the server: first single messages, then under a rate."""
        for name, repeat in self.turns("Цена рассылки", NAMES):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "calls.json")
                server = SERVERS[name].launched("record-sends", file)
                self.record_messages(server, file, repeat)
                self.record_batches(server, file, repeat)

    def record_messages(self, server: Server, file: Path, repeat: int) -> None:
        """Note the phases of single broadcasts."""
        users, messages = self.parameters.cost_users, self.parameters.cost_messages
        found = self.single("cost", server, repeat, users, messages=messages, stamps=True)
        notes = json.loads(file.read_text("utf-8"))
        starts = np.array(found["starts_ns"])
        ends = starts + found["samples"].max(axis=1) * 1000
        rows = phases(np.array(notes["calls"]), starts, ends, users - 1)
        self.samples.cost.setdefault(server.name, []).append(rows)
        noting = {"noting_ns": round(notes["cost_ns"]), "noting_inside_ns": notes["inside_ns"]}
        self.samples.runs[-1] |= noting | {"send_calls": rows.shape[0] * (users - 1)}

    def record_batches(self, server: Server, file: Path, repeat: int) -> None:
        """Count the calls of `send` under a rate."""
        parameters = self.parameters
        users, rate, seconds = parameters.rate_users, parameters.batch_rate, parameters.rate_seconds
        expected = max(round(rate * seconds), 1) * (users - 1)
        load = {"users": users, "rate": rate, "seconds": seconds, "drain": seconds}
        found = self.run("batch", server, repeat, expected, mode="rate", stamps=True, **load)
        calls = json.loads(file.read_text("utf-8"))["calls"]
        [start] = found["starts_ns"]
        end = start + int(found["seconds"] * 1e9)
        self.samples.runs[-1]["send_calls"] = sum(start <= begun < end for begun, _ in calls)


def rounded(value: float | None) -> float | None:
    """Round a number to three decimals."""
    return round(value, 3) if isinstance(value, float) else value


def three_digits(values: np.ndarray) -> np.ndarray:
    """Round whole numbers to three significant digits, those under 1000 not at all."""
    steps = 10 ** np.maximum(np.floor(np.log10(np.maximum(values, 1))).astype(np.int64) - 2, 0)
    return (values + steps // 2) // steps * steps


def phases(calls: np.ndarray, starts: np.ndarray, ends: np.ndarray, recipients: int) -> np.ndarray:
    """Return how long the PHASES of every broadcast took, a row each, in nanoseconds.

    `calls` are the beginnings and ends of `send`; a broadcast lasts from one of `starts` to the
    same of `ends`, when the last recipient had it. Raises MeasurementError unless each broadcast
    took one call for each recipient.
    """
    calls = calls[calls[:, 0].argsort()]
    bounds = np.append(starts, max(calls[-1, 0], ends[-1]) + 1)
    rows = []
    for start, end, following in zip(starts, ends, bounds[1:], strict=True):
        first, after = np.searchsorted(calls[:, 0], (start, min(end, following)))
        here = calls[first:after]
        if len(here) != recipients:
            raise MeasurementError(f"{len(here)} calls of send for {recipients} recipients")
        sending = (here[:, 1] - here[:, 0]).sum()
        last = min(here[-1, 1], end)  # the recipient may have it before `send` has returned
        sending -= here[-1, 1] - last
        spread = last - here[0, 0]
        rows.append((here[0, 0] - start, sending, spread - sending, end - last))
    return np.array(rows, dtype=np.int64)
