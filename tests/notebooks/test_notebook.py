"""The notebook: a quick run of all of it, and that the committed one shows a full run."""

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

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NOTEBOOK = NOTEBOOKS / "broadcast_latency.ipynb"
RESULTS = NOTEBOOKS / "results"
FIGURES = (
    *("small_experiment", "latency_by_clients", "straight_line", "latency_by_rate"),
    *("queue", "stalled_reader", "nagle"),
)
FILES = {"summary.json", "samples.npz", "runs.csv"}
FILES |= {f"{figure}.{end}" for figure in FIGURES for end in ("svg", "png")}
LONGEST = 45  # lines of a cell
SHORT_ENOUGH = 8  # conclusions that a condition chooses

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


def page(folder: Path) -> nbformat.NotebookNode:
    return nbformat.read(folder / NOTEBOOK.name, as_version=4)


def data(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
    """Return all outputs of a kind, such as `text/markdown`, in their order."""
    found = [out.get("data", {}) for cell in notebook.cells for out in cell.get("outputs", [])]
    return [each[kind] for each in found if kind in each]


def check_page(folder: Path, notebook: nbformat.NotebookNode) -> None:
    """Check that a notebook shows the results in a folder, and nothing that should not be kept."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    stray = {output["output_type"] for output in outputs} - {"display_data", "execute_result"}
    assert not stray, "errors, warnings or progress in the outputs"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    text = "\n".join(data(notebook, "text/markdown"))
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    shown = dict(re.findall(r"\| ([\w.]+) \| (\w{12}) \|", text))
    assert shown == {name: digest[:12] for name, digest in files.items()}
    images = {base64.b64decode(image) for image in data(notebook, "image/png")}
    assert images == {(folder / f"{name}.png").read_bytes() for name in FIGURES}


def check_counts(folder: Path) -> None:
    """Check that what the summary says comes from the samples that were kept."""
    summary = summary_in(folder)
    samples = np.load(folder / "samples.npz")
    for server, users in (("step4", 10), ("forwarder", 50)):
        runs = [samples[name] for name in samples if name[4:] == f"single_{server}_{users}"]
        assert runs
        assert all(rows.shape[1] == users - 1 for rows in runs)
        last = float(np.median(np.concatenate([rows.max(axis=1) for rows in runs])))
        kept = summary["latency"][server][str(users)]
        assert kept["last_us"] == pytest.approx(last, abs=1)
        assert kept["last_low_us"] <= kept["last_us"] <= kept["last_high_us"]
    assert set(summary["fit"]) == {"step3", "step4", "asyncio", "forwarder"}
    assert set(summary["compared"]) == {"step4", "single", "batched", "asyncio"}


@posix
@pytest.mark.timeout(450)
def test_a_quick_run_makes_all_figures_and_results(quick):
    assert {file.name for file in quick.iterdir()} == FILES | {NOTEBOOK.name}
    check_page(quick, page(quick))
    check_counts(quick)
    assert "судить по ней о серверах нельзя" in data(page(quick), "text/markdown")[-1]


@posix
def test_the_answer_stands_at_the_top(quick):
    notebook = page(quick)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    text, picture = (output["data"] for output in first.outputs)
    assert text["text/markdown"].startswith("**Ещё один клиент — ещё ")
    assert base64.b64decode(picture["image/png"]) == (quick / "straight_line.png").read_bytes()


@posix
def test_one_stopped_reader_freezes_step_3_and_not_step_4(quick):
    stall = summary_in(quick)["stall"]
    assert stall["step3"]["received"] < stall["step3"]["expected"]
    assert stall["step4"]["received"] == stall["step4"]["expected"]


def test_cells_are_short_and_their_conclusions_are_few():
    cells = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells]
    assert max(len(source.splitlines()) for source in cells) <= LONGEST
    chosen = [source for source in cells if re.search(r"^ *(if|else)\b.*\n?.*\"", source, re.M)]
    assert len([source for source in chosen if "Markdown(" in source]) <= SHORT_ENOUGH


def test_the_committed_notebook_shows_the_committed_results():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    check_page(RESULTS, notebook)
    check_counts(RESULTS)
    assert {file.name for file in RESULTS.iterdir()} == FILES


def test_the_committed_run_is_a_full_one():
    summary = summary_in(RESULTS)
    assert summary["parameters"]["repeats"] >= 3
    assert list(summary["latency"]["step4"]) == [
        str(n) for n in (2, 10, 20, 50, 100, 200, 500, 1000)
    ]
    assert summary["fit"]["step4"]["r2"] >= 0.99


def test_no_file_is_too_large_for_git():
    assert sum(file.stat().st_size for file in [NOTEBOOK, *RESULTS.iterdir()]) < 6_000_000


@pytest.mark.parametrize("folder", [NOTEBOOKS, RESULTS])
def test_a_quick_run_refuses_to_write_over_what_is_committed(folder):
    before = committed()
    done = run("--quick", "--output", str(folder))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"run: cannot write to {folder}: only a full run writes there, and unasked"
    ]
    assert committed() == before


def test_a_folder_that_is_none_is_told_in_one_line_at_once(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    done = run("--quick", "--output", str(file))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"run: cannot write to {file}: File exists"]


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
    while len(list(tmp_path.glob("tmp*"))) == 0:  # the kernel is at work
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of its processes
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(errors.splitlines()) <= 1, errors
    assert committed() == before


def test_the_readme_says_what_the_committed_results_say():
    price = summary_in(RESULTS)["fit"]["step4"]["us_per_recipient"]
    assert f"about {price:.1f} µs" in (NOTEBOOKS.parent / "README.md").read_text("utf-8")
