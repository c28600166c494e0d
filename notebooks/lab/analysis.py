"""From samples to the summary: percentiles with intervals, the line, the knee, the freeze.

Intervals are 95 % bootstrap intervals, drawn on two levels: runs, then the broadcasts of each
run, both with replacement; so they hold the spread between runs as well as that within one.
"""

import math
import statistics

import numpy as np

from bench.suite import DISTURBED
from lab.experiments import ALONE, COMPARED, FREE, NAMES, PHASES, PINNED, WITH, WITHOUT, Samples
from lab.parameters import Parameters

PERCENTILES = (50, 95, 99)
MEASURES = (*(f"p{percent}" for percent in PERCENTILES), "last")
CONFIDENCE = (2.5, 97.5)  # percentiles of the resamplings
DELAYED_ACK_US = 40_000  # for so long Linux keeps an acknowledgement back, at least
LATE_US = 100_000  # after which a message to a healthy client counts as late
ROUNDS = 20  # after which the weights of the line no longer change
SLOW = 15  # percent beyond the line from which a run counts as disturbed


def summarize(samples: Samples, parameters: Parameters) -> dict:
    """Return all figures that the text uses (keys: see `results`)."""
    rate = rates(samples)
    return {
        "latency": latencies(samples, parameters),
        "fit": {name: fit(samples, name, parameters) for name in NAMES},
        "rate": rate,
        "knee": {name: knee(rate[name], parameters.limit_ms) for name in NAMES},
        "batch": {name: batches(samples, name) for name in NAMES},
        "stall": {name: stall(samples, name) for name in ("step3", "step4")},
        "nagle": {variant: nagle(samples.nagle[variant]) for variant in (WITH, WITHOUT, ALONE)}
        | {"cause": nagle_cause(samples.nagle[WITHOUT])},
        "share": {
            name: shares(samples.cost[name], runs_of(samples, "cost", name), parameters.cost_users)
            for name in NAMES
        },
        "price": {str(users): price(samples, users) for users in sorted(samples.price)},
        "control": control(samples, parameters),
        "compared": {
            name: compared(samples, name) for name in COMPARED if name in samples.compared
        },
        "counts": counts(samples),
    }


def measures(rows: np.ndarray) -> np.ndarray:
    """Return MEASURES of broadcasts, a row of latencies each; `last` is a median."""
    percentiles = np.percentile(rows, PERCENTILES, method="inverted_cdf")
    return np.append(percentiles, np.median(rows.max(axis=1)))


def resampled(runs: list[np.ndarray], chance: np.random.Generator) -> list[np.ndarray]:
    """Return runs drawn on two levels: runs, then the broadcasts of each."""
    chosen = chance.integers(len(runs), size=len(runs))
    return [runs[run][chance.integers(len(runs[run]), size=len(runs[run]))] for run in chosen]


def latencies(samples: Samples, parameters: Parameters) -> dict:
    """Return the measures of every server and size, with their intervals."""
    chance = np.random.default_rng(parameters.seed)
    found: dict = {name: {} for name in NAMES}
    for (name, users), runs in sorted(samples.latency.items()):
        values = measures(np.concatenate(runs))
        drawn = [
            measures(np.concatenate(resampled(runs, chance))) for _ in range(parameters.bootstrap)
        ]
        low, high = np.percentile(drawn, CONFIDENCE, axis=0)
        entry = {}
        for index, measure in enumerate(MEASURES):
            entry[f"{measure}_us"] = round(values[index], 1)
            entry[f"{measure}_low_us"] = round(low[index], 1)
            entry[f"{measure}_high_us"] = round(high[index], 1)
        found[name][str(users)] = entry
    return found


def last_of(samples: Samples, name: str) -> list[tuple[int, list[np.ndarray]]]:
    """Return for each number of recipients the times to the last one, an array for each run."""
    found = sorted(
        (users, runs) for (server, users), runs in samples.latency.items() if server == name
    )
    return [(users - 1, [rows.max(axis=1) for rows in runs]) for users, runs in found]


def medians(found: list[tuple[int, list[np.ndarray]]]) -> tuple[np.ndarray, np.ndarray]:
    """Return recipients and the median time to the last of them, for each run."""
    pairs = [(count, np.median(times)) for count, runs in found for times in runs]
    return tuple(np.array(pairs, dtype=float).T)


