"""What is run for the report: the tests of the steps, and the checker on the pairs of programs."""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import facts
from facts import ROOT, RUNS, Problem

STEPS = ("step1_echo", "step2_two_user", "step3_multi_threaded", "step4_framing_and_exit")
TESTS = [f"tests/test_{name}.py" for name in ("every_step", *STEPS, "framing")]
QUIET = ["-q", "-n", "2", "-r", "N", "--color", "no", "-p", "no:cacheprovider"]
RESULT = re.compile(r"^\d+ (?:passed|failed|error).* in .*$", re.M)
COMMENT = re.compile(r"^\s*#.*\n|\s+# .*$", re.M)
COUNT = re.compile(r"(\d+) (passed|xfailed|skipped)")


def make(folder: str = "") -> list[str]:
    """Run everything, or the checker on a folder alone; keep the results in runs.json."""
    steps = sorted(ROOT.glob("steps/step*_*"))
    if folder:
        pair = Path(folder).resolve()
        if ROOT not in pair.parents:
            raise Problem(f"{folder}: скопируйте эту папку в папку проекта, например в my")
        if digest(pair) in map(digest, steps):
            raise Problem(f"{folder}: это программы шага без изменений, а нужны Ваши")
        known = facts.runs()
        known["own"] = {"folder": pair.relative_to(ROOT).as_posix(), "sources": digest(pair)}
        known["own"] |= judged(pair)
    else:
        known = run_tests() | {"sources": digest(*steps), "scores": {}}
        for step in steps:
            known["scores"][step.name.partition("_")[0]] = judged(step)
    text = json.dumps(known, ensure_ascii=False, indent=1) + "\n"
    facts.write(ROOT / RUNS, text.encode())
    return []


def run(*arguments: str) -> subprocess.CompletedProcess:
    """Run Python in the root of the project; return what it printed."""
    pipes = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, timeout=900, **pipes)


def run_tests() -> dict:
    """Run the tests of the steps; return how many have passed."""
    print("pytest … ", end="", flush=True)
    done = run("-m", "pytest", *QUIET, *TESTS)
    result = RESULT.search(done.stdout)
    print(result[0] if result else "нет результата", flush=True)
    if done.returncode or not result:
        raise Problem(f"тесты не прошли: python -m pytest {' '.join(TESTS)}")
    return {"tests": {word: int(count) for count, word in COUNT.findall(result[0])}}


def judged(folder: Path) -> dict:
    """Return what `python3 steps check` says of a pair."""
    print(f"steps check {folder.name} … ", end="", flush=True)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "verdicts.json")
        done = run("steps", "check", str(folder.resolve()), "--json", str(file))
        found = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    if reason := found.get("reason", done.stderr.strip()[-200:]):
        print("не вышло", flush=True)
        raise Problem(f"проверка {folder.name} не состоялась: {reason}")
    print(f"{found['score']} из {found['of']}", flush=True)
    hints = [check["status"] for check in found["checks"] if not check["graded"]]
    failed = [check["title"] for check in found["checks"] if check["status"] == "fail"]
    return {
        "passed": found["score"],
        "of": found["of"],
        "hints": hints.count("pass"),
        "of_hints": len(hints),
        "failed": failed[0] if failed else "—",
    }


def digest(*folders: Path) -> str:
    """Return a mark of the programs in folders; comments and the ends of lines do not count."""
    texts = []
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        try:
            texts.append(COMMENT.sub("", path.read_text("utf-8-sig")).strip())
        except (OSError, UnicodeDecodeError):
            texts.append(path.name)  # the checker says what is wrong with it
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def outdated() -> list[str]:
    """Tell if the programs were changed after they were run."""
    if facts.runs()["sources"] == digest(*sorted(ROOT.glob("steps/step*_*"))):
        return []
    return [f"{RUNS}: проверены не эти программы. Повторите: python report/build.py runs"]
