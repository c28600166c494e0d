"""Where results may go: tried before anything is measured, and never over a full run's."""

import tempfile
from pathlib import Path

from lab.parameters import ParameterError

HERE = Path(__file__).resolve().parents[1]  # the notebook's folder
COMMITTED = HERE / "results"


def prepared(folder: Path, full: bool = False) -> Path:
    """Return a folder that was made and written to; ParameterError, in one line, if it is none.

    Only a full run may name the notebook's own folder or its `results`.
    """
    try:
        place = folder.resolve()
        if not full and (place == HERE or place.is_relative_to(COMMITTED)):
            raise ParameterError(f"{folder}: only a full run writes there, and unasked")
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return place
    except (OSError, RuntimeError) as error:  # RuntimeError: links that go round in a circle
        reason = getattr(error, "strerror", None) or error
        raise ParameterError(f"cannot write to {folder}: {reason}") from None
