"""The list of faults fits the code as it is, and the script notices a fault."""

import subprocess
import sys
from pathlib import Path

import pytest

from faults import FAULTS, FILES, SOME
from tools.harness import STEPS

STEPS_FOLDER = STEPS[1].parent


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_can_be_put_in_and_is_still_python(fault):
    source = (STEPS_FOLDER / FILES[fault.file]).read_text("utf-8")
    assert source.count(fault.old) == 1
    compile(source.replace(fault.old, fault.new), fault.name, "exec")


def test_there_are_faults_enough_of_every_step_with_names_of_their_own():
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names) >= 120
    assert set(names) >= SOME
    assert all(name[:2] == f"{fault.file[0]}:" for name, fault in zip(names, FAULTS, strict=True))


def test_the_script_tells_what_notices_a_fault():
    script = Path(__file__).parents[1] / "mutants.py"
    done = subprocess.run(
        [sys.executable, str(script), "--only", "1: text for bytes"],
        capture_output=True,
        encoding="utf-8",
        timeout=170,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_bytes_out_are_bytes_in" in done.stdout or "1 of 1 noticed" in done.stdout
