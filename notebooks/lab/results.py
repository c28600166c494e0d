"""The files of one run of the notebook: summary, samples and figures, published together.

They are collected in a folder of their own and moved at the end, so that a run that is broken off
leaves the results of the one before whole. `summary.json` holds, with the unit at the end of each
key (SERVER is step3, step4, asyncio or forwarder):

- `machine`, `versions`, `parameters`: where, with what and how much was measured;
  `machine.pinned`: whether server and load generator each stayed on a processor of its own.
- `latency.SERVER.CLIENTS.{p50,p95,p99,last}_us`: of a broadcast to CLIENTS - 1 recipients; `last`
  is the median time until the last one has it. `_low_us`, `_high_us`: 95 % bootstrap interval.
- `fit.SERVER.us_per_recipient`, `.fixed_us`, `.r2`, `.worst_residual_percent`: the line through
  `last`; with `us_per_recipient_low`, `_high`, `fixed_low_us`, `fixed_high_us`, `worst_users`.
- `control.SERVER.{pinned,free}.last_us`, `_low_us`, `_high_us`: `last` in a room of
  `parameters.control_users`, each process on a processor, and as the system thinks fit; median
  of the runs, the least and the greatest of them.
- `rate.SERVER.RATE.{p50,p99}_ms`: latency at RATE messages/s, median of the runs, and `_low_ms`,
  `_high_ms`; `.lost`, `.lost_percent`: not delivered when the run ended; `.sent_late_p99_ms`: by
  the generator. The highest rate is there for servers that kept pace with the one before only.
- `knee.SERVER.rate_per_s`, `.broken_per_s`: the highest rate up to which p99 (median of the
  runs) is within `parameters.limit_ms`, and the next one; null where there is none.
- `compared.CHAT.p99_ms`, `.deliveries_per_s`, with `_low`, `_high` as above, and `.lost`: at
  `parameters.batch_rate`, and as fast as it can, with `.server_cpu_percent`; CHAT is step4,
  single (step 4 with batches of one), batched (asyncio with batches), asyncio and, where it is
  installed, uvloop.
- `batch.SERVER.messages_per_send`: deliveries that one call of `send` carries at `.rate_per_s`.
- `stall.SERVER.longest_gap_s`, `.silent_at_end_s`: what a healthy client saw; `.expected`,
  `.received`, `.received_percent`: all healthy clients; `.witness_expected`, `.witness_received`:
  the one that was watched, whose latest message came `.worst_late_s` after it was due, and of
  whose messages `.late_percent` were over 100 ms late or never came; `.cut_off_s`: when the server
  disconnected the reader who had stopped at 1 s (null: never); `.arrived_p50_ms`: the
  median that hides the freeze.
- `nagle.{with,without}.{p50,p95,p99}_ms`: until the last recipient has it, with and without
  TCP_NODELAY; `.waited_percent` of the broadcasts waited for an acknowledgement, `.wait_ms`.
  `nagle.alone`: the same without it, while one client alone speaks. `nagle.cause`: of the
  broadcasts that waited, how many recipients were late (`.late_recipients`, median), how many of
  these had spoken two broadcasts before (`.spoke_two_before_percent`), and how often exactly one
  of two neighbours waited (`.alternate_percent`).
- `share.SERVER.{before,send,between,after}_percent`, `_us`: phases of a broadcast to
  `parameters.cost_users` - 1 recipients (`price.CLIENTS`: of step 4
  to CLIENTS - 1); `.total_us`, `.us_per_send`, `.noting_percent`.
- `counts`: runs and deliveries, expected and received, and runs that others disturbed, of the
  `.measurable_runs` that were long enough to see it.
"""

import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import psutil
from IPython.display import Image, Markdown, display
from matplotlib.figure import Figure

from bench import processors
from lab import analysis, samples
from lab.experiments import Samples
from lab.parameters import PREFIX, Parameters, as_dict
from lab.places import COMMITTED, prepared
from lab.russian import bound

LIBRARIES = ("numpy", "matplotlib", "psutil", "tqdm", "jupyter-client", "ipykernel")
SUMMARY = "summary.json"
SHOWN = 120  # pixels of a browser for an inch of a figure


def machine() -> dict:
    """Return what of the machine and its kernel matters for the figures."""
    return {
        "pinned": processors.pair() is not None,
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.system(),
        "kernel": platform.release(),
    }


def processor() -> str:
    """Return the name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions() -> dict:
    """Return the versions of Python and of the libraries."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def destination(parameters: Parameters, full: Parameters) -> Path:
    """Return where results go: LAB_RESULTS, or `results`, where only a full run may write.

    Any other run gets a new temporary folder. ParameterError where nothing can be written.
    """
    if folder := os.environ.get(f"{PREFIX}RESULTS"):
        return prepared(Path(folder), parameters == full)
    if parameters == full:
        return prepared(COMMITTED, full=True)
    return Path(tempfile.mkdtemp(prefix="broadcast-latency-"))


class Results:
    """The files of this run, until they are published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.draft = tempfile.TemporaryDirectory(prefix="broadcast-latency-draft-")
        self.path = Path(self.draft.name)

    def show(self, name: str, figure: Figure) -> None:
        """Save a figure and display it."""
        display(self.picture(name, figure))

    def picture(self, name: str, figure: Figure) -> Image:
        """Save a figure as SVG and PNG; return the latter, as it can be displayed."""
        figure.savefig(self.path / f"{name}.svg", metadata={"Date": None, "Creator": None})
        figure.savefig(self.path / f"{name}.png", metadata={"Software": None}, dpi=200)
        width = round(figure.get_figwidth() * SHOWN)
        return Image(filename=str(self.path / f"{name}.png"), width=width)

    def save(self, summary: dict, data: Samples) -> None:
        """Save the summary and all samples."""
        text = json.dumps(summary, indent=1, ensure_ascii=False) + "\n"
        (self.path / SUMMARY).write_text(text, encoding="utf-8")
        samples.save(data, self.path)

    def publish(self) -> dict[str, str]:
        """Put all files in their place instead of older ones; return their SHA-256."""
        for file in sorted(self.path.iterdir()):
            shutil.copyfile(file, self.folder / file.name)
        hashes = {file.name: sha256(file) for file in sorted(self.path.iterdir())}
        self.draft.cleanup()
        return hashes

    def elsewhere(self) -> Path | None:
        """Return the folder, unless it is the one where everybody looks."""
        return None if self.folder == COMMITTED else self.folder


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def summary(data: Samples, parameters: Parameters) -> dict:
    """Return the whole summary."""
    about = {"machine": machine(), "versions": versions(), "parameters": as_dict(parameters)}
    return about | analysis.summarize(data, parameters)


class Top:
    """The answer at the top of the notebook, filled in when everything is measured."""

    def __init__(self) -> None:
        self.text = display(Markdown("Ответ появится здесь после измерений."), display_id=True)
        self.figure = display(Markdown(""), display_id=True)

    def fill(self, text: str, picture: Image) -> None:
        """Put the answer and its figure in their place."""
        self.text.update(Markdown(bound(text)))
        self.figure.update(picture)


def say(*texts: str) -> None:
    """Display Markdown."""
    display(Markdown(bound("\n\n".join(texts))))


def stop_with(error: Exception) -> None:
    """End a cell with one line instead of a traceback."""
    sys.exit(f"{error}")