def points(found: list[tuple[int, list[np.ndarray]]]) -> tuple[np.ndarray, np.ndarray]:
    """Return recipients and the least of these medians, for each number of recipients.

    What disturbs a run makes it longer and never shorter: the shortest one was disturbed least.
    """
    counts, times = medians(found)
    sizes = np.unique(counts)
    return sizes, np.array([times[counts == count].min() for count in sizes])


def line(recipients: np.ndarray, times: np.ndarray) -> tuple[float, float]:
    """Return the slope and the constant of the line with the least relative squares.

    A deviation of 10 % counts the same for 1 recipient and for 1000. It is relative to the line:
    relative to the times, those that are too short by chance would weigh more than the long.
    """
    expected = times
    for _ in range(1 + ROUNDS):
        slope, constant = np.polyfit(recipients, times, 1, w=1 / expected)
        # Half the shortest time, so that a line that falls below 0 does not weigh without end.
        expected = np.maximum(constant + slope * recipients, times.min() / 2)
    return float(slope), float(constant)


def residuals(
    recipients: np.ndarray, times: np.ndarray, slope: float, constant: float
) -> np.ndarray:
    """Return by how many percent of the line the times are beyond it."""
    return (times / (constant + slope * recipients) - 1) * 100


def r_squared(times: np.ndarray, expected: np.ndarray) -> float:
    """Return the share of the (relative) variance that the line explains."""
    weights = 1 / expected**2
    mean = np.average(times, weights=weights)
    return float(
        1 - (weights * (times - expected) ** 2).sum() / (weights * (times - mean) ** 2).sum()
    )


def fit(samples: Samples, name: str, parameters: Parameters) -> dict:
    """Fit time to the last recipient = fixed cost + cost per recipient · recipients."""
    chance, found = np.random.default_rng(parameters.seed), last_of(samples, name)
    recipients, times = points(found)
    slope, constant = line(recipients, times)
    beyond = residuals(recipients, times, slope, constant)
    every = residuals(*medians(found), slope, constant)
    ahead, before = line(recipients[:-1], times[:-1])  # from all rooms but the largest
    drawn = []
    for _ in range(parameters.bootstrap):
        again = [(count, resampled(runs, chance)) for count, runs in found]
        drawn.append(line(*points(again)))
    low, high = np.percentile(drawn, CONFIDENCE, axis=0)
    return {
        "us_per_recipient": round(slope, 3),
        "us_per_recipient_low": round(low[0], 3),
        "us_per_recipient_high": round(high[0], 3),
        "fixed_us": round(constant, 2),
        "fixed_low_us": round(low[1], 2),
        "fixed_high_us": round(high[1], 2),
        "r2": round(r_squared(times, constant + slope * recipients), 4),
        "worst_residual_percent": round(float(np.abs(beyond).max()), 1),
        "worst_users": int(recipients[np.abs(beyond).argmax()]) + 1,
        "runs": len(every),
        "slow_runs": int((every > SLOW).sum()),
        "largest_us": round(times[-1], 1),
        "predicted_us": round(before + ahead * recipients[-1], 1),
    }


def weighted_percentile(rows: np.ndarray, percent: float) -> int:
    """Return a percentile (nearest rank) of rows (value, how many), sorted by value."""
    order = rows[:, 0].argsort()
    reached = rows[order, 1].cumsum()
    rank = max(int(np.ceil(reached[-1] * percent / 100)), 1)
    return int(rows[order][np.searchsorted(reached, rank), 0])


def rates(samples: Samples) -> dict:
    """Return p50 and p99 of every server and rate: the median of the runs, and their range."""
    found: dict = {name: {} for name in NAMES}
    for (name, rate), runs in sorted(samples.rate.items()):
        entry = {}
        for percent in (50, 99):
            values = [weighted_percentile(rows, percent) / 1000 for rows in runs]
            entry |= ranged(f"p{percent}", "ms", values)
        here = [run for run in runs_of(samples, "rate", name) if run["rate"] == rate]
        late = statistics.median(run["sent_late_p99_ms"] for run in here)
        lost = sum(run["expected"] - run["received"] for run in here)
        entry |= {"sent_late_p99_ms": round(late, 3), "lost": lost}
        entry["lost_percent"] = round(100 * lost / sum(run["expected"] for run in here), 2)
        entry["generator_cpu_percent"] = round(
            statistics.median(run["generator_cpu_percent"] for run in here), 1
        )
        found[name][str(rate)] = entry
    return found


def ranged(name: str, unit: str, values: list[float]) -> dict:
    """Return the median of the runs, the least and the greatest of them, under their keys."""
    return {
        f"{name}_{unit}": round(statistics.median(values), 3),
        f"{name}_low_{unit}": round(min(values), 3),
        f"{name}_high_{unit}": round(max(values), 3),
    }


