"""One run as a call: `measure("step4", users=100)` returns its latencies as an array.

Every run has a server process and a load generator process of its own, each on a processor of
its own where the system can do that. What has to arrive is computed here, from the settings
alone, and compared with what the generator expected and what came.
"""

import csv
import json
import os
import platform
import random
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bench import processors, suite
from bench.servers import SERVERS, Server

SPARE = 2  # times that a run is made again because other processes disturbed it
WRITING = 10.0  # seconds for a server to write down its calls of `send`


class MeasurementError(RuntimeError):
    """A run failed, or what came was not what had to be counted."""


@dataclass
class Run:
    """What came of one run.

    `latencies`: microseconds. Mode "single": a row for each message, a column for each of the
    others. Mode "rate": one for each delivery; what did not come counts with how long it was
    waited for. Mode "stall": rows (due, arrived) of one healthy user, -1 for what never came.
    `found`: all that the generator tells, see `bench.single`, `bench.rate`, `bench.saturation`.
    """

    server: str
    mode: str
    users: int
    latencies: np.ndarray | None = None
    found: dict = field(default_factory=dict)
    task: dict = field(default_factory=dict)

    def last(self) -> np.ndarray:
        """Return for each message how long the last recipient waited for it (mode "single")."""
        return self.latencies.max(axis=1)

    def p(self, percent: float) -> float:
        """Return a percentile of all latencies (nearest rank), in microseconds."""
        return float(np.percentile(self.latencies, percent, method="inverted_cdf"))


def measure(
    server: str,
    users: int = 100,
    mode: str = "single",
    *,
    nodelay: bool = True,
    queue: int | None = None,
    count_sends: bool = False,
    pinned: bool = True,
    python: str = sys.executable,
    **task: object,
) -> Run:
    """Make one run and return it; raise MeasurementError if it cannot be counted.

    `server` is one of `bench.servers.SERVERS`, `task` holds settings of the generator (see
    `bench.settings`). `nodelay` False leaves Nagle's algorithm on, `queue` is how many events may
    wait in step 4, `count_sends` adds `found["send_calls"]`, `python` runs the server.
    """
    chosen: Server = replace(SERVERS[server], python=python)
    if not nodelay:
        chosen = chosen.launched("without-nodelay")
    if queue:
        chosen = chosen.launched("queue", str(queue))
    task = {"senders": users, "payload": 64} | task | {"mode": mode, "users": users}
    with tempfile.TemporaryDirectory() as folder:
        samples, calls = Path(folder, "samples.npy"), Path(folder, "calls.json")
        if count_sends:
            chosen = chosen.launched("record-sends", calls)
            task["stamps"] = True
        patience = WRITING if count_sends else suite.STOP
        for _ in range(1 + SPARE):
            found = suite.put_load_on(chosen, task | {"samples": str(samples)}, patience, pinned)
            if not suite.disturbed(found):
                break
        if "error" in found:
            raise MeasurementError(f"{chosen.title}: {found['error']}")
        check(chosen.title, task, found)
        if count_sends:
            found["send_calls"] = sends(json.loads(calls.read_text("utf-8")), found)
        latencies = np.load(samples) if samples.exists() else None
    if latencies is not None and mode != "stall":
        latencies = latencies * 1000  # the generator tells milliseconds
    changed = {"nodelay": nodelay, "queue": queue, "pinned": pinned, "python": python}
    return Run(server, mode, users, latencies, found, task | changed)


def sends(calls: list[tuple[int, int]], found: dict) -> int:
    """Return how many calls of `send` the server made while messages were under way."""
    [start] = found["starts_ns"]
    return sum(start <= begun < start + found["seconds"] * 1e9 for begun, _ in calls)


def expected(task: dict) -> int | None:
    """Return how many deliveries a run has to make; None where nobody can know."""
    others = task["users"] - 1
    if task["mode"] == "single":
        return task["messages"] * others
    if task["mode"] == "rate":
        messages = max(round(task["rate"] * task["seconds"]), 1)
        first = min(round(task["rate"] * task.get("uncounted", 0)), messages - 1)
        return (messages - first) * others
    if task["mode"] == "stall":
        return max(round(task["rate"] * task["seconds"]), 1) * (others - 1)
    return None


def check(title: str, task: dict, found: dict) -> None:
    """Raise MeasurementError if a run was not counted right, or something is lost."""
    wanted = expected(task)
    if wanted is None:
        return
    if found["expected"] != wanted or not 0 <= found["received"] <= wanted:
        counts = f"{found['received']} of {found['expected']}, not of {wanted}"
        raise MeasurementError(f"{title}: counted {counts} deliveries")
    if task["mode"] == "single" and found["received"] != wanted:
        raise MeasurementError(f"{title}: {found['received']} of {wanted} deliveries")


def measure_all(cases: list[dict], repeats: int, title: str, seed: int = 1) -> list[Run]:
    """Make the runs of all cases, shuffled anew in each repetition: arguments of `measure`.

    What disturbs the machine for a while so disturbs one repetition of several cases, and not
    all those of one.
    """
    chance = random.Random(seed)
    order = [case for _ in range(repeats) for case in chance.sample(cases, len(cases))]
    quiet = bool(os.environ.get("CI")) or os.environ.get("LAB_PROGRESS") == "0"
    bar = tqdm(order, desc=title, unit="прогон", file=sys.stdout, disable=quiet)
    return [measure(**case) for case in bar]


def save(runs: list[Run], folder: Path) -> None:
    """Keep all samples (`samples.npz`, microseconds) and what else each run told (`runs.csv`)."""
    names = [f"{number:03}_{run.mode}_{run.server}_{run.users}" for number, run in enumerate(runs)]
    samples = {
        name: np.rint(run.latencies).astype(np.int32)
        for name, run in zip(names, runs, strict=True)
        if run.latencies is not None
    }
    np.savez_compressed(folder / "samples.npz", **samples)
    told = [{"run": name, **plain(run)} for name, run in zip(names, runs, strict=True)]
    with (folder / "runs.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, sorted({key for row in told for key in row}, key=order))
        rows.writeheader()
        rows.writerows(told)


def plain(run: Run) -> dict:
    """Return the numbers and words of a run, without its lists."""
    about = {"rate": run.task.get("rate")} | run.found
    return {k: v for k, v in about.items() if isinstance(v, int | float | str) or v is None}


def order(column: str) -> tuple[bool, str]:
    """Return what columns are sorted by: the name of the run first."""
    return column != "run", column


def machine() -> dict:
    """Return what of the machine matters for the figures."""
    return {
        "pinned": processors.pair() is not None,
        "processor": processors.name(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "kernel": platform.release(),
    }
