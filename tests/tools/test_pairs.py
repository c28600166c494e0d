"""The pairs in tests/pairs: what is said of them is complete and points at the right lines."""

import json
import re
from pathlib import Path

import pytest

PAIRS = Path(__file__).parents[1] / "pairs"
IDS = (
    *("start", "talk", "author", "third", "joined", "left", "silent", "idle", "survives"),
    *("empty", "twice", "word", "stop", "restart"),
    *("lines", "letters", "stalled", "name", "bare", "reset"),
)
EXPECTED = json.loads((PAIRS / "expected.json").read_text("utf-8"))
FOLDERS = sorted(each.name for each in PAIRS.iterdir() if each.is_dir())
ROW = re.compile(r"\| `(\w+)` \| .+ \| (?:нет|\[`(.+\.py)`, (\d+)\]\((.+)\): `(.+)`) \|")


def test_every_folder_has_its_verdicts():
    assert sorted([*EXPECTED["pairs"], *EXPECTED["not_run"]]) == FOLDERS
    for verdicts in EXPECTED["pairs"].values():
        assert tuple(verdicts) == IDS


@pytest.mark.parametrize("check", IDS)
def test_every_check_passes_somewhere_and_fails_somewhere(check: str):
    found = {verdicts[check].partition(":")[0] for verdicts in EXPECTED["pairs"].values()}
    assert {"pass", "fail"} <= found <= {"pass", "fail", "skip"}


def test_the_readme_points_at_the_lines_with_the_faults():
    rows = ROW.findall((PAIRS / "README.md").read_text("utf-8"))
    assert sorted(name for name, *_ in rows) == FOLDERS
    for name, file, number, link, code in rows:
        if file:
            assert link == f"{name}/{file}#L{number}"
            lines = (PAIRS / name / file).read_text("utf-8").splitlines()
            assert lines[int(number) - 1].strip() == code
