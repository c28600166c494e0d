"""What `python notebooks/bench` measures: the cases, their order, and all results."""

import random
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from bench.measurement import disturbed
from bench.servers import SERVERS, missing
from bench.settings import ATTACKS

MOST_MESSAGES = 2000  # in mode "single"
JOINING = 150  # seconds for all users to join
CHATS = ("asyncio", "batched", "step3", "step4")
MODES = {
    "single": ("forwarder", *CHATS),
    "rate": ("forwarder", *CHATS, "uvloop", "single"),  # all users talk
    "talkers": ("forwarder", *CHATS, "single"),  # some of them talk, at the same rate
    "saturation": ("forwarder", *CHATS, "uvloop", "single", "ngircd"),
    "monologue": ("forwarder", *CHATS),  # the same from one talker
    "storm": ("batched", "step4"),
    "flood": ("batched", "step4"),
    "paste": ("batched", "step4"),
    "crowd": ("step4",),
    "idle": ("asyncio", "step4"),
}
LOADS = {
    "talkers": "rate",
    "monologue": "saturation",
}  # the mode of the load generator, where it has another name
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
    crowds: tuple[int, ...] = (1000, 5000)
    storm: int = 4  # programs that connect, say a word and vanish
    flood: int = 1000  # users who send messages of one byte
    idlers: int = 10  # who do not read what another one pastes
    pasted: int = 20_000_000  # bytes
    attack_seconds: float = 5.0
    attack_rate: float = 100.0  # messages per second from the one who talks amid attackers
    attack_drain: float = 5.0
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
    crowds=(500,),
    flood=200,
    pasted=4_000_000,
    attack_seconds=1.0,
    attack_drain=2.0,
    idle_users=200,
    idle_seconds=1.0,
)


@dataclass(frozen=True)
class Case:
    """One server under one load."""

    mode: str
    server: str
    users: int  # or attackers

    def __str__(self) -> str:
        return f"{self.mode}, {self.users} users, {SERVERS[self.server].title}"


def plan(
    modes: Iterable[str], servers: Iterable[str], sizes: Sizes, repeat: int, seed: int
) -> list[Case]:
    """Return all cases in the order in which they run: every time the servers are shuffled."""
    chance = random.Random(seed)
    users = {
        "single": sizes.single_users,
        "crowd": sizes.crowds,
        "idle": (sizes.idle_users,),
        "storm": (sizes.storm,),
        "flood": (sizes.flood,),
        "paste": (sizes.idlers,),
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
    if case.mode in ATTACKS:
        return {
            "mode": case.mode,
            "users": 2,  # an honest pair
            "senders": 1,
            "attackers": case.users,
            "pasted": sizes.pasted,
            "rate": sizes.attack_rate,
            "seconds": sizes.attack_seconds,
            "drain": sizes.attack_drain,
        }
    senders = {"rate": case.users, "monologue": 1}
    seconds = {
        "rate": sizes.rate_seconds,
        "talkers": sizes.rate_seconds,
        "saturation": sizes.saturation_seconds,
        "monologue": sizes.saturation_seconds,
        "idle": sizes.idle_seconds,
    }
    return {
        "mode": LOADS.get(case.mode, case.mode),
        "users": case.users,
        "senders": senders.get(case.mode, min(sizes.senders, case.users)),
        "messages": min(sizes.deliveries // case.users, MOST_MESSAGES),
        "rate": sizes.rate,
        "seconds": seconds.get(case.mode, 1.0),
        "warm_up": sizes.warm_up,
        "drain": sizes.drain,
        "joining": JOINING,
    }


def undisturbed(together: list[tuple[dict, ...]]) -> list[tuple[dict, ...]]:
    """Return the runs, or pairs of runs, that nothing disturbed; all, if all were disturbed."""
    return [runs for runs in together if not any(map(disturbed, runs))] or together


class CaseResults:
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


def unavailable(servers: Iterable[str]) -> dict[str, str]:
    """Return which servers cannot be measured here, and why."""
    return {name: why for name in servers if (why := missing(SERVERS[name]))}
