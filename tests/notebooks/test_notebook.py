"""The notebook: a quick run of all of it, and that the committed one shows a full run."""

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
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import nbformat
import pytest

from lab import analysis, samples, words
from lab.experiments import NAMES
from lab.parameters import Parameters
from lab.russian import bound
from run import chosen_folder

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NOTEBOOK = NOTEBOOKS / "broadcast_latency.ipynb"
RESULTS = NOTEBOOKS / "results"
FIGURES = (
    "answer",
    "latency_by_clients",
    "straight_line",
    "latency_by_rate",
    "stalled_reader",
    "nagle",
    "cost_breakdown",
)
FILES = {"summary.json", *samples.FILES} | {f"{f}.{end}" for f in FIGURES for end in ("svg", "png")}
TOLD = (
    "latency_table",
    "latency",
    "floor",
    "fit_table",
    "fit",
    "control_table",
    "control",
    "method",
    "rate_table",
    "rate",
    "generator",
    "compared_table",
    "compared",
    "stall",
    "nagle",
    "cost_table",
    "cost",
    "counts",
    "answer",
)

posix = pytest.mark.skipif(os.name != "posix", reason="a server cannot be asked to end on Windows")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(NOTEBOOKS / "run.py"), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=400,
    )


def committed() -> dict[str, str]:
    """Return the SHA-256 of the committed notebook and of all results."""
    files = [NOTEBOOK, *RESULTS.glob("*")]
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


def parameters_of(summary: dict) -> Parameters:
    kept = summary["parameters"]
    lists = {f.name: tuple(kept[f.name]) for f in fields(Parameters) if f.type == tuple[int, ...]}
    return Parameters(**kept | lists)


def outputs(notebook: nbformat.NotebookNode) -> list[dict]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def shown(notebook: nbformat.NotebookNode) -> str:
    """Return all Markdown that the cells have displayed."""
    texts = [out.get("data", {}).get("text/markdown", "") for out in outputs(notebook)]
    return "\n".join(texts)


def check_page(folder: Path, notebook: nbformat.NotebookNode) -> None:
    """Check that a notebook shows the results in a folder, and nothing that should not be kept."""
    stray = [output for output in outputs(notebook) if output["output_type"] != "display_data"]
    assert not stray, "errors, warnings or progress in the outputs"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(not cell.metadata for cell in notebook.cells), "timings of the run"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    text = shown(notebook)
    hashes = dict(re.findall(r"\| `([\w.]+)` \| `(\w{16})` \|", text))
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    assert hashes == {name: digest[:16] for name, digest in files.items()}
    images = [out["data"]["image/png"] for out in outputs(notebook) if "image/png" in out["data"]]
    pictures = [(folder / f"{name}.png").read_bytes() for name in FIGURES]
    assert [base64.b64decode(image) for image in images] == pictures
    facts = summary_in(folder)
    for name in TOLD:
        assert bound(getattr(words, name)(facts)) in text, name


