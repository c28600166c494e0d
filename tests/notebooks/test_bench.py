"""The benchmark: that it measures what it says, on sizes that take seconds."""

import io
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import MeasurementError, load, measure, measurement, processors, stats, suite, tables
from bench.dialects import DIALECTS
from bench.servers import SERVERS, Contender, running

BENCH = Path(__file__).parents[2] / "notebooks" / "bench"


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
    assert "p50 of one message to 100 users, against forwarder" in done.stdout
    kept = json.loads(results.read_text("utf-8"))
    assert "single" in json.dumps(kept)


@pytest.mark.parametrize("name", ["batched", "single"])
def test_the_servers_to_compare_with_deliver_everything_in_order(name):
    load = {"mode": "saturation", "users": 5, "senders": 3, "warm_up": 0.1, "seconds": 0.2}
    found = measurement.put_load_on(SERVERS[name], load | {"drain": 20})
    assert found["all_arrived"], found
    assert found["samples_checked"] > 0  # each: its author, its number, its order


def speak(server: str, *words: str) -> list[str]:
    """Return what a server says to one who joins as ann and says these words."""
    with running(SERVERS[server]) as process, socket.socket() as connection:
        connection.settimeout(20)
        connection.connect((process.host, process.port))
        frames = DIALECTS["frames"]
        for word in ("ann", *words):
            connection.sendall(frames.message(word.encode()))
        connection.shutdown(socket.SHUT_WR)
        stream = connection.makefile("rb")
        heard = []
        while head := stream.read(4):
            heard.append(stream.read(int.from_bytes(head, "big")).decode())
        return heard


@pytest.mark.parametrize("server", ["asyncio", "batched"])
def test_the_asyncio_chats_know_the_words_of_step_4(server):
    welcome = ["* enter your nickname", "* welcome, ann", "* online: ann"]
    told = ["* online: ann", "* unknown command: /what", "* bye"]
    assert speak(server, "hello", "/who", "/what", "/quit", "/who") == welcome + told


# A forwarder that waits 50 ms before each message and swallows the one with number 3.
KNOWN = """
import selectors, socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
print("listening on 127.0.0.1:%d" % listener.getsockname()[1], flush=True)
selector = selectors.DefaultSelector()
selector.register(listener, selectors.EVENT_READ)
users = []
while True:
    for key, _ in selector.select():
        if key.fileobj is listener:
            users.append(listener.accept()[0])
            selector.register(users[-1], selectors.EVENT_READ)
            continue
        data = key.fileobj.recv(64)
        if not data:
            selector.unregister(key.fileobj)
            users.remove(key.fileobj)
            continue
        time.sleep(0.05)
        for user in users:
            if user is not key.fileobj and (data[1:13] != b"000000000003" or len(sys.argv) < 6):
                user.sendall(data)
"""


@pytest.fixture
def known(tmp_path, monkeypatch) -> str:
    """A server of which it is known what it does; with one more argument it swallows a message."""
    script = tmp_path / "known.py"
    script.write_text(KNOWN, encoding="utf-8")
    slow = Contender("slow", "slow", "raw", script)
    monkeypatch.setitem(SERVERS, "slow", slow)
    monkeypatch.setitem(SERVERS, "lossy", replace(slow, options=("lose",)))
    return "slow"


def test_a_run_returns_a_latency_for_each_message_and_recipient(known):
    run = measure(known, users=3, messages=4)
    assert run.samples.shape == (4, 2)
    assert (run.expected, run.received, run.lost) == (8, 8, 0)
    assert run.samples.min() >= 50_000  # microseconds


def test_what_a_server_swallows_is_lost_and_has_waited_until_the_end(known):
    run = measure("lossy", "rate", users=3, rate=10, seconds=0.5, drain=1.0)
    assert (run.expected, run.received, run.lost) == (10, 8, 2)
    assert sum(run.samples >= 1_000_000) == 2  # message 3 was due before the last second began


def test_a_run_that_fails_or_is_counted_wrong_is_none(known, monkeypatch):
    with pytest.raises(MeasurementError, match=r"slow: .*users must be"):
        measure(known, users=1)
    wrong = {"expected": 7, "received": 7}
    monkeypatch.setattr(measurement, "put_load_on", lambda *_, **__: wrong)
    with pytest.raises(MeasurementError, match="counted 7 of 7, not of 8"):
        measure(known, users=3, messages=4)


