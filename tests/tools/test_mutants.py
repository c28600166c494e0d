"""The list of faults, from which mutants.py takes, fits the code as it is."""

import pytest

from faults import FAULTS, FILES, SOME
from tools.harness import STEPS

STEPS_FOLDER = STEPS[1].parent


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_can_be_put_in_and_is_still_python(fault):
    source = (STEPS_FOLDER / FILES[fault.file]).read_text("utf-8")
    assert source.count(fault.old) == 1
    compile(source.replace(fault.old, fault.new), fault.name, "exec")


def test_the_faults_that_ci_puts_in_are_in_the_list():
    assert {fault.name for fault in FAULTS} >= SOME
