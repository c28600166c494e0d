"""`bench.measure`: what a run returns, that it is counted, and that it says what went wrong."""

import csv
import os

import numpy as np
import pytest

import bench
import look
from bench import runs, suite

posix = pytest.mark.skipif(os.name != "posix", reason="a server cannot be asked to end on Windows")


@posix
def test_a_run_has_a_latency_for_each_message_and_each_recipient():
    run = bench.measure("step4", users=5, messages=30)
    assert run.latencies.shape == (30, 4)
    assert (run.latencies > 0).all()
    assert run.p(50) == pytest.approx(run.found["p50_ms"] * 1000, rel=1e-3)
    assert (run.last() >= run.latencies[:, 0]).all()


@posix
def test_under_a_rate_each_delivery_counts_but_those_at_the_beginning():
    run = bench.measure("step4", users=5, mode="rate", rate=200, seconds=0.5, uncounted=0.1)
    assert run.latencies.shape == ((100 - 20) * 4,)


@posix
def test_the_sends_of_a_server_are_counted():
    run = bench.measure("step3", users=5, mode="rate", rate=100, seconds=0.5, count_sends=True)
    assert 0 < run.found["send_calls"] <= run.found["received"] == 50 * 4


@posix
def test_without_nodelay_broadcasts_wait_for_acknowledgements():
    if not os.path.exists("/proc/sys/net/ipv4/tcp_delack_seg") and os.uname().sysname != "Linux":
        pytest.skip("other systems acknowledge in other ways")
    run = bench.measure("step4", users=5, messages=40, nodelay=False)
    assert np.mean(run.last() > 20_000) > 0.1


@posix
def test_one_event_at_a_time_waits_in_a_queue_of_one():
    run = bench.measure("step4", users=5, mode="saturation", senders=2, seconds=0.2, queue=1)
    assert run.found["deliveries_per_s"] > 0
    assert run.task["queue"] == 1


@posix
def test_the_runs_of_all_cases_are_repeated_and_shuffled(monkeypatch):
    asked = []
    monkeypatch.setattr(runs, "measure", lambda **case: asked.append(case["users"]))
    bench.measure_all([{"users": n} for n in range(20)], 2, "test")
    assert sorted(asked[:20]) == sorted(asked[20:]) == list(range(20))
    assert asked[:20] != asked[20:]


FOUND = {"expected": 40, "received": 40, "lost": 0}


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({"error": "it does not start"}, "step 4: it does not start"),
        (FOUND | {"expected": 41}, "step 4: counted 40 of 41, not of 40 deliveries"),
        (FOUND | {"received": 41}, "step 4: counted 41 of 40, not of 40 deliveries"),
        (FOUND | {"received": 39}, "step 4: 39 of 40 deliveries"),
    ],
)
def test_a_run_that_cannot_be_counted_is_none(monkeypatch, found, problem):
    monkeypatch.setattr(suite, "put_load_on", lambda *_: found)
    with pytest.raises(bench.MeasurementError) as error:
        bench.measure("step4", users=5, messages=10)
    assert str(error.value) == problem


def test_a_run_that_others_disturbed_is_made_again_but_not_for_ever(monkeypatch):
    made = []
    busy = FOUND | {"others_cpu_percent": suite.DISTURBED + 1}
    monkeypatch.setattr(suite, "put_load_on", lambda *_: made.append(1) or busy)
    bench.measure("step4", users=5, messages=10)
    assert len(made) == 1 + runs.SPARE


def test_samples_and_what_runs_told_are_kept(tmp_path):
    run = bench.Run("step4", "single", 3, np.array([[1.4, 2.6]]), {"expected": 2, "list": [1]})
    bench.save([run], tmp_path)
    assert np.load(tmp_path / "samples.npz")["000_single_step4_3"].tolist() == [[1, 3]]
    rows = list(csv.DictReader((tmp_path / "runs.csv").open(encoding="utf-8")))
    assert rows == [{"run": "000_single_step4_3", "expected": "2", "rate": ""}]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.364, "0,36"),
        (1.23, "1,2"),
        (12.3, "12"),
        (3000, "3000"),
        (12_000, "12\u202f000"),
    ],
)
def test_numbers_are_written_as_russian_readers_do(value, text):
    assert look.ru(value) == text


@pytest.mark.parametrize(
    ("factor", "text"), [(2.54, "2,5 раза"), (13, "13 раз"), (22, "22 раза"), (11, "11 раз")]
)
def test_how_many_times_agrees_with_its_number(factor, text):
    assert look.times(factor) == text
