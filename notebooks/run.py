"""Executes the notebook without a browser: `python notebooks/run.py` (about 4 minutes).

The full run is saved in its place, `broadcast_latency.ipynb`, with its results in `results/`.
With --quick (half a minute), or with a parameter changed by the environment (LAB_SIZES=2,5,10),
notebook and results go to --output, a folder of their own.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
NOTEBOOK = HERE / "broadcast_latency.ipynb"
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
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": str(HERE)}},
            on_cell_executed=lambda **_: bar.update(),
        )
        client.execute()


def main() -> int:
    """Execute and save; return the exit status."""
    args = read_arguments()
    changed = args.quick or any(name.startswith("LAB_") for name in os.environ)
    folder = args.output or (
        Path(tempfile.mkdtemp(prefix="broadcast-latency-")) if changed else None
    )
    if args.quick:
        os.environ["LAB_QUICK"] = "1"
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["LAB_RESULTS"] = str(folder.resolve())
    os.environ["LAB_PROGRESS"] = "0"  # of this program there is a bar already
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    try:
        execute(notebook)
    except CellExecutionError as error:
        kind = "" if error.ename == "SystemExit" else f"{error.ename}: "
        print(f"run: {kind}{error.evalue}", file=sys.stderr)
        return 1
    notebook.metadata = nbformat.from_dict(METADATA)
    target = folder / NOTEBOOK.name if folder else NOTEBOOK
    nbformat.write(notebook, target)
    print(f"saved {os.path.relpath(target)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
