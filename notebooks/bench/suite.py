"""What is measured: the cases, their order, the tables that come of them, and the goals."""

import contextlib
import json
import random
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bench import processors
from bench.load import raise_file_limit
from bench.servers import HERE, SERVERS, STOP, Server, ServerError, missing, running, stop
from bench.settings import Settings
from bench.stats import number, table

MOST_MESSAGES = 2000  # in mode "single"
SPARE_FILES = 200  # descriptors that a process needs for other things than users
DISTURBED = 25  # percent of a core that other processes may use
SUBJECT = "step4"  # the server that has goals
CHATS = ("asyncio", "batched", "step3", "step4")
MODES = {
    "single": ("forwarder", *CHATS),
    "rate": ("forwarder", *CHATS, "uvloop", "single"),  # all users talk
    "talkers": ("forwarder", *CHATS, "single"),  # some of them talk, at the same rate
    "saturation": ("forwarder", *CHATS, "uvloop", "single", "ngircd"),
    "crowd": ("step4",),
    "idle": ("asyncio", "step4"),
}
LOADS = {"talkers": "rate"}  # the mode of the load generator, where it has another name
ONCE = ("crowd", "idle")  # long, and steady: not repeated


@dataclass(frozen=True)
class Sizes:
    """How much is measured. Times in seconds."""

    single_users: tuple[int, ...] = (10, 100, 500)
    single_times: int = 2  # in every repetition, for it is short
    deliveries: int = 200_000  # in mode "single"; the more users, the fewer messages
    users: int = 100
    senders: int = 10
    rate: float = 3000.0  # messages per second, all senders together
    rate_seconds: float = 1.5
    saturation_seconds: float = 1.0
    warm_up: float = 0.5
    drain: float = 1.0
    crowd: int = 5000
    idle_users: int = 1000
    idle_seconds: float = 5.0


FULL = Sizes()
QUICK = Sizes(
    single_users=(10, 100),
    single_times=1,
    deliveries=5_000,
    rate_seconds=0.8,
    saturation_seconds=0.6,
    warm_up=0.3,
    drain=0.8,
    crowd=500,
    idle_users=200,
    idle_seconds=1.0,
)


@dataclass(frozen=True)
class Case:
    """One server under one load."""

    mode: str
    server: str
    users: int

    def __str__(self) -> str:
        return f"{self.mode}, {self.users} users, {SERVERS[self.server].title}"


def plan(
    modes: Iterable[str], servers: Iterable[str], sizes: Sizes, repeat: int, seed: int
) -> list[Case]:
    """Return all cases in the order in which they run: every time the servers are shuffled."""
    chance = random.Random(seed)
    users = {
        "single": sizes.single_users,
        "crowd": (sizes.crowd,),
        "idle": (sizes.idle_users,),
    }
    cases = []
    for turn in range(repeat):
        for mode in modes:
            if turn and mode in ONCE:
                continue
            here = [name for name in MODES[mode] if name in servers]
            times = sizes.single_times if mode == "single" else 1
            for count in users.get(mode, (sizes.users,)) * times:
                cases += [Case(mode, name, count) for name in chance.sample(here, len(here))]
    return cases


