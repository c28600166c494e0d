"""The measurements: real servers and the load generator of `bench`, each run counted.

Every run has a server process and a generator process of its own, each on a processor of its own
where the system can do that. Its expected deliveries are computed here, from the number of users
alone, and compared with what the generator expected and what came: a run that cannot be counted
raises MeasurementError. Latencies are whole microseconds.
"""

import itertools
import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bench import suite
from bench.servers import SERVERS, Server, missing
from lab.parameters import Parameters

NAMES = ("step3", "step4", "asyncio", "forwarder")
CHATS = NAMES[:-1]
# The two chats that batch and the two that do not; and uvloop, where it is installed.
COMPARED = ("step4", "single", "batched", "asyncio", "uvloop")
WITH, WITHOUT = "with", "without"  # TCP_NODELAY, while clients take turns
ALONE = "alone"  # without it, while one client speaks
PINNED, FREE = "pinned", "free"  # a processor for each process, or what the system thinks fit
WRITING = 10.0  # seconds for a server to write down its calls of `send`
AGREE = 5  # percent by which the two fastest runs of a room may differ
SPARE = 20  # runs that may be made again because other processes disturbed them
PHASES = ("before", "send", "between", "after")
FOUND = (  # what is kept of the results of every run, where it has them
    "expected",
    "received",
    "server_cpu_percent",
    "generator_cpu_percent",
    "others_cpu_percent",
    "repeated",
    "sent_late_p99_ms",
    "stalled_at_ms",
    "cut_off_ms",
    "end_ms",
    "bytes_for_stalled",
    "send_calls",
    "noting_ns",
    "noting_inside_ns",
    "deliveries_per_s",
)


class MeasurementError(RuntimeError):
    """A run failed, or what came was not what had to be counted."""


@dataclass
class Samples:
    """All samples of one run of the notebook; every list has an element for each repetition."""

    # (server, users): latencies, a row for each message, in the order of the recipients
    latency: dict[tuple[str, int], list[np.ndarray]] = field(default_factory=dict)
    # (server, rate): rows (latency, how many deliveries), latencies of three digits
    rate: dict[tuple[str, int], list[np.ndarray]] = field(default_factory=dict)
    # server: rows (due, arrived or -1) of one healthy client since the start
    stall: dict[str, list[np.ndarray]] = field(default_factory=dict)
    # server: latencies as above, on processors that the system chose
    free: dict[str, list[np.ndarray]] = field(default_factory=dict)
    # server: rows as `rate` has them, at `batch_rate`
    compared: dict[str, list[np.ndarray]] = field(default_factory=dict)
    # WITH, WITHOUT, ALONE: latencies as above; message k is of client k, in turns
    nagle: dict[str, list[np.ndarray]] = field(default_factory=dict)
    # server: a row for each message, how long each of PHASES took, nanoseconds
    cost: dict[str, list[np.ndarray]] = field(default_factory=dict)
    # users: the same for step 4, in rooms of other sizes
    price: dict[int, list[np.ndarray]] = field(default_factory=dict)
    # every run: experiment, server, users, rate, repeat, counts, how busy the machine was
    runs: list[dict] = field(default_factory=list)


