"""One run: starts a server, puts the load generator on it, and returns what that has found."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench import processors
from bench.load import raise_file_limit
from bench.servers import HERE, SERVERS, STOP, Contender, ServerError, running, stop
from bench.settings import Settings

SPARE_FILES = 200  # descriptors that a process needs for other things than users
DISTURBED = 25  # percent of a core that other processes may use


class MeasurementError(RuntimeError):
    """A run failed, or what came was not what had to be counted."""


@dataclass
class Run:
    """What one run has found."""

    server: str
    mode: str
    users: int
    expected: int | None  # deliveries; None where nobody can know how many there will be
    received: int | None
    samples: np.ndarray | None  # whole microseconds, see `measure`
    found: dict  # all that the load generator has told

    def __getitem__(self, key: str) -> float:
        """Return one value that the load generator has told, such as `deliveries_per_s`."""
        return self.found[key]

    @property
    def lost(self) -> int:
        """Return how many deliveries did not come."""
        return self.expected - self.received


def measure(
    server: str,
    mode: str = "single",
    users: int = 100,
    *,
    pinned: bool = True,
    change: str = "",
    python: str = sys.executable,
    **task,
) -> Run:
    """Measure a server once, in a process of its own, by a load generator in another process.

    `mode` is what the users do, and `samples` of the run are, in microseconds:

    - `single`: the users send in turns, each message when all have the one before; a row for
      each message, with a latency for each recipient;
    - `rate`: `rate` messages per second, whether the server keeps pace or not; the latency of
      each delivery, from when its message was due; what did not come has waited until the end;
    - `stall`: the same while the last user stops reading; for each message when it was due, and
      when one healthy user had it (-1: never);
    - `saturation`: as much as the server takes; no samples, but `run["deliveries_per_s"]`.

    `change` is one of `launch.py`, such as "without-nodelay"; `python` runs the server; `task` has
    more settings of the load generator (see `Settings`). Raises MeasurementError if the run fails,
    or if the deliveries that the generator expected are not those that are computed here.
    """
    target = replace(SERVERS[server], python=python)
    if change:
        target = target.launched(change)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "samples.npy")
        task = {"mode": mode, "users": users, "senders": users, "samples": str(file)} | task
        found = put_load_on(target, task, pinned=pinned)
        if "error" in found:
            raise MeasurementError(f"{target.title}: {found['error']}")
        samples = np.load(file) if file.exists() else None
    if samples is not None and mode != "stall":
        samples = np.rint(samples * 1000).astype(np.int64)  # the generator tells milliseconds
    expected = expected_deliveries(mode, users, task)
    received = None if expected is None else counted(found, expected, target.title)
    return Run(server, mode, users, expected, received, samples, found)


def expected_deliveries(mode: str, users: int, task: dict) -> int | None:
    """Return how many deliveries a run makes; None where the server decides that."""
    task = vars(Settings(**{"port": 0} | task))
    total = max(round(task["rate"] * task["seconds"]), 1)
    if mode == "single":
        return task["messages"] * (users - 1)
    if mode == "rate":
        return (total - min(round(task["rate"] * task["uncounted"]), total - 1)) * (users - 1)
    return total * (users - 2) if mode == "stall" else None


def counted(found: dict, expected: int, title: str) -> int:
    """Return how many deliveries came; MeasurementError if they were not counted right."""
    received = found["received"]
    if found["expected"] != expected or not 0 <= received <= expected:
        counts = f"{received} of {found['expected']}, not of {expected}"
        raise MeasurementError(f"{title}: counted {counts}")
    return received


def put_load_on(server: Contender, task: dict, patience: float = STOP, pinned: bool = True) -> dict:
    """Start a server, run the load generator on it and return what that has found.

    `task` holds the settings of the load generator (see `Settings`), `patience` the seconds that
    the server has to end. Each of the two processes gets a processor of its own if `pinned` and
    if the system can do that. What fails returns {"error": why}.
    """
    limit = raise_file_limit()
    users = task["users"] + task.get("attackers", 0)
    if users + SPARE_FILES > limit:
        return {"error": f"{users} users need more open files than the system's {limit}"}
    ours, theirs = (processors.pair() if pinned else None) or (None, None)
    try:
        with generator() as process, running(server, patience, ours) as found:
            address = {"host": found.host, "port": found.port, "pid": found.pid}
            about = {"dialect": server.dialect, "processor": theirs}
            return generate(process, about | task | address)
    except (ServerError, OSError) as error:
        return {"error": str(error)}


@contextlib.contextmanager
def generator() -> Iterator[subprocess.Popen]:
    """Start the load generator in a process of its own: it gets ready while the server does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load"],
        cwd=HERE.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        stop(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


def generate(process: subprocess.Popen, task: dict) -> dict:
    """Give the load generator its task and return its results."""
    known = Settings(**task)
    patience = 60 + known.joining + known.seconds + known.warm_up + known.drain
    try:
        output, errors = process.communicate(json.dumps(task), timeout=patience)
    except subprocess.TimeoutExpired:
        return {"error": f"no result after {patience:.0f} seconds"}
    if process.returncode:
        return {"error": (errors.strip().split("\n")[-1] or f"status {process.returncode}")}
    return json.loads(output)


def disturbed(run: dict) -> bool:
    """Return whether other processes took much of the machine during a run."""
    return run.get("others_cpu_percent", 0) > DISTURBED
