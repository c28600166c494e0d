"""What is run for the report: the tests of the steps, and the checker on the pairs of programs."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import facts
from facts import ROOT, RUNS, Problem

TESTS = (
    "test_step1_echo.py",
    "test_step2_two_user.py",
    "test_step3_multi_threaded.py",
    "test_framing.py",
    "test_step4_framing_and_exit.py",
)
QUIET = ["-q", "-n", "2", "-r", "N", "--color", "no", "-p", "no:cacheprovider"]
RESULT = re.compile(r"^\d+ (?:passed|failed|error).* in .*$", re.M)
COUNT = re.compile(r"(\d+) (passed|xfailed|skipped)")
AGAIN = "Повторите: python report/build.py runs"


def make(folder: str | None) -> list[str]:
    """Run everything, or the checker on a folder alone; keep the results in runs.json."""
    known = facts.read_json(RUNS)["runs"] if (ROOT / RUNS).is_file() else {}
    known["titles"] = titles()
    if folder:
        judge(known, Path(folder).resolve().name, Path(folder))
    else:
        known |= {"sources": digest(), "tests": {}, "checks": {}, "scores": {}, "output": {}}
        run_tests(known)
        for step in sorted(ROOT.glob("steps/step*_*")):
            judge(known, step.name.partition("_")[0], step)
    text = json.dumps({"runs": known}, ensure_ascii=False, indent=1) + "\n"
    facts.write(ROOT / RUNS, text.encode())
    return []


def run_tests(known: dict) -> None:
    """Run the tests of the steps; note how many have passed, and what pytest has printed."""
    lines, counts = [], {"passed": 0, "xfailed": 0, "skipped": 0}
    for test in TESTS:
        print(f"pytest {test} … ", end="", flush=True)
        command = [sys.executable, "-m", "pytest", *QUIET, f"tests/{test}"]
        pipes = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
        done = subprocess.run(command, cwd=ROOT, timeout=900, **pipes)
        result = RESULT.search(done.stdout)
        print(result[0] if result else "нет результата", flush=True)
        if done.returncode or not result:
            raise Problem(f"тесты {test} не прошли: python -m pytest tests/{test}")
        lines += [f"$ python3 -m pytest -q tests/{test}", result[0]]
        for count, word in COUNT.findall(result[0]):
            counts[word] += int(count)
    known["tests"] = counts | {"count": sum(counts.values())}
    known["output"]["tests"] = "\n".join(lines)


def judge(known: dict, name: str, folder: Path) -> None:
    """Note what `python3 steps check` says of a pair."""
    print(f"steps check {folder.name} … ", end="", flush=True)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "verdicts.json")
        pair = str(folder.resolve())
        command = [sys.executable, str(ROOT / "steps"), "check", pair, "--json", str(file)]
        pipes = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
        done = subprocess.run(command, cwd=ROOT, env=os.environ, timeout=600, **pipes)
        found = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    if reason := found.get("reason", done.stderr.strip()[-200:]):
        print("не вышло", flush=True)
        raise Problem(f"проверка {folder.name} не состоялась: {reason}")
    print(f"{found['score']} из {found['of']}", flush=True)
    known["checks"][name] = {check["id"]: check["status"] for check in found["checks"]}
    hints = [check["status"] for check in found["checks"] if not check["graded"]]
    known["scores"][name] = {
        "passed": found["score"],
        "of": found["of"],
        "hints": hints.count("pass"),
        "of_hints": len(hints),
    }


def titles() -> dict[str, str]:
    """Return what each check is about, in the words of the checker."""
    sys.path.append(str(ROOT / "steps"))
    try:
        from tools.check import checks, words
    except ModuleNotFoundError:
        raise Problem("нет команды `python3 steps check`: без неё пары не проверить") from None
    russian = words.Words("ru")
    return {name: russian.title(name) for name in checks.ORDER}


def digest() -> str:
    """Return the mark of the programs that were run."""
    return facts.digest(path.relative_to(ROOT).as_posix() for path in programs())


def programs() -> list[Path]:
    """Return the programs of the steps."""
    return sorted(ROOT.glob("steps/step*_*/*.py"))


def outdated() -> list[str]:
    """Tell if the programs were changed after they were run."""
    known = facts.read_json(RUNS)["runs"]["sources"]
    return [] if known == digest() else [f"{RUNS}: проверены не эти программы. {AGAIN}"]
