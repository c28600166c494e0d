"""The notebook: a quick run of all of it, its conclusions, and that the committed run is shown."""

import argparse
import base64
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest

from lab.output import markdown, number, table
from lab.results import COMMITTED, HERE, SettingError, is_quick, prepared
from run import chosen_folder

NOTEBOOK = HERE / "broadcast_latency.ipynb"
FIGURES = ("answer", "straight_line", "latency_by_rate", "queue_length", "stalled_reader", "nagle")
FILES = {f"{name}.{end}" for name in FIGURES for end in ("svg", "png")}
FILES |= {"summary.json", "samples.npz"}

posix = pytest.mark.skipif(os.name != "posix", reason="the careful part needs Linux or macOS")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(HERE / "run.py"), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=400,
    )


def committed() -> dict[str, str]:
    """Return the SHA-256 of the committed notebook and of all results."""
    files = [NOTEBOOK, *COMMITTED.glob("*")]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def quick(tmp_path_factory) -> Path:
    """The folder of a quick run."""
    folder = tmp_path_factory.mktemp("quick")
    before = committed()
    done = run("--quick", "--output", str(folder), CI="1")
    assert done.returncode == 0, done.stderr
    assert committed() == before, "a quick run wrote over what is committed"
    return folder


def summary_in(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text("utf-8"))


def check_page(folder: Path, notebook: nbformat.NotebookNode) -> None:
    """Check that a notebook shows the results in a folder, and what belongs to them."""
    nbformat.validate(notebook)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert {output.output_type for output in outputs} == {"display_data"}, "errors or progress"
    shown = "\n".join(output.data.get("text/markdown", "") for output in outputs)
    hashes = dict(re.findall(r"\| `([\w.]+)` \| `(\w{16})` \|", shown))
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name in FILES}
    assert hashes == {name: hashlib.sha256(files[name]).hexdigest()[:16] for name in FILES}
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.data]
    for name in FIGURES:
        assert base64.b64encode(files[f"{name}.png"]).decode() in [
            picture.replace("\n", "") for picture in pictures
        ]
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    price = summary_in(folder)["fit"]["step4"]["us_per_recipient"]
    assert f"Ещё один клиент стоит {number(price)}" in str(first.outputs)
    assert base64.b64encode(files["answer.png"]).decode() in str(first.outputs).replace("\\n", "")


def check_samples(folder: Path) -> None:
    """Check that the samples are all there, and that the summary comes from them."""
    facts, samples = summary_in(folder), np.load(folder / "samples.npz")
    for server, rooms in facts["latency"].items():
        for users, told in rooms.items():
            names = [name for name in samples if name.startswith(f"latency {server} {users} ")]
            assert len(names) >= facts["parameters"]["repeats"]
            rows = np.concatenate([samples[name] for name in names])
            assert rows.shape[1] == int(users) - 1
            assert told["last_us"] == pytest.approx(np.median(rows.max(axis=1)))
            assert told["p99_us"] == pytest.approx(np.percentile(rows, 99))


@pytest.mark.ci
@posix
@pytest.mark.timeout(450)
def test_a_quick_run_makes_all_figures_and_results(quick):
    assert {file.name for file in quick.iterdir()} == FILES | {NOTEBOOK.name}
    notebook = nbformat.read(quick / NOTEBOOK.name, as_version=4)
    check_page(quick, notebook)
    check_samples(quick)
    assert "Это быстрая проба" in str(notebook.cells)


@pytest.mark.ci
@posix
@pytest.mark.timeout(450)
def test_one_stopped_reader_freezes_step_3_and_not_step_4(quick):
    stall = summary_in(quick)["stall"]
    assert stall["step3"]["received"] < stall["step3"]["expected"]
    assert stall["step4"]["received"] == stall["step4"]["expected"]


def test_the_committed_notebook_shows_the_committed_results_of_a_full_run():
    check_page(COMMITTED, nbformat.read(NOTEBOOK, as_version=4))
    check_samples(COMMITTED)
    assert {file.name for file in COMMITTED.iterdir()} == FILES
    parameters = summary_in(COMMITTED)["parameters"]
    assert parameters["sizes"] == [2, 10, 20, 50, 100, 200, 500]
    assert parameters["repeats"] >= 3
    assert sum(file.stat().st_size for file in [NOTEBOOK, *COMMITTED.iterdir()]) < 6_000_000


def test_the_readme_says_what_the_committed_results_say():
    price = summary_in(COMMITTED)["fit"]["step4"]["us_per_recipient"]
    assert f"about {price:.1f} µs" in (HERE.parent / "README.md").read_text("utf-8")


# Conclusions: each cell is run on made-up numbers, and says one thing or the other.


def fit(r2: float) -> dict:
    found = {"us_per_recipient": 6.0, "usual_us_per_recipient": 7.0, "r2": r2}
    found["worst_residual_percent"] = 5.0
    return {"facts": {"fit": {"step4": found, "step3": {"us_per_recipient": 6.5}}}}


def slopes(other: float) -> dict:
    made_up = fit(0.999)
    made_up["facts"]["fit"]["step3"]["us_per_recipient"] = other
    return made_up


def knees(step4: int, step3: int | None = 1000) -> dict:
    found = {"step3": step3, "step4": step4}
    return {"facts": {"knee": {server: {"rate_per_s": rate} for server, rate in found.items()}}}