def leaves(tree: dict | list, path: str = "") -> Iterator[tuple[str, object]]:
    """Return all values of a nested structure, with their paths."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(value, dict | list):
            yield from leaves(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", value


def check_counts(folder: Path) -> None:
    """Check that nothing is missing in the samples, and that the summary comes from them."""
    kept = summary_in(folder)
    data, parameters = samples.load(folder), parameters_of(kept)
    again = json.loads(json.dumps(analysis.summarize(data, parameters)))
    told = dict(leaves(kept))
    for path, value in leaves(again):  # another machine's numpy may add up in another order
        near = isinstance(value, float)
        assert told[path] == (pytest.approx(value, rel=1e-3) if near else value), path
    assert set(data.latency) == {(name, users) for name in NAMES for users in parameters.sizes}
    assert {len(runs) for runs in data.compared.values()} == {parameters.repeats}
    assert set(data.compared) >= {"step4", "single", "batched", "asyncio"}
    *lower, highest = parameters.rates  # the highest is for those who stand the one before
    standing = [name for name in NAMES if (name, highest) in data.rate]
    every = {(name, rate) for name in NAMES for rate in lower}
    assert set(data.rate) == every | {(name, highest) for name in standing}
    found = {"latency": 0, "rate": 0}
    for (_, users), runs in data.latency.items():
        assert len(runs) >= parameters.rounds
        assert all(rows.shape[1] == users - 1 for rows in runs)
        found["latency"] += sum(rows.size for rows in runs)
    found["rate"] = sum(int(rows[:, 1].sum()) for runs in data.rate.values() for rows in runs)
    for experiment, count in found.items():
        runs = [run for run in data.runs if run["experiment"] == experiment]
        assert count == sum(run["expected"] for run in runs)
    complete = [run for run in data.runs if run["experiment"] in ("latency", "cost")]
    assert all(run["received"] == run["expected"] for run in complete)


@posix
@pytest.mark.timeout(450)
def test_a_quick_run_makes_all_figures_and_results(quick):
    assert {file.name for file in quick.iterdir()} == FILES | {NOTEBOOK.name}
    check_page(quick, nbformat.read(quick / NOTEBOOK.name, as_version=4))
    check_counts(quick)


@posix
def test_a_quick_run_says_that_it_is_none_to_judge_by(quick):
    assert "Судить по нему о серверах нельзя" in shown(
        nbformat.read(quick / NOTEBOOK.name, as_version=4)
    )


@posix
def test_the_answer_stands_at_the_top(quick):
    notebook = nbformat.read(quick / NOTEBOOK.name, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    text, picture = (output["data"] for output in first.outputs)
    assert text["text/markdown"] == bound(words.answer(summary_in(quick)))
    assert base64.b64decode(picture["image/png"]) == (quick / "answer.png").read_bytes()


@posix
def test_one_stopped_reader_freezes_step_3_and_not_step_4(quick):
    stall = summary_in(quick)["stall"]
    assert stall["step3"]["received"] < stall["step3"]["expected"]
    assert stall["step4"]["received"] == stall["step4"]["expected"]
    assert stall["step3"]["bytes_for_stalled"] > 500_000


def test_the_committed_notebook_shows_the_committed_results():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    check_page(RESULTS, notebook)
    check_counts(RESULTS)
    assert {file.name for file in RESULTS.iterdir()} == FILES


def test_the_committed_run_is_a_full_one():
    assert "Параметры — полного запуска." in shown(nbformat.read(NOTEBOOK, as_version=4))
    parameters = parameters_of(summary_in(RESULTS))
    assert parameters.sizes == (2, 10, 20, 50, 100, 200, 500, 1000)
    assert parameters.repeats >= 3


def test_no_file_is_too_large_for_git():
    assert sum(file.stat().st_size for file in [NOTEBOOK, *RESULTS.iterdir()]) < 6_000_000


def test_a_parameter_that_is_none_is_told_in_one_line(tmp_path):
    done = run("--output", str(tmp_path), LAB_SIZES="2,many")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "run: LAB_SIZES: '2,many' is no whole number, nor several like 2,10,100"
    ]


@pytest.mark.parametrize("folder", [NOTEBOOKS, RESULTS])
@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_quick_run_refuses_to_write_over_what_is_committed(folder, by):
    before = committed()
    if by == "option":
        done = run("--quick", "--output", str(folder))
    else:
        done = run("--quick", LAB_RESULTS=str(folder))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"run: {folder}: only a full run writes there, and unasked"]
    assert committed() == before


def test_a_run_goes_where_the_option_or_else_the_environment_says(tmp_path, monkeypatch):
    quick, full = (argparse.Namespace(quick=quick, output=None) for quick in (True, False))
    for name in [name for name in os.environ if name.startswith("LAB_")]:
        monkeypatch.delenv(name)
    assert chosen_folder(full) is None
    assert not chosen_folder(quick).is_relative_to(NOTEBOOKS)
    monkeypatch.setenv("LAB_RESULTS", str(tmp_path / "environment"))
    assert chosen_folder(quick) == chosen_folder(full) == (tmp_path / "environment").resolve()
    quick.output = tmp_path / "option"
    assert chosen_folder(quick) == (tmp_path / "option").resolve()


@posix
def test_ctrl_c_ends_a_run_without_a_traceback(tmp_path):
    before = committed()
    process = subprocess.Popen(
        [sys.executable, str(NOTEBOOKS / "run.py"), "--quick"],
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


def test_a_folder_that_is_none_is_told_in_one_line_at_once(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    done = run("--quick", "--output", str(file))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"run: cannot write to {file}: File exists"]


def test_the_readme_says_what_the_committed_results_say():
    price = summary_in(RESULTS)["fit"]["step4"]["us_per_recipient"]
    assert f"about {price:.1f} µs" in (NOTEBOOKS.parent / "README.md").read_text("utf-8")
