"""Each exercise can be solved, its test notices if it is not, and its solution fits the step."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solutions import EXERCISES, DoesNotFit, apply, compare, names, solved, step_of, write
from tools.harness import STEPS

ROOT = Path(__file__).parent.parent
LONG, SHORT = "4", "0.4"  # how long a test waits: what comes may come late, or will not come


def check(tests: list[str], folder: Path | None, report: Path, *options: str, **environment: str):
    """Run tests of exercises as a student does; return how each function ended, and why."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    for program in ("server", "client") if folder else ():
        words = f'"{sys.executable}" "{folder / program}.py"'
        command += [f"--{program}", words.replace("\\", "/")]
    subprocess.run(
        [*command, f"--junit-xml={report}", *(EXERCISES / f"test_{name}.py" for name in tests)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        timeout=150,
    )
    ended = {}
    for case in ElementTree.parse(report).iter("testcase"):
        result = next((child for child in case if child.tag != "properties"), None)
        name = f"{case.get('classname')}.{case.get('name')}"
        ended[name] = "" if result is None else f"{result.tag}: {result.get('message')}"
    assert ended
    return ended


@pytest.mark.parametrize("exercise", names())
def test_the_solution_of_an_exercise_passes_its_test(exercise, tmp_path):
    folder = tmp_path / "моё решение"
    write(solved(exercise), folder)
    ended = check([exercise], folder, tmp_path / "xml", "-n", "0", CHAT_DEADLINE_SCALE=LONG)
    assert set(ended.values()) == {""}, ended


@pytest.mark.parametrize("step", STEPS)
def test_a_step_without_the_solutions_fails_in_all_that_its_exercises_test(step, tmp_path):
    tests = [exercise for exercise in names() if step_of(exercise) == STEPS[step]]
    ended = check(tests, STEPS[step], tmp_path / "xml", "-n", "3", CHAT_DEADLINE_SCALE=SHORT)
    assert "" not in ended.values(), ended


def test_an_exercise_that_nobody_has_asked_for_is_skipped_and_says_how_to_ask(tmp_path):
    for exercise, program in [("3_2", "server"), ("1_2", "client")]:
        for result in check([exercise], None, tmp_path / "xml", "-n", "0").values():
            assert result == (
                f"skipped: упражнение {exercise.replace('_', '.')}: назовите решение,"
                f' --{program} "python3 my/{exercise}/{program}.py"'
            )


def test_each_guide_has_two_exercises_at_least_and_names_what_belongs_to_each():
    for exercise in names():
        guide = (step_of(exercise) / "README.md").read_text("utf-8")
        section = guide.partition("\n## Упражнения\n")[2].partition("\n## ")[0]
        assert len(re.findall(r"^### ", section, re.M)) >= 2
        [task] = re.findall(
            rf"^### {exercise.replace('_', '.')}\. (?:(?!^##).)+", section, re.M | re.S
        )
        assert f"tests/exercises/test_{exercise}.py" in task
        assert f"](../../tests/exercises/{exercise}.diff)" in task
        assert "<details>" in task
    assert {path.stem for path in EXERCISES.glob("*.diff")} == set(names())


folders = st.fixed_dictionaries(
    {name: st.lists(st.sampled_from("abc").map("{}\n".format)).map("".join) for name in ("x", "y")}
)


@given(folders, folders)
def test_a_difference_makes_one_folder_of_the_other(before, after):
    assert apply(compare(before, after), before) == after


BEFORE = "".join(f"{number}\n" for number in range(30))
AFTER = BEFORE.replace("5\n", "five\n", 1).replace("25\n", "and\n25\n")


@pytest.mark.parametrize(("at_the_start", "in_the_middle"), [(9, 0), (0, 9), (3, 2)])
def test_a_difference_fits_where_lines_have_moved(at_the_start, in_the_middle):
    def moved(text: str) -> str:
        return "new\n" * at_the_start + text.replace("15\n", "15\n" + "new\n" * in_the_middle)

    difference = compare({"x": BEFORE}, {"x": AFTER})
    assert apply(difference, {"x": moved(BEFORE)}) == {"x": moved(AFTER)}


@pytest.mark.parametrize(("line", "hunk"), [("4\n", 4), ("5\n", 4), ("26\n", 24)])
def test_a_difference_does_not_fit_where_its_lines_have_changed(line, hunk):
    changed = BEFORE.replace(line, "something else\n", 1)
    with pytest.raises(DoesNotFit, match=f"x, around line {hunk}:"):
        apply(compare({"x": BEFORE}, {"x": AFTER}), {"x": changed})