def settings(case: Case, sizes: Sizes) -> dict:
    """Return what the load generator is to do in a case."""
    seconds = {
        "rate": sizes.rate_seconds,
        "talkers": sizes.rate_seconds,
        "saturation": sizes.saturation_seconds,
        "idle": sizes.idle_seconds,
    }
    return {
        "mode": LOADS.get(case.mode, case.mode),
        "users": case.users,
        "senders": case.users if case.mode == "rate" else min(sizes.senders, case.users),
        "messages": min(sizes.deliveries // case.users, MOST_MESSAGES),
        "rate": sizes.rate,
        "seconds": seconds.get(case.mode, 1.0),
        "warm_up": sizes.warm_up,
        "drain": sizes.drain,
    }


def put_load_on(server: Server, task: dict, patience: float = STOP, pinned: bool = True) -> dict:
    """Start a server, run the load generator on it and return what that has found.

    `task` holds the settings of the load generator (see `settings`), `patience` the seconds that
    the server has to end. Each of the two processes gets a processor of its own if `pinned` and
    if the system can do that. What fails returns {"error": why}.
    """
    limit = raise_file_limit()
    if task["users"] + SPARE_FILES > limit:
        return {"error": f"{task['users']} users need more open files than the system's {limit}"}
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
    patience = 120 + known.seconds + known.warm_up + known.drain
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


def undisturbed(together: list[tuple[dict, ...]]) -> list[tuple[dict, ...]]:
    """Return the runs, or pairs of runs, that nothing disturbed; all, if all were disturbed."""
    return [runs for runs in together if not any(map(disturbed, runs))] or together


class Results:
    """The results of all cases, each as often as it was repeated."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.runs: dict[Case, list[dict]] = {}

    def add(self, case: Case, result: dict) -> None:
        """Keep one result."""
        self.runs.setdefault(case, []).append(result)

    def median(self, mode: str, server: str, users: int, key: str) -> float | None:
        """Return the median of a value over the repetitions, or None where there is none.

        Repetitions that other processes disturbed are left out, unless all were disturbed.
        """
        runs = [(run,) for run in self.runs.get(Case(mode, server, users), []) if key in run]
        values = [run[key] for (run,) in undisturbed(runs)]
        return statistics.median(values) if values else None

    def ratio(self, mode: str, one: str, other: str, users: int, key: str) -> float | None:
        """Return the median of the ratios of one server's value to another's, as `median` does.

        Each is a ratio of two runs of one repetition, soon after each other: a machine that is
        slower for a while is slower for both.
        """
        runs = (self.runs.get(Case(mode, server, users), []) for server in (one, other))
        pairs = [(a, b) for a, b in zip(*runs, strict=False) if key in a and b.get(key)]
        ratios = [a[key] / b[key] for a, b in undisturbed(pairs)]
        return statistics.median(ratios) if ratios else None

    def errors(self) -> list[str]:
        """Return one line for each case that failed."""
        return [
            f"failed: {case}: {run['error']}"
            for case, runs in self.runs.items()
            for run in runs
            if "error" in run
        ]

    def as_json(self) -> dict:
        """Return everything, as JSON can hold it."""
        return {
            "sizes": vars(self.sizes),
            "cases": [
                {"mode": case.mode, "server": case.server, "users": case.users, "runs": runs}
                for case, runs in self.runs.items()
            ],
        }


@dataclass(frozen=True)
class Row:
    """One line of the table: a value of a mode, for a number of users."""

    mode: str
    users: int
    key: str
    title: str
    lower_is_better: bool | None = None  # None: it is not a matter of better


def rows(sizes: Sizes) -> list[Row]:
    """Return the lines of the table."""
    lines = []
    for users in sizes.single_users:
        lines += [
            Row("single", users, "p50_ms", f"one message at a time, {users} users: p50, ms", True),
            Row("single", users, "p99_ms", "p99, ms", True),
            Row("single", users, "last_p50_ms", "last recipient (median), ms", True),
        ]
    for mode, senders in (("rate", "all"), ("talkers", sizes.senders)):
        rate = f"{sizes.rate:.0f} messages/s from {senders} of {sizes.users} users"
        lines += [
            Row(mode, sizes.users, "p50_ms", f"{rate}: p50, ms", True),
            Row(mode, sizes.users, "p99_ms", "p99, ms", True),
            Row(mode, sizes.users, "lost", "not delivered when time was up"),
            Row(mode, sizes.users, "sent_late_p99_ms", "(generator sent late: p99, ms)"),
        ]
    full = f"saturation, {sizes.users} users: deliveries/s"
    return [
        *lines,
        Row("saturation", sizes.users, "deliveries_per_s", full, False),
        Row("saturation", sizes.users, "server_cpu_percent", "(server busy, % of a core)"),
        Row("saturation", sizes.users, "generator_cpu_percent", "(generator busy, %)"),
        Row("saturation", sizes.users, "others_cpu_percent", "(other processes, %)"),
        Row("crowd", sizes.crowd, "received", f"{sizes.crowd} users: reached by a broadcast"),
        Row("crowd", sizes.crowd, "last_ms", "last recipient, ms"),
        Row("crowd", sizes.crowd, "join_seconds", "all joined after, s"),
        Row("crowd", sizes.crowd, "server_kb_per_user", "server's memory per user, kB"),
        Row("idle", sizes.idle_users, "server_cpu_percent", f"{sizes.idle_users} silent: CPU, %"),
    ]


def values_table(results: Results, servers: list[str]) -> str:
    """Return the medians of all servers, side by side."""
    header = ["median of the repetitions", *(SERVERS[name].title for name in servers)]
    lines = []
    for row in rows(results.sizes):
        values = [results.median(row.mode, name, row.users, row.key) for name in servers]
        if any(value is not None for value in values):
            lines.append([row.title, *map(number, values)])
    return table(header, lines)


def ratios_table(results: Results, servers: list[str]) -> str:
    """Return how many times better step 4 is than each of the others."""
    others = [name for name in servers if name != SUBJECT]
    header = ["step 4 is better by a factor of", *(f"than {SERVERS[n].title}" for n in others)]
    lines = []
    for row in rows(results.sizes):
        if row.lower_is_better is None or not results.median(row.mode, SUBJECT, row.users, row.key):
            continue
        cells = []
        for name in others:
            better, worse = (name, SUBJECT) if row.lower_is_better else (SUBJECT, name)
            cells.append(number(results.ratio(row.mode, better, worse, row.users, row.key)))
        lines.append([row.title, *cells])
    return table(header, lines) if lines and others else ""


def goals_table(results: Results) -> str:
    """Return the goals of step 4, what was found, and whether they are met."""
    lines = []
    for goal in goals(results):
        if goal.found is not None:
            wanted = f"{'at least' if goal.least else 'at most'} {number(goal.bound)}"
            lines.append([goal.title, number(goal.found), wanted, "yes" if goal.met() else "NO"])
    return table(["goal of step 4", "found", "wanted", "met"], lines) if lines else ""


@dataclass(frozen=True)
class Goal:
    """A value that was found (None: it was not measured), and its bound."""

    title: str
    found: float | None
    bound: float
    least: bool = False  # True: the value has to reach the bound; otherwise to stay within

    def met(self) -> bool:
        """Return whether the goal is met."""
        return self.found >= self.bound if self.least else self.found <= self.bound


def goals(results: Results) -> list[Goal]:
    """Return the goals of step 4; what is compared was measured in the same run."""
    sizes, users = results.sizes, results.sizes.users

    def found(mode: str, users: int, key: str) -> float | None:
        return results.median(mode, SUBJECT, users, key)

    def against(other: str, mode: str, users: int, key: str) -> float | None:
        return results.ratio(mode, SUBJECT, other, users, key)

    goals = []
    for count in sizes.single_users:
        for other, bound in (("asyncio", 1), ("forwarder", 1.25)):
            ratio = against(other, "single", count, "p50_ms")
            title = f"p50 of one message to {count} users, against {SERVERS[other].title}"
            goals.append(Goal(title, ratio, bound))
    rate = f"p99 at {sizes.rate:.0f} messages/s to {users} users"
    goals += [
        Goal(f"{rate}, {senders} talk, ms", found(mode, users, "p99_ms"), 10)
        for mode, senders in (("rate", "all"), ("talkers", sizes.senders))
    ]
    speed = ("saturation", users, "deliveries_per_s")
    crowd, idle = ("crowd", sizes.crowd), ("idle", sizes.idle_users)
    slower = against("asyncio", "rate", users, "p99_ms")
    others = sizes.crowd - 1
    return [
        *goals,
        Goal(f"{rate}, all talk, against asyncio", slower, 0.02),
        Goal("deliveries/s at saturation, against asyncio", against("asyncio", *speed), 20, True),
        Goal("the same, against asyncio, batches (an aim)", against("batched", *speed), 1, True),
        Goal(f"of {others} others reached", found(*crowd, "received"), others, True),
        Goal(f"until {sizes.crowd} have joined, s", found(*crowd, "join_seconds"), 60),
        Goal("memory for each of them, kB", found(*crowd, "server_kb_per_user"), 40),
        Goal(f"{idle[1]} silent users: CPU, %", found(*idle, "server_cpu_percent"), 0.5),
    ]


def notes(results: Results) -> list[str]:
    """Return what a reader of the tables has to know."""
    lines = [
        "Server and load generator had a processor each."
        if processors.pair()
        else "Server and load generator could not be kept on a processor each: figures scatter."
    ]
    runs = [run for runs in results.runs.values() for run in runs]
    if count := sum(map(disturbed, runs)):
        lines.append(
            f"Not a quiet machine: in {count} of {len(runs)} runs other processes took more than "
            f"{DISTURBED} % of a core. Medians leave these runs out where others are left."
        )
    if any(case.server == "single" for case in results.runs):
        lines.append(
            '"One by one" is step 4 with batches of one: beside step 4 it shows what batches do.'
        )
    if any(case.server == "step3" for case in results.runs):
        lines.append(
            "Step 3 has no frames: under load its messages arrive glued, most without an author."
        )
    return lines


def unavailable(servers: Iterable[str]) -> dict[str, str]:
    """Return which servers cannot be measured here, and why."""
    return {name: why for name in servers if (why := missing(SERVERS[name]))}