class Laboratory:
    """Runs the measurements and collects their samples."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.samples = Samples()
        self.chance = random.Random(parameters.seed)
        self.started = time.monotonic()
        self.spare = SPARE
        self.quiet = bool(os.environ.get("CI")) or os.environ.get("LAB_PROGRESS") == "0"

    def measure(self) -> None:
        """Measure everything: the rounds of section 1 in turns with what the others need.

        What disturbs a machine for a minute so disturbs one round, and not all of them.
        """
        others = [self.measure_rates, self.measure_batches, self.measure_cost]
        others += [self.measure_stall, self.measure_nagle, self.measure_free]
        for turn in range(max(self.parameters.rounds, len(others))):
            if turn < self.parameters.rounds:
                self.measure_latency(turn + 1)
            for measure in others[turn : turn + 1]:
                measure()
        self.confirm_latency()

    def turns(self, title: str, *choices: Iterable) -> Iterable[tuple]:
        """Yield every combination of choices, shuffled anew in each repetition, with progress."""
        turns = []
        for repeat in range(1, self.parameters.repeats + 1):
            combinations = list(itertools.product(*choices))
            self.chance.shuffle(combinations)
            turns += [(*combination, repeat) for combination in combinations]
        return self.progress(title, turns)

    def progress(self, title: str, turns: Iterable) -> tqdm:
        """Return turns that show how many of them are done."""
        return tqdm(turns, desc=title, unit="прогон", file=sys.stdout, disable=self.quiet)

    def seconds(self) -> float:
        """Return how long all of it has taken until now."""
        return time.monotonic() - self.started

    def run(
        self,
        experiment: str,
        server: Server,
        repeat: int,
        expected: int | None,
        pinned: bool = True,
        patience: float = 0,
        **task,
    ) -> dict:
        """Make one run; return the generator's results, with the array of its samples.

        `expected` is None where nobody can know how much there will be.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "samples.npy")
            about = {"senders": task["users"], "samples": str(file)}
            task = {"payload": self.parameters.message_bytes} | about | task
            found = self.undisturbed(server, task, patience, pinned)
            if "error" in found:
                raise MeasurementError(f"{experiment}, {server.title}: {found['error']}")
            if expected is None:
                del found["expected"], found["received"]
            elif found["expected"] != expected or not 0 <= found["received"] <= expected:
                counts = f"{found['received']} of {found['expected']}, not of {expected}"
                raise MeasurementError(f"{experiment}, {server.title}: counted {counts}")
            found["samples"] = np.load(file) if file.exists() else None
        row = {"turn": len(self.samples.runs) + 1, "experiment": experiment, "server": server.name}
        row |= {"users": task["users"], "rate": task.get("rate"), "repeat": repeat}
        self.samples.runs.append(row | {key: rounded(found.get(key)) for key in FOUND})
        return found

    def undisturbed(self, *run) -> dict:
        """Make a run again while other processes disturb it, but not too often."""
        repeated = 0
        while suite.disturbed(found := suite.put_load_on(*run)) and self.spare > 0:
            self.spare -= 1
            repeated += 1
        return found | {"repeated": repeated}

    def single(self, experiment: str, server: Server, repeat: int, users: int, **task) -> dict:
        """Send one message at a time; all must arrive."""
        expected = task["messages"] * (users - 1)
        found = self.run(experiment, server, repeat, expected, mode="single", users=users, **task)
        if found["received"] != expected:
            raise MeasurementError(f"{found['received']} of {expected} deliveries")
        found["samples"] = np.rint(found["samples"] * 1000).astype(np.int64)
        return found

    def messages(self, users: int) -> int:
        """Return how many broadcasts there are in a room of this size."""
        wanted = self.parameters.deliveries // users
        return max(min(wanted, self.parameters.messages), min(20, self.parameters.messages))

    def measure_latency(self, turn: int) -> None:
        """Send one broadcast at a time to rooms of all sizes, once each."""
        rooms = list(itertools.product(NAMES, self.parameters.sizes))
        self.chance.shuffle(rooms)
        for name, users in self.progress(f"Размер комнаты, круг {turn}", rooms):
            self.measure_room(name, users)

    def measure_room(self, name: str, users: int) -> None:
        """Send one broadcast at a time to a room of this size."""
        runs = self.samples.latency.setdefault((name, users), [])
        about = {"repeat": len(runs) + 1, "users": users, "messages": self.messages(users)}
        runs.append(self.single("latency", SERVERS[name], **about)["samples"])

    def confirm_latency(self) -> None:
        """Measure rooms again, as long as there is time, whose two fastest runs do not agree."""
        rooms = self.samples.latency
        with self.progress("Размер комнаты, ещё раз", None) as bar:
            while self.seconds() < self.parameters.seconds:
                open_ones = [room for room in rooms if gap(rooms[room]) > AGREE]
                if not open_ones:
                    return
                self.measure_room(*min(open_ones, key=lambda room: len(rooms[room])))
                bar.update()

    def measure_free(self) -> None:
        """Do the same in a room of one size, with processors that the system chooses."""
        users = self.parameters.control_users
        task = {"users": users, "messages": self.messages(users)}
        for name, repeat in self.turns("Без закрепления", NAMES):
            found = self.single("free", SERVERS[name], repeat, pinned=False, **task)
            self.samples.free.setdefault(name, []).append(found["samples"])

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
        """Send at a fixed rate and keep the latencies; return p99 in ms."""
        rows, p99 = self.at_rate("rate", name, rate, repeat)
        self.samples.rate.setdefault((name, rate), []).append(rows)
        return p99

    def at_rate(self, experiment: str, name: str, rate: int, repeat: int) -> tuple:
        """Send at a fixed rate, each message counted from when it was due.

        Returns rows (latency, how many deliveries had it) and p99 in ms.
        """
        parameters = self.parameters
        users, uncounted = parameters.rate_users, parameters.uncounted_seconds
        seconds = parameters.rate_seconds + uncounted
        messages = max(round(rate * seconds), 1)
        expected = (messages - min(round(rate * uncounted), messages - 1)) * (users - 1)
        load = {"users": users, "rate": rate, "seconds": seconds, "drain": parameters.drain_seconds}
        found = self.run(
            experiment, SERVERS[name], repeat, expected, mode="rate", uncounted=uncounted, **load
        )
        latencies = three_digits(np.rint(found["samples"] * 1000).astype(np.int64))
        return np.stack(np.unique(latencies, return_counts=True), axis=1), found["p99_ms"]

    def measure_batches(self) -> None:
        """Compare chats that batch with chats that do not: at a rate, and as fast as they can."""
        parameters = self.parameters
        here = [name for name in COMPARED if not missing(SERVERS[name])]
        load = {"users": parameters.rate_users, "senders": min(10, parameters.rate_users)}
        times = {"seconds": parameters.saturation_seconds, "drain": parameters.drain_seconds}
        times["warm_up"] = parameters.uncounted_seconds
        for name, repeat in self.turns("Пачки и потоки выполнения", here):
            rows, _ = self.at_rate("compared", name, parameters.batch_rate, repeat)
            self.samples.compared.setdefault(name, []).append(rows)
            self.run("saturation", SERVERS[name], repeat, None, mode="saturation", **load, **times)

    def measure_stall(self) -> None:
        """Let one reader stop, and watch another one."""
        parameters = self.parameters
        users, seconds = parameters.stall_users, parameters.stall_seconds
        load = {"users": users, "rate": parameters.stall_rate, "payload": parameters.stall_bytes}
        times = {"stall_at": parameters.stall_at, "seconds": seconds}
        times["drain"] = parameters.stall_drain
        expected = max(round(parameters.stall_rate * seconds), 1) * (users - 2)
        for name, repeat in self.turns("Клиент перестал читать", ("step3", "step4")):
            server = SERVERS[name]
            found = self.run("stall", server, repeat, expected, mode="stall", **load, **times)
            self.samples.stall.setdefault(name, []).append(found["samples"])

    def measure_nagle(self) -> None:
        """Send one broadcast at a time, with TCP_NODELAY and without; then from one client."""
        users, messages = self.parameters.nagle_users, self.parameters.nagle_messages
        for variant, repeat in self.turns("Алгоритм Нейгла", (WITH, WITHOUT, ALONE)):
            server = SERVERS["step4"]
            if variant != WITH:
                server = server.launched("without-nodelay")
            task = {"users": users, "messages": messages, "turns": variant != ALONE}
            found = self.single(f"nagle-{variant}", server, repeat, **task)
            self.samples.nagle.setdefault(variant, []).append(found["samples"])

    def measure_cost(self) -> None:
        """Record every `send` in the server: first single messages, then under a rate."""
        users = self.parameters.cost_users
        for name, repeat in self.turns("Цена рассылки", NAMES):
            rows = self.record_messages("cost", SERVERS[name], users, repeat)
            self.samples.cost.setdefault(name, []).append(rows)
            self.record_batches(SERVERS[name], repeat)
        for users, repeat in self.turns("Цена send", self.parameters.price_users):
            rows = self.record_messages("price", SERVERS["step4"], users, repeat)
            self.samples.price.setdefault(users, []).append(rows)

    def recorded(self, run: Callable, server: Server, *given, **task) -> tuple[dict, dict]:
        """Make a run; return its results, and what the server has noted."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "calls.json")
            server = server.launched("record-sends", file)
            found = run(*given, server=server, patience=WRITING, stamps=True, **task)
            if not file.exists():
                raise MeasurementError(f"{server.title} did not write down its calls of send")
            return found, json.loads(file.read_text("utf-8"))

    def record_messages(
        self, experiment: str, server: Server, users: int, repeat: int
    ) -> np.ndarray:
        """Return the phases of single broadcasts."""
        messages = min(self.parameters.cost_messages, self.messages(users))
        about = {"repeat": repeat, "users": users, "messages": messages}
        found, notes = self.recorded(self.single, server, experiment, **about)
        starts = np.array(found["starts_ns"])
        ends = starts + found["samples"].max(axis=1) * 1000
        rows = phases(np.array(notes["calls"]), starts, ends, users - 1)
        noting = {"noting_ns": round(notes["cost_ns"]), "noting_inside_ns": notes["inside_ns"]}
        self.samples.runs[-1] |= noting | {"send_calls": rows.shape[0] * (users - 1)}
        return rows

    def record_batches(self, server: Server, repeat: int) -> None:
        """Count the calls of `send` under a rate."""
        parameters = self.parameters
        users, rate, seconds = parameters.rate_users, parameters.batch_rate, parameters.rate_seconds
        expected = max(round(rate * seconds), 1) * (users - 1)
        load = {"users": users, "rate": rate, "seconds": seconds, "drain": parameters.drain_seconds}
        about = {"repeat": repeat, "expected": expected, "mode": "rate"}
        found, notes = self.recorded(self.run, server, "batch", **about, **load)
        [start] = found["starts_ns"]
        end = start + int(found["seconds"] * 1e9)
        calls = sum(start <= begun < end for begun, _ in notes["calls"])
        self.samples.runs[-1]["send_calls"] = calls


def gap(runs: list[np.ndarray]) -> float:
    """Return by how many percent the second fastest run is slower than the fastest one."""
    times = sorted(float(np.median(rows.max(axis=1))) for rows in runs)
    return 100 * (times[1] / times[0] - 1) if len(times) > 1 else math.inf


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
