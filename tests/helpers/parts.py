"""The three parts of requirements.txt: which tests need which, what is missing, how large they are.

Run:  python tests/helpers/parts.py      the table of sizes in README.md, from what is installed
"""

import re
import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "steps"))

from tools import entry

try:
    from packaging.requirements import Requirement
except ModuleNotFoundError as error:
    sys.exit(entry.missing("parts", error, "tests"))

ROOT = Path(__file__).parents[2]
BEFORE = {"tests": [], "notebooks": [], "report": ["notebooks"]}  # what else a part asks for
PURPOSE = {
    "tests": "the tests of the steps; the prompt of client 4",
    "notebooks": "the benchmark and the notebook",
    "report": "the report",
}
# There are none of these for some machines. The tests that need one of them look for it themselves.
SPARED = {"mermaidx", "novasvg"}
MEGABYTE = 1_000_000


def packages(part: str) -> list[str]:
    """Return the names of the packages that a part asks for itself."""
    text = (ROOT / part / "requirements.txt").read_text("utf-8")
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [Requirement(line).name for line in lines if line and not line.startswith("-r")]


def is_installed(package: str) -> bool:
    return any(metadata.distributions(name=package))


def why_not(part: str) -> str:
    """Return why the tests of a part cannot run here; "" if they can."""
    for each in [*BEFORE[part], part]:
        for package in packages(each):
            if package not in SPARED and not is_installed(package):
                return f"without {package}, of {each}/requirements.txt"
    return ""


def needed_by(test_file: Path) -> str:
    """Return the part that a test file needs beside that of the tests; "" if none."""
    return test_file.parent.name if test_file.parent.name in ("notebooks", "report") else ""


def closure(part: str) -> set[str]:
    """Return the packages that a part brings along, as far as they are installed."""
    found, waiting = set(), packages(part)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name not in found and is_installed(name):
            found.add(name)
            wanted = map(Requirement, metadata.requires(name) or [])
            waiting += [w.name for w in wanted if not w.marker or w.marker.evaluate({"extra": ""})]
    return found


def megabytes(package: str) -> float:
    """Return how much disk the files of a package take."""
    paths = [Path(file.locate()) for file in metadata.files(package) or []]
    return sum(path.stat().st_size for path in paths if path.is_file()) / MEGABYTE


def table() -> list[str]:
    """Return what each part takes beyond those above it, as lines of Markdown."""
    rows, counted = ["| install | for | takes |", "|---|---|--:|"], set()
    for part, purpose in PURPOSE.items():
        more = closure(part) - counted
        size = max(10, round(sum(map(megabytes, more)), -1))
        rows.append(
            f"| `{part}/requirements.txt` | {purpose} | {size:.0f} MB{' more' * bool(counted)} |"
        )
        counted |= more
    return rows


def main() -> int:
    """Print the table, or say what is missing for it."""
    for part in PURPOSE:
        if reason := why_not(part):
            print(f"parts: nothing can be measured {reason}", file=sys.stderr)
            return 1
    print("\n".join(table()))
    return 0


if __name__ == "__main__":
    sys.exit(entry.run("parts", main))
