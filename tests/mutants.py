"""Do the tests notice a fault? Puts plausible ones into the steps, one at a time, and runs them.

Run:    python tests/mutants.py [--only WORD] [--step N] [--some] [--jobs 1]
Prints: a line for each fault: what noticed it, and how soon; at last those that nothing noticed.
Ends with status 0 if every fault was noticed that somebody could see.

A fault is a name, a file, what stands there and what is put in its place. Nobody can see the ones
with a reason: they stay in the list, so that it says what the tests do not guard, and why.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "helpers"))

from faults import FAULTS, FILES, SOME, Fault

ROOT = Path(__file__).parent.parent
QUICK = ["test_framing.py", "test_step4_room.py"]  # in one process: some seconds
EVERY_STEP = "test_every_step.py"  # as far as it is about the step in question
TESTS = {  # for the faults of each step, in the order in which they are tried
    "1": [["test_step1_echo.py", EVERY_STEP]],
    "2": [["test_step2_two_user.py", EVERY_STEP]],
    "3": [["test_step3_multi_threaded.py", EVERY_STEP]],
    "4": [QUICK, ["test_step4_framing_and_exit.py", EVERY_STEP], ["test_step4_load_and_abuse.py"]],
    "4c": [["test_step4_client.py", "test_step4_terminal.py", EVERY_STEP]],
}
MOST = 600  # seconds for the tests of one fault
RUNNING: set[subprocess.Popen] = set()  # the tests, each with all that they have started
# In the order of the files, each test to the next worker that is free: the quick ones come first.
ORDER = ["-n", "3", "--dist", "load", "--maxschedchunk", "1"]


@dataclass
class Outcome:
    """What became of one fault."""

    fault: Fault
    noticed_by: str  # a test; "" if none
    seconds: float

    def line(self) -> str:
        by = self.noticed_by or f"NOT NOTICED{f': {self.fault.why}' if self.fault.why else ''}"
        return f"{self.fault.name:<64} {self.seconds:5.0f} s  {by}"


def put_in(fault: Fault, steps: Path) -> None:
    """Put a fault into a copy of the steps; ValueError if the code is no longer what it was."""
    file = steps / FILES[fault.file]
    source = file.read_text("utf-8")
    if source.count(fault.old) != 1:
        raise ValueError(f"{fault.name}: {FILES[fault.file]} has not just one {fault.old!r}")
    file.write_text(source.replace(fault.old, fault.new), "utf-8")


def try_out(fault: Fault) -> Outcome:
    """Run the tests of a step in which there is a fault, until the first one fails."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("steps", "tests"):
            ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        shutil.copy(ROOT / ".pytest.ini", copy)
        for name in ("notebooks", "report"):  # the tests look what is installed for them
            (copy / name).mkdir()
            shutil.copy(ROOT / name / "requirements.txt", copy / name)
        put_in(fault, copy / "steps")
        by = ""
        for tests in TESTS[fault.file[:2] if fault.file[:2] in TESTS else fault.file[0]]:
            by = by or run(fault, [str(copy / "tests" / name) for name in tests], copy)
    return Outcome(fault, by, time.monotonic() - started)


def run(fault: Fault, tests: list[str], folder: Path) -> str:
    """Run some tests until the first one fails; return its name, "" if none has failed."""
    order = ["-n", "0"] if Path(tests[0]).name in QUICK else ORDER
    command = [sys.executable, "-m", "pytest", "-x", "-q", *order, "-p", "no:cacheprovider"]
    command += ["-m", "not slow", "--step", fault.file[0]]
    with tempfile.TemporaryFile("w+") as output:
        tested = subprocess.Popen(
            [*command, "--timeout", "60", *tests],
            cwd=folder,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        RUNNING.add(tested)
        try:
            status = tested.wait(MOST)
        finally:
            end(tested)
        output.seek(0)
        said = output.read()
    failed = re.search(r"^(?:FAILED|ERROR) \S+?::(\S+)", said, re.M)
    if status != 0 and not failed:
        raise RuntimeError(f"{fault.name}: the tests did not run:\n{said[-2000:]}")
    return failed[1] if failed else ""


def end(tested: subprocess.Popen) -> None:
    """End the tests of one fault, if they still run."""
    if tested.poll() is None:
        os.killpg(tested.pid, signal.SIGKILL)
        tested.wait()
    RUNNING.discard(tested)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="faults whose name holds this")
    parser.add_argument("--step", type=int, choices=[1, 2, 3, 4])
    parser.add_argument("--some", action="store_true", help="a dozen, as CI does")
    parser.add_argument("--jobs", type=int, default=1, help="faults at a time")
    args = parser.parse_args()
    chosen = [
        fault
        for fault in FAULTS
        if args.only in fault.name
        and (not args.step or int(fault.file[0]) == args.step)
        and (not args.some or fault.name in SOME)
    ]
    os.environ.setdefault("CHAT_DEADLINE_SCALE", "0.5")  # waits in vain are many here
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    outcomes = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with concurrent.futures.ThreadPoolExecutor(max(args.jobs, 1)) as pool:
        try:
            for outcome in pool.map(try_out, chosen):
                outcomes.append(outcome)
                print(outcome.line(), flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for tested in RUNNING.copy():
                end(tested)
            return 130
    noticed = [outcome for outcome in outcomes if outcome.noticed_by]
    missed = [o for o in outcomes if not o.noticed_by and not o.fault.why]
    times = sorted(outcome.seconds for outcome in noticed)
    median = f", half of them within {times[len(times) // 2]:.0f} s" if times else ""
    print(f"{len(noticed)} of {len(outcomes)} noticed{median}; {len(missed)} should have been")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
