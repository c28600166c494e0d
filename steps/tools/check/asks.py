"""The checks, in the order in which they run and are shown."""

from tools.check import coming, talking  # noqa: F401 (they enter their checks)
from tools.check.examiner import CHECKS

ORDER = [
    *("start", "talk", "author", "third", "joined", "left", "silent", "idle", "survives"),
    *("empty", "twice", "word", "stop", "restart"),
    *("lines", "letters", "stalled", "name", "bare", "reset"),
]
BESIDE = {"joined": "third", "left": "third", "idle": "third", "lines": "author", "word": "empty"}


def needed(only: str | None) -> list[str]:
    """Return the checks to run: all, or one and those before it that it rests on."""
    wanted, left = set(ORDER if not only else [only]), [only] if only else []
    while left:
        name = left.pop()
        more = {CHECKS[name].waits_for, BESIDE.get(name, "")} - {""}
        if name in BESIDE:
            more |= {"author"}
        left += more - wanted
        wanted |= more
    return [name for name in ORDER if name in wanted]


def first_to_mend(results: list[dict]) -> str:
    """Return the id of the graded check whose cause comes first, or "" if all pass."""
    lost = [each for each in results if each["graded"] and each["costs"]]
    failed = [each["id"] for each in lost if not each["waits_for"]]
    if failed[:1] == ["left"] and "idle" in failed:
        return "idle"  # a loop that misses the end of a connection tells nobody of it, either
    return failed[0] if failed else ""
