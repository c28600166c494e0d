"""What the modules of the report share: where the files are, and how a problem is told."""

from pathlib import Path

REPORT = Path(__file__).resolve().parent
ROOT = REPORT.parent
SOURCE = REPORT / "report.md"


class Problem(Exception):
    """Something that the author of the report has to mend, in one line."""


def read(path: str | Path) -> str:
    """Return the text of a file, given by its path from the root of the project."""
    try:
        return (ROOT / path).read_text("utf-8")
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Problem(f"cannot read {path}: it is not in UTF-8") from None
