"""Every sample of a run as CSV files, and back: the summary can be computed from them again.

| file | a row |
|---|---|
| `runs.csv` | a run: when it came, what it measured, its counts, how busy the machine was |
| `latency.csv.gz` | a broadcast: its latencies in microseconds, sorted, with spaces between |
| `rate.csv.gz` | a latency (to three digits) at a rate, and how many deliveries had it |
| `stall.csv.gz` | a message to a healthy client: due and arrived, microseconds; empty if never |
| `free.csv.gz` | as `latency.csv.gz`, in one room, on processors that the system chose |
| `compared.csv.gz` | as `rate.csv.gz`, of chats that batch and chats that do not |
| `nagle.csv.gz` | a broadcast, with and without `TCP_NODELAY`: latencies by recipient |
| `cost.csv.gz` | a broadcast: the nanoseconds of its phases |
| `price.csv.gz` | the same for step 4 in rooms of other sizes |
"""

import csv
import gzip
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from lab.experiments import FOUND, PHASES, Samples

RUN_COLUMNS = ("turn", "experiment", "server", "users", "rate", "repeat", *FOUND)
PHASE_COLUMNS = tuple(f"{phase}_ns" for phase in PHASES)
TEXTS = ("experiment", "server")
HEADERS = {
    "runs.csv": RUN_COLUMNS,
    "latency.csv.gz": ("server", "users", "repeat", "latencies_us"),
    "rate.csv.gz": ("server", "rate", "repeat", "latency_us", "deliveries"),
    "stall.csv.gz": ("server", "repeat", "due_us", "arrived_us"),
    "nagle.csv.gz": ("nodelay", "repeat", "latencies_us"),
    "free.csv.gz": ("server", "repeat", "latencies_us"),
    "compared.csv.gz": ("server", "repeat", "latency_us", "deliveries"),
    "cost.csv.gz": ("server", "repeat", *PHASE_COLUMNS),
    "price.csv.gz": ("users", "repeat", *PHASE_COLUMNS),
}
FILES = tuple(HEADERS)


def save(samples: Samples, folder: Path) -> None:
    """Write all samples."""
    tables = {
        "runs.csv": ([run[column] for column in RUN_COLUMNS] for run in samples.runs),
        "latency.csv.gz": (
            (*k, repeat, joined(row)) for k, repeat, row in repeated(samples.latency)
        ),
        "rate.csv.gz": ((*k, repeat, *row) for k, repeat, row in repeated(samples.rate)),
        "stall.csv.gz": ((k, repeat, *known(row)) for k, repeat, row in repeated(samples.stall)),
        "nagle.csv.gz": (
            (k, repeat, " ".join(map(str, row))) for k, repeat, row in repeated(samples.nagle)
        ),
        "free.csv.gz": ((k, repeat, joined(row)) for k, repeat, row in repeated(samples.free)),
        "compared.csv.gz": ((k, repeat, *row) for k, repeat, row in repeated(samples.compared)),
        "cost.csv.gz": ((k, repeat, *row) for k, repeat, row in repeated(samples.cost)),
        "price.csv.gz": ((k, repeat, *row) for k, repeat, row in repeated(samples.price)),
    }
    for name, rows in tables.items():
        write(folder / name, HEADERS[name], rows)


def repeated(runs: dict) -> Iterator[tuple]:
    """Yield the key, the repetition and the row for every row of every run, keys sorted."""
    for key in sorted(runs):
        for repeat, rows in enumerate(runs[key], 1):
            for row in rows.tolist():
                yield key, repeat, row


def joined(values: list[int]) -> str:
    """Return numbers in one cell."""
    return " ".join(map(str, sorted(values)))


def known(values: list[int]) -> list[int | str]:
    """Return numbers, with an empty cell for -1."""
    return [value if value >= 0 else "" for value in values]


def write(path: Path, header: Iterable[str], rows: Iterable[Iterable]) -> None:
    """Write a table; compressed, it has the same bytes for the same rows."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def load(folder: Path) -> Samples:
    """Read all samples back."""
    return Samples(
        latency=grouped(folder / "latency.csv.gz", lambda row: (row[0], int(row[1])), 2, split),
        rate=grouped(folder / "rate.csv.gz", lambda row: (row[0], int(row[1])), 2, whole),
        stall=grouped(folder / "stall.csv.gz", lambda row: row[0], 1, whole),
        nagle=grouped(folder / "nagle.csv.gz", lambda row: row[0], 1, split),
        free=grouped(folder / "free.csv.gz", lambda row: row[0], 1, split),
        compared=grouped(folder / "compared.csv.gz", lambda row: row[0], 1, whole),
        cost=grouped(folder / "cost.csv.gz", lambda row: row[0], 1, whole),
        price=grouped(folder / "price.csv.gz", lambda row: int(row[0]), 1, whole),
        runs=load_runs(folder / "runs.csv"),
    )


def split(cells: list[str]) -> list[int]:
    """Return the numbers of a cell."""
    return list(map(int, cells[0].split()))


def whole(cells: list[str]) -> list[int]:
    """Return a number for each cell, -1 for an empty one."""
    return [int(cell) if cell else -1 for cell in cells]


def grouped(path: Path, key: Callable, repeat: int, values: Callable) -> dict:
    """Read a table; return the rows of each key, an array for each repetition."""
    groups: dict = {}
    for row in read(path):
        runs = groups.setdefault(key(row), {})
        runs.setdefault(int(row[repeat]), []).append(values(row[repeat + 1 :]))
    return {name: [np.array(runs[turn]) for turn in sorted(runs)] for name, runs in groups.items()}


def read(path: Path) -> Iterator[list[str]]:
    """Yield the rows of a table without its header."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    rows = csv.reader(io.StringIO(text))
    next(rows)
    yield from rows


def load_runs(path: Path) -> list[dict]:
    """Read the list of runs."""
    runs = []
    for row in read(path):
        cells = zip(RUN_COLUMNS, row, strict=True)
        runs.append({name: cell if name in TEXTS else value(cell) for name, cell in cells})
    return runs


def value(cell: str) -> float | int | None:
    """Return the number of a cell, or None for an empty one."""
    if not cell:
        return None
    return float(cell) if "." in cell or "e" in cell else int(cell)
