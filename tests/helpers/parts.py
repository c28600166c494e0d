"""The three parts of requirements.txt: which tests need which, and what is missing."""

from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
BEFORE = {"tests": [], "notebooks": [], "report": ["notebooks"]}  # what else a part asks for
# There are none of these for some machines. The tests that need one of them look for it themselves.
SPARED = {"mermaidx", "novasvg"}


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
