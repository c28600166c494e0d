"""The data that the report's values and tables come from: measurements, the code, the tests."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

from project import ROOT, Problem, read

SUMMARY = "notebooks/results/summary.json"
COLLECT = ["--collect-only", "-q", "-o", "addopts=", "-p", "no:cacheprovider"]
COLLECT += ["-p", "no:hypothesispytest", "tests"]  # which writes, too
COLLECTED = re.compile(r"^(\d+) tests? collected", re.M)


def load() -> dict:
    """Return everything that a value can name."""
    try:
        measured = json.loads(read(SUMMARY))
    except json.JSONDecodeError as error:
        raise Problem(f"{SUMMARY} is no JSON: {error}") from None
    return {**measured, "code": of_code(), "tests": of_tests()}


def of_code() -> dict:
    """Return the lines, constants and options of each program of each step."""
    facts = {}
    for folder in sorted(ROOT.glob("steps/step*_*/")):
        programs = {path.stem: of_program(path) for path in sorted(folder.glob("*.py"))}
        lines = sum(program["lines"] for program in programs.values())
        facts[folder.name.partition("_")[0]] = {"lines": lines, **programs}
    return facts


def of_program(path: Path) -> dict:
    """Return the number of lines, the plain constants and the defaults of the options."""
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    facts: dict = {"lines": len(text.splitlines()), "options": {}}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            facts[node.targets[0].id] = node.value.value
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            name = node.args[0].value.lstrip("-").replace("-", "_")
            for keyword in node.keywords:
                if keyword.arg == "default":
                    facts["options"][name] = ast.literal_eval(keyword.value)
    return facts


def of_tests() -> dict:
    """Return how many tests there are, in how many functions, files and lines."""
    files = sorted(ROOT.glob("tests/*.py"))
    text = "".join(path.read_text("utf-8") for path in files)
    return {
        "count": collected(),
        "functions": len(re.findall(r"^ *def test_", text, re.M)),
        "files": sum(path.name.startswith("test_") for path in files),
        "lines": len(text.splitlines()),
        "properties": len(re.findall(r"^@has_from", text, re.M)),
    }


def collected() -> int:
    """Return the number of tests that pytest would run."""
    command = [sys.executable, "-B", "-m", "pytest", *COLLECT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    found = COLLECTED.search(done.stdout)
    if done.returncode or not found:
        raise Problem("pytest cannot collect the tests: see `pytest --collect-only`")
    return int(found[1])


def flat(data: dict, prefix: str = "") -> dict:
    """Return the values by their dotted paths."""
    paths = {}
    for key, value in data.items():
        path = prefix + key
        paths |= flat(value, f"{path}.") if isinstance(value, dict) else {path: value}
    return paths