def test_a_changed_server_and_another_python_are_measured(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(
        measurement, "put_load_on", lambda server, *_, **__: started.append(server) or {}
    )
    measure("step4", "saturation", change="queue=7", python="another")
    assert started[0].launcher[1:] == ("queue=7",)
    assert started[0].python == "another"


def test_the_queue_of_step_4_has_the_length_that_was_asked_for(tmp_path):
    (tmp_path / "room.py").write_text("MOST_EVENTS = 30\n")
    (tmp_path / "server.py").write_text("import room\nprint(room.MOST_EVENTS)\n")
    command = [sys.executable, str(BENCH / "launch.py"), "queue=7", str(tmp_path / "server.py")]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "7\n"


@pytest.mark.skipif(processors.pair() is None, reason="one processor, or none can be chosen")
def test_server_and_generator_have_a_processor_each(monkeypatch):
    ours, theirs = processors.pair()
    assert ours != theirs

    def generate(process: subprocess.Popen, task: dict) -> dict:
        with socket.create_connection((task["host"], task["port"])) as connection:
            connection.recv(1)  # now the server has a thread for it
            threads = [int(thread) for thread in os.listdir(f"/proc/{task['pid']}/task")]
            return {"found": [os.sched_getaffinity(t) for t in threads], "told": task["processor"]}

    monkeypatch.setattr(measurement, "generate", generate)
    found = measurement.put_load_on(SERVERS["step4"], {"users": 2})
    assert len(found["found"]) > 1
    assert all(one == {ours} for one in found["found"])
    assert found["told"] == theirs
    free = measurement.put_load_on(SERVERS["step4"], {"users": 2}, pinned=False)
    assert free["told"] is None
    assert all(one == os.sched_getaffinity(0) for one in free["found"])


def test_the_generator_stays_on_its_processor(monkeypatch, capsys):
    stayed = []
    monkeypatch.setattr(load, "pin", lambda pid, processor: stayed.append((pid, processor)))
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"mode": "single", "port": 1, "processor": 7}'))
    monkeypatch.setattr(load.gc, "disable", lambda: None)
    assert load.main() == 1  # nobody listens there
    assert stayed == [(os.getpid(), 7)]


def test_processors_of_one_core_are_told_apart(monkeypatch, tmp_path):
    (tmp_path / "0").write_text("0-1,4\n")
    monkeypatch.setattr(processors, "SIBLINGS", str(tmp_path / "{}"))
    assert processors.siblings(0) == {0, 1, 4}
    assert processors.siblings(9) == set()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)
    assert processors.pair() == (2, 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert processors.pair() == (1, 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert processors.pair() is None


def test_each_goal_is_met_or_not():
    results = suite.CaseResults(suite.QUICK)
    for name, p50, speed in (("step4", 1.2, 30), ("asyncio", 1.1, 1), ("batched", 1.3, 40)):
        results.add(suite.Case("single", name, 10), {"p50_ms": p50})
        results.add(suite.Case("saturation", name, 100), {"deliveries_per_s": speed})
    lines = tables.goals_table(results).splitlines()[2:]
    told = [[cell.strip() for cell in line.strip("|").split("|")][-2:] for line in lines]
    assert told == [["at most 1.00", "yes"], ["at least 0.850", "NO"], ["at least 20.0", "yes"]]


def test_under_a_rate_every_message_is_counted(tmp_path):
    sizes = suite.QUICK
    [case] = suite.plan(["rate"], ["step4"], sizes, 1, 1)
    found = measurement.put_load_on(SERVERS[case.server], suite.settings(case, sizes))
    assert "error" not in found
    assert found["lost"] == 0
    assert 0 < found["p50_ms"] <= found["p99_ms"] <= found["max_ms"]


@pytest.mark.parametrize("mode", ["storm", "flood", "paste"])
def test_amid_attackers_a_pair_is_heard_and_the_attackers_are_at_work(mode):
    task = {"mode": mode, "users": 2, "senders": 1, "attackers": 2, "pasted": 2_000_000}
    load = {"rate": 50, "seconds": 1, "drain": 30}
    found = measurement.put_load_on(SERVERS["step4"], task | load, 10)
    assert found.get("expected") == 50, found
    assert found["lost"] == 0
    assert found["seconds"] < load["seconds"] + load["drain"]  # all was noticed when it came
    assert found["attacks"] > 0


def test_the_beginning_of_a_rate_can_be_left_out():
    task = {"mode": "rate", "users": 5, "senders": 5, "rate": 100, "seconds": 0.4, "drain": 0.5}
    every, rest = (
        measurement.put_load_on(SERVERS["step4"], task | {"uncounted": s}) for s in (0, 0.1)
    )
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
    results = suite.CaseResults(suite.QUICK)
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