def control(samples: Samples, parameters: Parameters) -> dict:
    """Return the time to the last recipient, pinned and not, in the one room of both."""
    users = parameters.control_users
    found = {}
    for name in NAMES:
        ways = {PINNED: samples.latency.get((name, users)), FREE: samples.free[name]}
        found[name] = {}
        for way, runs in ways.items():
            if runs:
                values = [float(np.median(rows.max(axis=1))) for rows in runs]
                found[name][way] = ranged("last", "us", values)
    return found


def compared(samples: Samples, name: str) -> dict:
    """Return what a chat does at the rate of the comparison, and how much it can do at most."""
    p99s = [weighted_percentile(rows, 99) / 1000 for rows in samples.compared[name]]
    lost = sum(run["expected"] - run["received"] for run in runs_of(samples, "compared", name))
    runs = runs_of(samples, "saturation", name)
    full, busy = ([run[key] for run in runs] for key in ("deliveries_per_s", "server_cpu_percent"))
    busy = [percent for percent in busy if percent is not None]  # long enough to see it
    entry = ranged("p99", "ms", p99s) | {"lost": lost}
    entry["server_cpu_percent"] = round(statistics.median(busy), 1) if busy else None
    return entry | {key: round(value) for key, value in ranged("deliveries", "per_s", full).items()}


def runs_of(samples: Samples, experiment: str, server: str) -> list[dict]:
    """Return the runs of an experiment on a server."""
    return [run for run in samples.runs if key_of(run) == (experiment, server)]


def key_of(run: dict) -> tuple[str, str]:
    """Return what a run measured, on which server."""
    return run["experiment"], run["server"]


def knee(rates_of_server: dict, limit_ms: float) -> dict:
    """Return the highest rate up to which p99 is within the limit, and the first beyond.

    The median of the repetitions counts. None stands for a server that broke at the lowest rate,
    or at none.
    """
    held = None
    for rate in sorted(map(int, rates_of_server)):
        if rates_of_server[str(rate)]["p99_ms"] > limit_ms:
            return {"rate_per_s": held, "broken_per_s": rate}
        held = rate
    return {"rate_per_s": held, "broken_per_s": None}


def batches(samples: Samples, name: str) -> dict:
    """Return how many deliveries one call of `send` carried under a rate."""
    runs = runs_of(samples, "batch", name)
    carried = sum(run["received"] for run in runs) / max(sum(run["send_calls"] for run in runs), 1)
    return {"messages_per_send": round(carried, 2), "rate_per_s": runs[0]["rate"]}


def stall(samples: Samples, name: str) -> dict:
    """Return what a healthy client got while another one had stopped reading."""
    runs = runs_of(samples, "stall", name)
    gaps, ends, medians = zip(*map(freeze, samples.stall[name], runs), strict=True)
    expected = sum(run["expected"] for run in runs)
    received = sum(run["received"] for run in runs)
    watched = np.concatenate(samples.stall[name])
    late = np.where(watched[:, 1] >= 0, watched[:, 1] - watched[:, 0], np.inf)
    cut_off = [run["cut_off_ms"] for run in runs if run["cut_off_ms"] is not None]
    return {
        "runs": len(runs),
        "stalled_at_s": round(statistics.median(run["stalled_at_ms"] for run in runs) / 1000, 3),
        "expected": expected,
        "received": received,
        "received_percent": math.floor(10_000 * received / expected) / 100,
        "witness_expected": len(watched),
        "witness_received": int((watched[:, 1] >= 0).sum()),
        "longest_gap_s": round(statistics.median(gaps), 4),
        "silent_at_end_s": round(statistics.median(ends), 4),
        "arrived_p50_ms": round(statistics.median(medians), 3),
        "worst_late_s": round(float(late[np.isfinite(late)].max(initial=0)) / 1e6, 4),
        "late_percent": round(float(100 * (late > LATE_US).mean()), 2),
        "cut_off": len(cut_off),
        "cut_off_s": round(statistics.median(cut_off) / 1000, 3) if cut_off else None,
        "bytes_for_stalled": min(run["bytes_for_stalled"] for run in runs),
    }


