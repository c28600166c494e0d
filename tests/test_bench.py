"""The benchmark: that it measures what it says, on sizes that take seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import load, stats, suite
from bench.servers import SERVERS

BENCH = Path(__file__).parent.parent / "notebooks" / "bench"


def bench(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(BENCH), *arguments], capture_output=True, text=True, timeout=120
    )


def test_one_command_prints_values_ratios_and_goals_and_keeps_the_results(tmp_path):
    results = tmp_path / "results.json"
    servers = "forwarder,asyncio,step3,step4"
    done = bench("--quick", "--modes", "single", "--servers", servers, "--json", str(results))
    assert done.returncode == 0, done.stderr
    assert "one message at a time, 10 users: p50, ms" in done.stdout
    assert "step 4 is better by a factor of" in done.stdout
    assert "at most asyncio's" in done.stdout
    kept = json.loads(results.read_text("utf-8"))
    assert "single" in json.dumps(kept)


def test_under_a_rate_every_message_is_counted(tmp_path):
    sizes = suite.QUICK
    [case] = suite.plan(["rate"], ["step4"], sizes, 1, 1)
    found = suite.measure(case, sizes)
    assert "error" not in found
    assert found["lost"] == 0
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]


def test_the_beginning_of_a_rate_can_be_left_out():
    task = {"mode": "rate", "users": 5, "senders": 5, "rate": 100, "seconds": 0.4, "drain": 0.5}
    every, rest = (suite.put_load_on(SERVERS["step4"], task | {"uncounted": s}) for s in (0, 0.1))
    assert (every["expected"], every["received"]) == (40 * 4, 40 * 4)
    assert (rest["expected"], rest["received"]) == (30 * 4, 30 * 4)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such limit")
def test_a_file_limit_that_cannot_be_raised_stays_as_it_is(monkeypatch):
    import resource

    def refuse(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert load.raise_file_limit() == 256


@pytest.mark.parametrize(
    "arguments",
    [["--modes", "nonsense"], ["--servers", ""], ["--repeat", "0"], ["--json", "/no/such/x.json"]],
)
def test_bad_input_is_told_in_one_line_with_status_2(arguments):
    done = bench(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_percentile_is_one_of_the_values_by_nearest_rank():
    values = np.array([5.0, 1.0, 4.0, 2.0, 3.0])
    found = [stats.percentile(values, percent) for percent in (1, 20, 21, 50, 99, 100)]
    assert found == [1.0, 1.0, 2.0, 3.0, 5.0, 5.0]


def test_a_ratio_is_taken_between_neighbours_in_time():
    results = suite.Results(suite.QUICK)
    step4, other = (suite.Case("single", name, 10) for name in ("step4", "asyncio"))
    # The machine was slower, then disturbed; at last one of the runs failed.
    for ours, theirs, busy in ((1, 2, 0), (5, 10, 0), (30, 10, 90), (4, 10, 0)):
        results.add(step4, {"p50_ms": ours, "others_cpu_percent": busy})
        results.add(other, {"p50_ms": theirs})
    results.add(step4, {"p50_ms": 100})
    results.add(other, {"error": "no result"})
    assert results.ratio("single", "step4", "asyncio", 10, "p50_ms") == 0.5
    assert results.ratio("single", "step4", "forwarder", 10, "p50_ms") is None


def test_the_short_mode_is_measured_more_often_and_the_long_ones_once():
    cases = suite.plan(["single", "idle"], ["step4"], suite.FULL, repeat=2, seed=1)
    counts = [cases.count(suite.Case("single", "step4", users)) for users in (10, 100, 500)]
    assert counts == [2 * suite.FULL.single_times] * 3
    assert len(cases) == sum(counts) + 1
