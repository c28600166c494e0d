"""The tests work for any server, and fail in just the properties that it lacks."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from properties import PROPERTIES
from tools.harness import STEPS

TESTS = Path(__file__).parent


def failed_properties(step: int, server: Path, tmp_path: Path) -> set[str]:
    """Check another server for what this step should have; return the properties it lacks."""
    command = f'"{sys.executable}" "{server}"'.replace("\\", "/")
    report = tmp_path / "report.xml"
    promised = {prop.id: prop.sentence for prop in PROPERTIES if prop.first <= step}
    tests = [TESTS / f"test_{STEPS[step].name}.py::test_property[{id_}]" for id_ in promised]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *tests,
            "--server",
            command,
            f"--junit-xml={report}",
        ],
        cwd=TESTS.parent,
        env=os.environ | {"CHAT_DEADLINE_SCALE": "0.15"},
        capture_output=True,
        timeout=120,
    )
    cases = list(ElementTree.parse(report).iter("testcase"))
    assert len(cases) == len(promised)
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    return {promised[name.partition("[")[2].rstrip("]")] for name in failed}


def test_the_server_of_step_1_lacks_just_what_step_2_has_added(tmp_path):
    lacks = failed_properties(2, STEPS[1] / "server.py", tmp_path)
    assert lacks == {prop.sentence for prop in PROPERTIES if prop.first == 2}


def test_a_server_that_a_student_wrote_in_another_place_passes(tmp_path):
    server = tmp_path / "my server.py"
    server.write_bytes((STEPS[3] / "server.py").read_bytes())
    assert failed_properties(3, server, tmp_path) == set()


def test_a_server_that_asks_one_newcomer_at_a_time_lacks_just_that(tmp_path):
    source = (STEPS[3] / "server.py").read_text("utf-8")
    question = "others = join(user, room)"
    assert source.count(question) == 1
    source = source.replace(question, f"with ONE_AT_A_TIME: {question}")
    source = source.replace("\n\n\n", "\n\nONE_AT_A_TIME = threading.Lock()\n\n", 1)
    server = tmp_path / "server.py"
    server.write_text(source, "utf-8")
    assert failed_properties(3, server, tmp_path) == {"a newcomer who says nothing harms nobody"}