def freeze(timeline: np.ndarray, run: dict) -> tuple[float, float, float]:
    """Return the longest gap after the stall, the silence at the end (s), p50 of arrivals (ms).

    The gap counts up to the end of the run if not all has come.
    """
    arrived = timeline[timeline[:, 1] >= 0]
    times = np.sort(arrived[:, 1]) / 1e6
    silent = run["end_ms"] / 1e3 - times[-1] if len(arrived) < len(timeline) else 0.0
    after = times[times >= run["stalled_at_ms"] / 1e3 - 0.1]
    longest = max(np.diff(after).max(initial=0.0), silent)
    return float(longest), float(silent), float(np.median(arrived[:, 1] - arrived[:, 0]) / 1000)


def nagle(runs: list[np.ndarray]) -> dict:
    """Return the time until the last recipient had a broadcast, and how many broadcasts waited."""
    rows = np.concatenate(runs)
    last = rows.max(axis=1)
    waited = last >= DELAYED_ACK_US / 2
    p50, p95, p99 = np.percentile(last, PERCENTILES, method="inverted_cdf") / 1000
    return {
        "p50_ms": round(p50, 3),
        "p95_ms": round(p95, 3),
        "p99_ms": round(p99, 3),
        "delivery_p50_ms": round(float(np.median(rows)) / 1000, 3),
        "waited_percent": round(float(100 * waited.mean()), 1),
        "wait_ms": round(float(np.median(last[waited])) / 1000, 1) if waited.any() else None,
    }


def nagle_cause(runs: list[np.ndarray]) -> dict:
    """Return who is late in the broadcasts that wait, and how often one that waits follows one.

    Clients take turns: broadcast k is of client k, counted in a circle, and its row has no place
    for the author.
    """
    late, by_two, waiting, pairs, alternate = 0, 0, [], 0, 0
    for rows in runs:
        users = rows.shape[1] + 1
        here = rows >= DELAYED_ACK_US / 2
        for k, places in enumerate(here):
            author = k % users
            recipients = [j + (j >= author) for j in np.flatnonzero(places)]
            late += len(recipients)
            by_two += recipients.count((k - 2) % users)
        waits = here.any(axis=1)
        waiting += here.sum(axis=1)[waits].tolist()
        pairs += len(waits) - 1
        alternate += int((waits[1:] != waits[:-1]).sum())
    return {
        "late_recipients": statistics.median(waiting) if waiting else 0,
        "spoke_two_before_percent": round(100 * by_two / late, 1) if late else 0.0,
        "alternate_percent": round(100 * alternate / max(pairs, 1), 1),
    }


def shares(recorded: list[np.ndarray], runs: list[dict], users: int) -> dict:
    """Return the phases of a broadcast: medians, scaled to their sum, less the cost of noting.

    They are of the fastest repetition, which was disturbed least.
    """
    rows = min(recorded, key=lambda rows: np.median(rows.sum(axis=1)))
    recipients = users - 1
    total = np.median(rows.sum(axis=1)) / 1000
    middle = np.median(rows, axis=0)
    parts = dict(zip(PHASES, middle / middle.sum() * total, strict=True))
    noting, inside = (
        statistics.median(run[key] for run in runs) / 1000 * recipients
        for key in ("noting_ns", "noting_inside_ns")
    )
    parts["send"] = max(parts["send"] - inside, 0)
    parts["between"] = max(parts["between"] - (noting - inside), 0)
    net = sum(parts.values())
    entry = {f"{phase}_us": round(part, 1) for phase, part in parts.items()}
    entry |= {f"{phase}_percent": round(100 * part / net, 1) for phase, part in parts.items()}
    return entry | {
        "total_us": round(net, 1),
        "us_per_send": round(parts["send"] / recipients, 3),
        "noting_us": round(noting, 1),
        "noting_percent": round(100 * noting / total, 1),
    }


def price(samples: Samples, users: int) -> dict:
    """Return the phases of a broadcast of step 4 in a room of this size."""
    runs = [run for run in runs_of(samples, "price", "step4") if run["users"] == users]
    return shares(samples.price[users], runs, users)


def counts(samples: Samples) -> dict:
    """Return how much was expected and received, and in how many runs others disturbed."""
    runs = samples.runs
    counted = [run for run in runs if run["expected"] is not None]
    others = [run["others_cpu_percent"] for run in runs if run["others_cpu_percent"] is not None]
    return {
        "runs": len(runs),
        "expected": sum(run["expected"] for run in counted),
        "received": sum(run["received"] for run in counted),
        "repeated": sum(run["repeated"] or 0 for run in runs),
        "measurable_runs": len(others),
        "disturbed_runs": sum(percent > DISTURBED for percent in others),
        "disturbed_limit_percent": DISTURBED,
    }
