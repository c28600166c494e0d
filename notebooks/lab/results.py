"""The files of one run of the notebook: summary, samples and figures, published together.

They are collected in a folder of their own and moved at the end: a run that is broken off leaves
the results of the one before whole.
"""

import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
from IPython.display import Image, display
from matplotlib.figure import Figure
from tqdm import tqdm

from bench import processors

HERE = Path(__file__).resolve().parents[1]  # the notebook's folder
COMMITTED = HERE / "results"
LIBRARIES = ("numpy", "matplotlib", "psutil")
KNOWN = ("LAB_QUICK", "LAB_RESULTS", "LAB_PROGRESS", "LAB_FREE_THREADED")


class SettingError(ValueError):
    """A variable of the environment, or a folder, that makes no sense."""


def is_quick(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether LAB_QUICK=1 asks for small sizes; SettingError for what is no setting."""
    for name in sorted(environment):
        if name.startswith("LAB_") and name not in KNOWN:
            raise SettingError(f"{name}: no such setting; sizes are in the cell of parameters")
    quick, python = (environment.get(name, "") for name in ("LAB_QUICK", "LAB_FREE_THREADED"))
    if quick not in ("", "0", "1"):
        raise SettingError(f"LAB_QUICK: {quick!r} is neither 0 nor 1")
    if python and not shutil.which(python):
        raise SettingError(
            f"LAB_FREE_THREADED: {python!r} is no program: give the path of a Python"
        )
    return quick == "1"


def prepared(folder: Path, full: bool = False) -> Path:
    """Return a folder that was made and written to; SettingError, in one line, if it is none.

    Only a full run that was not told where to write may write over what is committed.
    """
    try:
        place = folder.resolve()
        if not full and (place == HERE or place.is_relative_to(COMMITTED)):
            raise SettingError(f"{folder}: only a full run writes there, and unasked")
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return place
    except (OSError, RuntimeError) as error:  # RuntimeError: links that go round in a circle
        reason = getattr(error, "strerror", None) or error
        raise SettingError(f"cannot write to {folder}: {reason}") from None


def machine() -> dict:
    """Return what of the machine and its kernel matters for the figures."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
        name = names[0] if names else name
    return {
        "pinned": processors.pair() is not None,
        "processor": name,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "kernel": platform.release(),
    }


def progress(turns: Iterable, title: str) -> tqdm:
    """Return the turns of a loop, with a bar that shows how many of them are done."""
    quiet = bool(os.environ.get("CI")) or os.environ.get("LAB_PROGRESS") == "0"
    return tqdm(turns, desc=title, unit="прогон", file=sys.stdout, disable=quiet, leave=False)


class Results:
    """The files of this run, until they are published."""

    def __init__(self) -> None:
        try:
            self.quick = is_quick()
            if named := os.environ.get("LAB_RESULTS"):
                self.folder = prepared(Path(named))
            elif self.quick:
                self.folder = Path(tempfile.mkdtemp(prefix="broadcast-latency-"))
            else:
                self.folder = prepared(COMMITTED, full=True)
        except SettingError as error:
            sys.exit(str(error))  # a line instead of a traceback
        self.samples: dict[str, np.ndarray] = {}
        self.draft = tempfile.TemporaryDirectory(prefix="broadcast-latency-draft-")
        self.path = Path(self.draft.name)

    def keep(self, name: str, samples: np.ndarray) -> None:
        """Keep the samples of one more run under a name such as `latency step4 100`."""
        number = sum(known.rpartition(" ")[0] == name for known in self.samples) + 1
        self.samples[f"{name} {number}"] = samples.astype(np.int32)

    def show(self, name: str, figure: Figure) -> Image:
        """Save a figure as SVG and PNG and display it."""
        figure.savefig(self.path / f"{name}.svg", metadata={"Date": None, "Creator": None})
        figure.savefig(self.path / f"{name}.png", metadata={"Software": None}, dpi=200)
        image = Image(filename=str(self.path / f"{name}.png"), width=780)
        display(image)
        return image

    def publish(self, facts: dict) -> dict[str, str]:
        """Put all files in their place instead of older ones; return their SHA-256."""
        about = {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
        text = json.dumps(
            {"machine": machine(), "versions": about} | facts, indent=1, default=float
        )
        (self.path / "summary.json").write_text(text + "\n", encoding="utf-8")
        np.savez_compressed(self.path / "samples.npz", **self.samples)
        files = sorted(self.path.iterdir())
        for file in files:
            shutil.copyfile(file, self.folder / file.name)
        hashes = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
        self.draft.cleanup()
        return hashes
