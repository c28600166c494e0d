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

from solutions import (
    EXERCISES,
    DoesNotFit,
    apply,
    compare,
    file_of,
    names,
    solved,
    start_of,
    step_of,
    write,
    wrong_names,
)

ROOT = Path(__file__).parents[2]
LONG, SHORT = "4", "0.4"  # how long a test waits: what comes may come late, or will not come


PROGRAMS = ("server", "client")


def run(
    tests: list[str],
    folder: Path | None,
    *options: str,
    programs: tuple[str, ...] = PROGRAMS,
    **environment: str,
):
    """Run tests of exercises as a student does."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    for program in programs if folder else ():
        words = f'"{sys.executable}" "{folder / program}.py"'
        command += [f"--{program}", words.replace("\\", "/")]
    return subprocess.run(
        [*command, *(EXERCISES / f"test_{name}.py" for name in tests)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=150,
    )


def check(tests: list[str], folder: Path | None, report: Path, *options: str, **environment: str):
    """Run tests of exercises; return how each function ended, and why."""
    run(tests, folder, f"--junit-xml={report}", *options, **environment)
    ended = {}
    for case in ElementTree.parse(report).iter("testcase"):
        result = next((child for child in case if child.tag != "properties"), None)
        name = f"{case.get('classname')}.{case.get('name')}"
        ended[name] = "" if result is None else f"{result.tag}: {result.get('message')}"
    assert ended
    return ended


@pytest.mark.ci
@pytest.mark.parametrize("exercise", names())
def test_the_solution_of_an_exercise_passes_its_test(exercise, tmp_path):
    folder = tmp_path / "моё решение"
    write(solved(exercise), folder)
    ended = check([exercise], folder, tmp_path / "xml", "-n", "0", CHAT_DEADLINE_SCALE=LONG)
    assert set(ended.values()) == {""}, ended


@pytest.mark.ci
@pytest.mark.parametrize("exercise", names())
def test_what_a_student_starts_from_fails_in_all_that_an_exercise_tests(exercise, tmp_path):
    folder = tmp_path / "start"
    write(start_of(exercise), folder)
    ended = check([exercise], folder, tmp_path / "xml", "-n", "0", CHAT_DEADLINE_SCALE=SHORT)
    assert "" not in ended.values(), ended


@pytest.mark.ci
@pytest.mark.parametrize("wrong", wrong_names())
def test_a_wrong_solution_is_seen_by_the_test_that_it_names(wrong, tmp_path):
    what, by = file_of(wrong).read_text("utf-8").splitlines()[:2]
    assert re.match(r"# [`А-Я].+\.$", what), "what is wrong, in a sentence"
    assert re.match(r"# test_\w+$", by), "which test sees it"
    folder = tmp_path / "wrong"
    write(solved(wrong), folder)
    options = ["-n", "0", "-x", "-k", by.removeprefix("# ")]
    ended = check([wrong[:3]], folder, tmp_path / "xml", *options, CHAT_DEADLINE_SCALE=SHORT)
    assert set(ended.values()) != {""}, ended


def test_each_exercise_has_two_wrong_solutions():
    for exercise in names():
        assert sum(wrong.startswith(exercise) for wrong in wrong_names()) >= 2, exercise


BUGS = {  # a typing error in a command of one's own, and what the verdict says of it
    "3_1": ("room.online()", "room.onlin()", "talk", "'Room' object has no attribute 'onlin'"),
    "4_2": ("self.problem(user, nick):\n            self.tell(user, f\"* {problem}\")",
            "self.problem(nick):\n            self.tell(user, f\"* {problem}\")",
            "rename", "Room.problem() missing 1 required positional argument: 'nick'"),
}  # fmt: skip


@pytest.mark.parametrize("exercise", BUGS)
def test_a_verdict_tells_where_the_servers_own_code_failed(exercise, tmp_path):
    old, new, function, error = BUGS[exercise]
    files = solved(exercise)
    [name] = [name for name, text in files.items() if old in text]
    assert files[name].count(old) == 1
    files[name] = files[name].replace(old, new)
    write(files, tmp_path / "bug")
    wrong = new.partition("\n")[0]
    number = next(n for n, line in enumerate(files[name].splitlines(), 1) if wrong in line)
    verdict = run([exercise], tmp_path / "bug", "-n", "0").stdout
    told = verdict.partition("написал в stderr:")[2].partition("\nИтог")[0]
    assert f'{name}", line {number}, in {function}\n' in told, verdict
    assert f"Error: {error}" in told, verdict
    guide = (step_of(exercise) / "README.md").read_text("utf-8")
    [heading] = re.findall(r"^Задание и подсказки: .*/README\.md, «(.+)»\.$", verdict, re.M)
    assert heading.startswith(exercise.replace("_", "."))
    assert re.search(rf"^##+ (Упражнение )?{re.escape(heading)}$", guide, re.M)


def test_a_verdict_shows_an_empty_message(tmp_path):
    write(solved("4_1_c"), tmp_path / "wrong")
    verdict = run(["4_1"], tmp_path / "wrong", "-n", "0", "-k", "test_an_empty_frame").stdout
    assert "отправляет ''\n" in verdict, verdict


def test_a_verdict_says_which_program_was_not_checked_and_why_a_server_did_not_start(tmp_path):
    write(start_of("4_4"), tmp_path / "start")
    options = ["-n", "0", "-k", "test_who_answers or test_the_client"]
    verdict = run(["4_4"], tmp_path / "start", *options, programs=("server",)).stdout
    assert (
        '\nНе проверен клиент: добавьте в команду --client "python3 my/.../client.py".\n' in verdict
    )
    error = "server.py: error: unrecognized arguments: --heartbeat 1.0"
    assert re.search(rf"а в stderr:\n +{re.escape(error)}\n", verdict), verdict
    assert "\nИсправьте сначала: сервер не запустился, проверьте команду в --server" in verdict
    both = run(["4_4"], tmp_path / "start", "-n", "0", "-k", "test_who_answers").stdout
    assert "Не проверен" not in both


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
        heading = rf"^##+ (?:Упражнение )?{exercise.replace('_', '.')}\. "
        [task] = re.findall(rf"{heading}(?:(?!^##).)+", guide, re.M | re.S)
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
