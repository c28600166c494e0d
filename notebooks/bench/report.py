"""What comes of the results: the tables, the goals of step 4, what a reader has to know."""

from dataclasses import dataclass

from bench import processors
from bench.servers import SERVERS
from bench.stats import number, table
from bench.suite import DISTURBED, Results, Sizes, disturbed

SUBJECT = "step4"  # the server that has goals


def text(results: Results, servers: list[str]) -> str:
    """Return the tables, what a reader has to know, and what went wrong."""
    parts = [
        values_table(results, servers),
        ratios_table(results, servers),
        goals_table(results),
        "\n".join(notes(results) + results.errors()),
    ]
    return "\n\n".join(filter(None, parts))


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
