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

from solutions import EXERCISES, DoesNotFit, apply, compare, names, programs, solved, step_of, write

ROOT = Path(__file__).parent.parent
IN_VAIN = "0.15"  # times as long as usual the test of an unsolved exercise waits


def check(exercise: str, folder: Path | None, report: Path, **environment: str) -> dict[str, str]:
    """Run an exercise's test as a student does; return how each of its functions ended, and why."""
    options = [f"--junit-xml={report}", "-q", "-n", "0", "-p", "no:cacheprovider"]
    for program in ("server", "client") if folder else ():
        path = str(folder / f"{program}.py").replace("\\", "/")
        options += [f"--{program}", f'"{sys.executable}" "{path}"'.replace("\\", "/")]
    subprocess.run(
        [sys.executable, "-m", "pytest", EXERCISES / f"test_{exercise}.py", *options],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        timeout=150,
    )
    ended = {}
    for case in ElementTree.parse(report).iter("testcase"):
        result = next(iter(case), None)
        ended[case.get("name")] = "" if result is None else f"{result.tag}: {result.get('message')}"
    assert ended
    return ended


@pytest.mark.parametrize("exercise", names())
def test_the_solution_of_an_exercise_passes_its_test(exercise, tmp_path):
    write(solved(exercise), tmp_path / "my solution")
    ended = check(exercise, tmp_path / "my solution", tmp_path / "report.xml")
    assert set(ended.values()) == {""}, ended


@pytest.mark.parametrize("exercise", names())
def test_a_step_without_the_solution_fails_in_all_that_an_exercise_tests(exercise, tmp_path):
    write(programs(step_of(exercise)), tmp_path / "my solution")
    ended = check(
        exercise, tmp_path / "my solution", tmp_path / "report.xml", CHAT_DEADLINE_SCALE=IN_VAIN
    )
    passed = [name for name, result in ended.items() if not result.startswith(("fail", "error"))]
    assert not passed


def test_an_exercise_that_nobody_has_asked_for_is_skipped_and_says_how_to_ask(tmp_path):
    for exercise, program in [("3_2", "server"), ("1_2", "client")]:
        for result in check(exercise, None, tmp_path / "report.xml").values():
            assert result == (
                f"skipped: упражнение {exercise.replace('_', '.')}: назовите своё решение,"
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


@pytest.mark.parametrize(("line", "hunk"), [("4\n", 3), ("5\n", 3), ("27\n", 23)])
def test_a_difference_does_not_fit_where_its_lines_have_changed(line, hunk):
    changed = BEFORE.replace(line, "something else\n", 1)
    with pytest.raises(DoesNotFit, match=f"x, around line {hunk}:"):
        apply(compare({"x": BEFORE}, {"x": AFTER}), {"x": changed})