def chats(slowest: int, none: int = 1) -> dict:
    fast, slow = {"one": [5, 6], "ten": [slowest, 60]}, {"one": [1, 2], "ten": [none, none]}
    return {"compared": {"step4": fast, "single": slow, "batched": fast, "asyncio": slow}}


def queues(short: float) -> dict:
    return {
        "queue": {(10, 1): [short, 5], (10, 30): [9, 10]},
        "p": argparse.Namespace(queues=(1, 30)),
    }


def stalls(received: int) -> dict:
    three = {"expected": 100, "received": 50}
    four = {"expected": 100, "received": received, "worst_late_s": 0.5}
    return {"facts": {"stall": {"step3": three, "step4": four}}}


def waits(share: int) -> dict:
    ways = {"with": {"waited_percent": 0}, "without": {"waited_percent": share, "wait_ms": 41}}
    return {"facts": {"nagle": ways}}


CONCLUSIONS = [
    ("straight =", fit(0.999), "с точностью до 5", fit(0.98), "описывает их плохо"),
    ("straight =", slopes(6.5), "меньше чем на 10 %", slopes(7), "от 6,0 до 7,0"),
    ("knees =", knees(12_000), "Остальные выдержали", knees(1000), "лучший из остальных"),
    (
        "knees =",
        knees(1000, None),
        "ни одной из измеренных частот.",
        knees(1000),
        "остальных — 1000",
    ),
    ("def better", chats(50), "доставок больше", chats(1), "разброс повторов больше"),
    ("def better", chats(50), "×55, на asyncio ×55", chats(50, none=0), "×∞"),
    ("slower =", queues(4), "хуже неё: 1.", queues(20), "почти не зависит"),
    ("three, four", stalls(100), "остановился для всех", stalls(99), "шаг 4 — 99"),
    ("off, on =", waits(50), "ждут 50", waits(5), "не видно"),
]


@pytest.mark.parametrize(("cell", "good", "says", "bad", "says_else"), CONCLUSIONS)
def test_a_conclusion_follows_its_numbers(cell, good, says, bad, says_else):
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    [source] = [c.source for c in cells if c.cell_type == "code" and cell in c.source]
    for facts, expected, other in ((good, says, says_else), (bad, says_else, says)):
        said: list[str] = []
        place = argparse.Namespace(update=lambda _: None)
        names = {"np": np, "say": said.append, "number": number, "markdown": markdown}
        exec(source, names | {"answer": place, "answer_figure": place, "picture": None} | facts)
        assert expected in "\n".join(said)
        assert other not in "\n".join(said)


# Numbers, settings, places


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.3561, "0,36"), (1.25, "1,2"), (12.4, "12"), (0.996, "1,0"), (9.99, "10"), (3000, "3000"),
     (24_744, "24\N{NARROW NO-BREAK SPACE}744"), (-5.2, "\N{MINUS SIGN}5,2"), (None, "—")],
)  # fmt: skip
def test_numbers_have_a_comma(value, text):
    assert number(value) == text


def test_a_table_is_markdown_and_no_line_ends_before_a_unit():
    assert table(("a", "b"), ("x", 1.5)) == "| a | b |\n| :-- | --: |\n| x | 1,5 |"
    assert markdown("5 мс и 3 %").data == "5\N{NO-BREAK SPACE}мс и 3\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("name", "value"),
    [("LAB_QUICK", "maybe"), ("LAB_SIZES", "2"), ("LAB_FREE_THREADED", "/no/such/python")],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_name(name, value):
    with pytest.raises(SettingError, match=name):
        is_quick({name: value})


@pytest.mark.parametrize("folder", [HERE, COMMITTED, COMMITTED / "new", HERE / "lab" / ".."])
def test_only_a_full_run_writes_over_what_is_committed(folder):
    with pytest.raises(SettingError, match="only a full run"):
        prepared(folder)
    assert not (COMMITTED / "new").exists()
    assert prepared(COMMITTED, full=True) == COMMITTED


def test_a_quick_run_refuses_the_committed_folder_in_one_line():
    before = committed()
    done = run("--quick", LAB_RESULTS=str(COMMITTED))
    assert done.returncode == 1
    assert done.stderr == f"run: {COMMITTED}: only a full run writes there, and unasked\n"
    assert committed() == before


def test_a_folder_that_is_none_is_told_in_one_line_at_once(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    done = run("--quick", "--output", str(file))
    assert done.returncode == 1
    assert done.stderr == f"run: cannot write to {file}: File exists\n"


def test_a_run_goes_where_the_option_or_else_the_environment_says(tmp_path, monkeypatch):
    quick, full = (argparse.Namespace(quick=quick, output=None) for quick in (True, False))
    for name in [name for name in os.environ if name.startswith("LAB_")]:
        monkeypatch.delenv(name)
    assert chosen_folder(full) is None
    assert not chosen_folder(quick).is_relative_to(HERE)
    monkeypatch.setenv("LAB_RESULTS", str(tmp_path / "environment"))
    assert chosen_folder(quick) == chosen_folder(full) == (tmp_path / "environment").resolve()
    quick.output = tmp_path / "option"
    assert chosen_folder(quick) == (tmp_path / "option").resolve()


@posix
def test_ctrl_c_ends_a_run_without_a_traceback(tmp_path):
    before = committed()
    process = subprocess.Popen(
        [sys.executable, str(HERE / "run.py"), "--quick"],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(tmp_path.glob("broadcast-latency-draft-*")):  # the kernel is at work
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of its processes
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(errors.splitlines()) <= 1, errors
    assert committed() == before
