"""What comes of the results: the tables, the goals of step 4, what a reader has to know."""

from dataclasses import dataclass

from bench import processors
from bench.measurement import DISTURBED, disturbed
from bench.servers import SERVERS
from bench.stats import number, table
from bench.suite import CaseResults, Sizes

SUBJECT = "step4"  # the server that has goals
SOON = 1000  # users, up to whom all join within seconds


def text(results: CaseResults, servers: list[str]) -> str:
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
    for mode, talkers in (("monologue", "one"), ("saturation", str(sizes.senders))):
        full = f"as much as is taken from {talkers} of {sizes.users} users: deliveries/s"
        lines += [
            Row(mode, sizes.users, "deliveries_per_s", full, False),
            Row(mode, sizes.users, "us_per_delivery", "server's CPU per delivery, µs", True),
            Row(mode, sizes.users, "server_cpu_percent", "(server busy, % of a core)"),
            Row(mode, sizes.users, "generator_cpu_percent", "(generator busy, %)"),
            Row(mode, sizes.users, "others_cpu_percent", "(other processes, %)"),
        ]
    for mode, attackers, title, _ in attacks(sizes):
        lines += [
            Row(mode, attackers, "p50_ms", f"a message amid {title}: p50, ms", True),
            Row(mode, attackers, "p99_ms", "p99, ms", True),
            Row(mode, attackers, "max_ms", "at worst, ms", True),
            Row(mode, attackers, "lost", "not delivered when time was up"),
            Row(mode, attackers, "sent_late_p99_ms", "(generator sent late: p99, ms)"),
            Row(mode, attackers, "attacks", "(attackers' messages or connections)"),
        ]
    for crowd in sizes.crowds:
        lines += [
            Row("crowd", crowd, "received", f"{crowd} users: reached by a broadcast"),
            Row("crowd", crowd, "last_ms", "last recipient, ms"),
            Row("crowd", crowd, "join_seconds", "all joined after, s"),
            Row("crowd", crowd, "server_kb_per_user", "server's memory per user, kB"),
        ]
    return [
        *lines,
        Row("idle", sizes.idle_users, "server_cpu_percent", f"{sizes.idle_users} silent: CPU, %"),
    ]


def attacks(sizes: Sizes) -> list[tuple[str, int, str, tuple[str, float]]]:
    """Return each attack: its mode, how many attack, its title, and what is wanted, in ms."""
    pasted = f"{sizes.pasted / 1e6:.0f} MB pasted to {sizes.idlers} who do not read"
    return [
        ("storm", sizes.storm, f"{sizes.storm} programs that connect and vanish", ("p99_ms", 20)),
        ("flood", sizes.flood, f"{sizes.flood} who flood with 1-byte texts", ("max_ms", 2000)),
        ("paste", sizes.idlers, pasted, ("max_ms", 400)),
    ]


def values_table(results: CaseResults, servers: list[str]) -> str:
    """Return the medians of all servers, side by side."""
    header = ["median of the repetitions", *(SERVERS[name].title for name in servers)]
    lines = []
    for row in rows(results.sizes):
        values = [results.median(row.mode, name, row.users, row.key) for name in servers]
        if any(value is not None for value in values):
            lines.append([row.title, *map(number, values)])
    return table(header, lines)


def ratios_table(results: CaseResults, servers: list[str]) -> str:
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


def goals_table(results: CaseResults) -> str:
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


def goals(results: CaseResults) -> list[Goal]:
    """Return the goals of step 4; what is compared was measured in the same run."""
    sizes, users = results.sizes, results.sizes.users

    def found(mode: str, users: int, key: str) -> float | None:
        return results.median(mode, SUBJECT, users, key)

    def against(other: str, mode: str, users: int, key: str) -> float | None:
        return results.ratio(mode, SUBJECT, other, users, key)

    goals = []
    for count in sizes.single_users:
        for other, bound in (("batched", 1), ("forwarder", 1.5)):
            ratio = against(other, "single", count, "p50_ms")
            title = f"p50 of one message to {count} users, against {SERVERS[other].title}"
            goals.append(Goal(title, ratio, bound))
    for mode, senders in (("rate", "all"), ("talkers", sizes.senders)):
        for key in ("p50_ms", "p99_ms"):
            title = f"{key[:3]} at {sizes.rate:.0f} messages/s to {users} users, {senders} talk"
            ratio = against("batched", mode, users, key)
            goals.append(Goal(f"{title}, against {SERVERS['batched'].title}", ratio, 1))
        goals.append(Goal(f"{title}, ms", found(mode, users, "p99_ms"), 10))
    slower = against("asyncio", "rate", users, "p99_ms")
    goals.append(
        Goal(f"p99 at {sizes.rate:.0f} messages/s, all talk, against asyncio", slower, 0.02)
    )
    for mode, talkers in (("monologue", "one talker"), ("saturation", f"{sizes.senders} talkers")):
        title = f"deliveries/s, {talkers}, against {SERVERS['batched'].title} (aim: 1)"
        ratio = against("batched", mode, users, "deliveries_per_s")
        goals.append(Goal(title, ratio, 0.85, True))
    faster = against("asyncio", "saturation", users, "deliveries_per_s")
    goals.append(Goal("the same, against asyncio", faster, 20, True))
    for mode, attackers, title, (key, bound) in attacks(sizes):
        goals.append(Goal(f"{key[:3]} amid {title}, ms", found(mode, attackers, key), bound))
    for crowd in sizes.crowds:
        seconds = 5 if crowd <= SOON else 120
        goals += [
            Goal(
                f"of {crowd - 1} others reached", found("crowd", crowd, "received"), crowd - 1, True
            ),
            Goal(f"until {crowd} have joined, s", found("crowd", crowd, "join_seconds"), seconds),
            Goal("memory for each of them, kB", found("crowd", crowd, "server_kb_per_user"), 40),
        ]
    silent = found("idle", sizes.idle_users, "server_cpu_percent")
    return [*goals, Goal(f"{sizes.idle_users} silent users: CPU, %", silent, 0.5)]


def notes(results: CaseResults) -> list[str]:
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
