"""What changed between two steps: `python3 steps diff`, without the command diff."""

import subprocess
import sys

import pytest

from solutions import apply, programs
from tools.harness import DEADLINE, STEPS


def diff(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-S", str(STEPS[1].parent), "diff", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=2 * DEADLINE)


@pytest.mark.parametrize("step", [2, 3, 4])
def test_what_is_shown_makes_one_step_of_the_other(step):
    before, after = programs(STEPS[step - 1]), programs(STEPS[step])
    for name in before.keys() & after.keys():
        shown = diff(str(step - 1), str(step), name)
        assert (shown.returncode, shown.stderr) == (0, "")
        title, *lines = shown.stdout.splitlines(keepends=True)
        head = f"--- a/{name}\n+++ b/{name}\n"
        assert apply(head + "".join(lines), before)[name] == after[name]
        assert title.startswith(f"── {name}: ")


def test_a_file_that_only_one_of_them_has_is_named_and_counted():
    lines = len((STEPS[4] / "room.py").read_text("utf-8").splitlines())
    assert f"── room.py: новый файл, строк: {lines}\n" in diff("3", "4").stdout
    assert "── room.py: этого файла больше нет" in diff("4", "3").stdout


def test_nothing_has_changed_is_told_too():
    assert diff("2", "3", "client.py").stdout == "── client.py: без изменений\n"


def test_a_students_own_folder_is_compared_with_its_step(tmp_path):
    text = (STEPS[1] / "server.py").read_text("utf-8")
    (tmp_path / "server.py").write_text(text.replace("default=8080", "default=9090"), "utf-8")
    shown = diff("1", str(tmp_path), "server.py").stdout
    assert shown.startswith("── server.py: добавлено строк: 1, убрано: 1\n")
    assert [line[0] for line in shown.splitlines() if "90" in line or "8080" in line] == ["-", "+"]


def test_a_folder_without_programs_is_told_in_one_line(tmp_path):
    told = diff("1", str(tmp_path))
    assert told.returncode == 2
    assert told.stderr.startswith(f"python3 steps diff: {tmp_path}: это не номер шага (1…4)")
