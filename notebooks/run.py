"""Executes the notebook without a browser: `python notebooks/run.py` (about four minutes).

The full run is saved in its place, `broadcast_latency.ipynb`, with its results in `results/`.
With --quick (a minute) they go to a folder of their own: --output, LAB_RESULTS or a temporary one.
LAB_FREE_THREADED=PATH names a Python without the GIL, on which two servers are measured, too.
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "steps"))

from tools import entry

try:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from tqdm import tqdm
except ModuleNotFoundError as error:
    sys.exit(entry.missing("run", error, "notebooks"))

from lab.results import HERE, SettingError, is_quick, prepared

NOTEBOOK = HERE / "broadcast_latency.ipynb"
STOPPED = "run: stopped before the end; nothing was saved"
PATIENCE = 900  # seconds for one cell
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes; half a minute")
    parser.add_argument("--output", type=Path, metavar="DIR", help="for notebook and results")
    return parser.parse_args()


def chosen_folder(args: argparse.Namespace) -> Path | None:
    """Return a folder for this run, ready to be written to; None for the notebook's own place."""
    quick = is_quick() or args.quick
    named = args.output or os.environ.get("LAB_RESULTS")
    if named:
        return prepared(Path(named))
    if quick:
        return Path(tempfile.mkdtemp(prefix="broadcast-latency-"))
    prepared(HERE, full=True)
    return None


def execute(notebook: nbformat.NotebookNode) -> None:
    """Run all cells, one step of the bar each."""
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    quiet = not sys.stderr.isatty() or bool(os.environ.get("CI"))
    with tqdm(total=cells, unit="cell", disable=quiet) as bar:
        client = NotebookClient(
            notebook,
            timeout=PATIENCE,
            kernel_name="python3",
            record_timing=False,
            extra_arguments=["--log-level=CRITICAL"],
            resources={"metadata": {"path": str(HERE)}},
            # Set anew for each cell: the client sets a handler of its own when the kernel starts.
            on_cell_start=lambda **_: signal.signal(signal.SIGINT, lambda *_: stop(client)),
            on_cell_executed=lambda **_: bar.update(),
        )
        client.execute()


def stop(client: NotebookClient) -> None:
    """Interrupt the kernel, whose cell ends its servers, and end at once: at Ctrl-C."""
    with contextlib.suppress(AttributeError, OSError):  # there is none any more; Windows
        os.killpg(client.km.provisioner.pgid, signal.SIGINT)
    print(STOPPED, file=sys.stderr, flush=True)
    os._exit(entry.INTERRUPTED)


def main() -> int:
    """Execute and save; return the exit status."""
    args = read_arguments()
    try:
        folder = chosen_folder(args)
    except SettingError as error:
        print(f"run: {error}", file=sys.stderr)
        return 1
    if args.quick:
        os.environ["LAB_QUICK"] = "1"
    if folder:
        os.environ["LAB_RESULTS"] = str(folder)
    os.environ["LAB_PROGRESS"] = "0"  # of this program there is a bar already
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    try:
        execute(notebook)
    except CellExecutionError as error:
        kind = "" if error.ename == "SystemExit" else f"{error.ename}: "
        print(f"run: {kind}{error.evalue}", file=sys.stderr)
        return 1
    except (DeadKernelError, AssertionError):  # somebody has ended the kernel
        print(STOPPED, file=sys.stderr)
        return entry.INTERRUPTED
    notebook.metadata = nbformat.from_dict(METADATA)
    target = folder / NOTEBOOK.name if folder else NOTEBOOK
    nbformat.write(notebook, target)
    print(f"saved {os.path.relpath(target)}")
    return 0


if __name__ == "__main__":
    sys.exit(entry.run("run", main))
