"""The tests work for any server, fail in just what it lacks, and say in Russian what to mend."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from marks import posix_only
from properties import PROPERTIES
from tools.harness import DEADLINE, STEPS

TESTS = Path(__file__).parents[1]
OTHERS = TESTS / "other_servers"
EVERY_STEP = TESTS / "test_every_step.py"


def judge(step: int, server: Path | str, *options: str, tests: list[str] | None = None):
    """Run the tests of a step against a server; return what pytest has printed, and its status."""
    command = server if isinstance(server, str) else f'"{sys.executable}" "{server}"'
    words = ["--server", command.replace("\\", "/"), "--step", str(step), *options]
    words += ["-n", "0" if tests else "2", *(f"{EVERY_STEP}::{test}" for test in tests or [])]
    return pytest_says(*words)


def pytest_says(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        cwd=TESTS.parent,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=17 * DEADLINE,
    )


def failed_properties(step: int, server: Path, tmp_path: Path) -> set[str]:
    """Check another server for what this step should have; return the properties it lacks."""
    report = tmp_path / "report.xml"
    promised = {prop.id: prop.sentence for prop in PROPERTIES if prop.first <= step}
    tests = [f"test_property[step{step}-{id_}]" for id_ in promised]
    judge(step, server, f"--junit-xml={report}", tests=tests)
    cases = list(ElementTree.parse(report).iter("testcase"))
    assert len(cases) == len(promised)
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    return {promised[name.partition("-")[2].rstrip("]")] for name in failed}


def test_the_server_of_step_1_lacks_just_what_step_2_has_added(tmp_path):
    lacks = failed_properties(2, STEPS[1] / "server.py", tmp_path)
    assert lacks == {prop.sentence for prop in PROPERTIES if prop.first == 2}


def test_a_server_that_a_student_wrote_in_another_place_passes(tmp_path):
    server = tmp_path / "мой server.py"
    server.write_bytes((STEPS[3] / "server.py").read_bytes())
    assert failed_properties(3, server, tmp_path) == set()


def changed(tmp_path: Path, step: int, *changes: tuple[str, str]) -> Path:
    """Return a copy of a step's server in which something is different."""
    source = (STEPS[step] / "server.py").read_text("utf-8")
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    server = tmp_path / "server.py"
    server.write_text(source, "utf-8")
    return server


ONE_AT_A_TIME = (
    (
        "        if log_in(user, room):",
        "        with ONE:\n            ok = log_in(user, room)\n        if ok:",
    ),
    ("def log_in(", "ONE = threading.Lock()\n\n\ndef log_in("),
)


def test_a_server_that_asks_one_newcomer_at_a_time_lacks_just_that(tmp_path):
    server = changed(tmp_path, 3, *ONE_AT_A_TIME)
    assert failed_properties(3, server, tmp_path) == {"a newcomer who says nothing harms nobody"}


@pytest.mark.ci
@pytest.mark.parametrize(
    ("step", "server"), [(3, "step3_queues.py"), (4, "step4_asyncio.py")], ids=["3", "4"]
)
def test_a_right_server_of_another_design_passes(step, server):
    """A part of the contract tests; all of them: `pytest --step 4 --server ...`."""
    part = "property or quit or refused or left or stop"
    done = judge(step, OTHERS / server, "-k", part)
    assert done.returncode == 0, done.stdout
    assert "Итог: все проверки пройдены" in done.stdout


def test_the_verdict_names_the_first_cause_and_tells_its_story(tmp_path):
    server = changed(tmp_path, 3, ("if user is not author]", "]"), *ONE_AT_A_TIME)
    done = judge(3, server, "-k", "author or property or joined")
    assert done.returncode == 1
    verdict = done.stdout.partition("вердикт")[2]
    assert "✗ Разговор: сообщения доходят до остальных" in verdict
    assert "не выполнено: сообщение получают все остальные, а его автор — нет" in verdict
    assert "ann ожидает '* bob joined'\n          но: пришло '* ann joined'" in verdict
    assert "silent подключается и ничего не читает" in verdict, "a silent connect is named"
    assert "Исправьте сначала: двое разговаривают одновременно." in verdict
    _, _, beyond = verdict.partition("Сверх этого")
    assert "молчащий новый клиент никому не мешает" in beyond


def test_the_traceback_of_the_server_is_in_the_story(tmp_path):
    server = changed(tmp_path, 3, ("    user = User(connection)\n", "    user = Usr(connection)\n"))
    done = judge(3, server, tests=["test_property[step3-two-people-talk-at-once]"])
    verdict = done.stdout.partition("вердикт")[2]
    assert "сервер написал в stderr:\n" in verdict
    assert "NameError: name 'Usr' is not defined" in verdict


def test_a_server_that_does_not_flush_fails_in_just_that(tmp_path):
    server = changed(tmp_path, 3, ("getsockname()), flush=True)", "getsockname()))"))
    done = judge(3, server, "-k", "property or first_line")
    assert "Исправьте сначала: первая строка вывода" in done.stdout
    assert "сервер ожидает строку 'listening on '" in done.stdout
    assert "Итог: пройдено 4 из 5" in done.stdout


@posix_only
@pytest.mark.parametrize("server", ["false", "sleep 1000"])
def test_a_server_that_does_not_work_ends_the_run_soon(server):
    done = judge(4, server, "-n", "3")
    assert done.returncode == 1
    assert "Не выполнялось проверок" in done.stdout
    assert "Исправьте сначала" in done.stdout


def test_no_test_of_this_projects_own_choices_runs_on_another_server():
    options = ("--collect-only", "-m", "own or limit")
    done = judge(4, OTHERS / "step4_asyncio.py", *options)
    assert done.returncode == 5, "pytest's status for: no tests"


def test_a_server_of_no_step_is_told_what_to_add():
    done = pytest_says("--server", "python3 my_server.py")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.strip() == (
        "ERROR: --server and --client need a step: add, for example, --step 3"
    )


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_tested_by_its_own_files_and_its_rows_of_what_holds_for_every_step(step):
    done = pytest_says("--step", str(step), "--collect-only", "-n", "0", "-m", "")
    lines = [line for line in done.stdout.splitlines() if "::" in line]
    found = {line.partition("::")[0].rpartition("/")[2] for line in lines}
    own = {path.name for path in TESTS.glob(f"test_step{step}_*.py")}
    assert found == own | {EVERY_STEP.name} | ({"test_framing.py"} if step == 4 else set())
    rows = {re.search(r"step\d", line)[0] for line in lines if EVERY_STEP.name in line}
    assert rows == {f"step{step}"}


def test_an_error_in_a_students_command_is_in_the_verdict(tmp_path):
    """It comes before anything else that the test could fail of, such as the end of the stream."""
    for path in STEPS[4].glob("*.py"):
        shutil.copy(path, tmp_path)
    framing = tmp_path / "framing.py"
    framing.write_text(
        framing.read_text("utf-8")
        + "\n\nright = encode\n\n\ndef encode(text):\n"
        + "    return right(text + txet if 'unknown command' in text else text)\n",
        "utf-8",
    )
    done = judge(4, tmp_path / "server.py", "-k", "test_another_word_is_unknown")
    verdict = done.stdout.partition("вердикт")[2]
    assert "сервер написал в stderr:\n" in verdict
    assert "NameError: name 'txet' is not defined" in verdict
