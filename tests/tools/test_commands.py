"""Every command but those of the steps: one clear line or silence, whatever its surroundings."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import parts
from tools.harness import DEADLINE

ROOT = Path(__file__).parents[2]
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


def command(line: str, part: str = "tests") -> object:
    """Return a command as the parameter of a test, skipped without the part it needs."""
    reason = parts.why_not(part)
    skipped = pytest.mark.skipif(bool(reason), reason=reason)
    return pytest.param(line, id=line.partition(" --")[0], marks=[skipped])


COMMANDS = [
    command("steps 1"),
    command("steps diff 1 2"),
    command("steps wire --help"),
    command("notebooks/bench --quick --modes single --servers forwarder", "notebooks"),
    command("notebooks/run.py --help", "notebooks"),
    command("report/build.py --help", "report"),
    command("tests/soak.py --seconds 1 --users 4"),
]


def in_shell(line: str, end: str, **environment: str) -> subprocess.CompletedProcess:
    """Run a command by a shell that does something to its output."""
    return subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} {line} {end}"],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=12 * DEADLINE,
    )


@posix_only
@pytest.mark.parametrize("line", COMMANDS)
@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_a_reader_who_goes_away_hears_no_complaint(line, reader):
    assert in_shell(line, f"| {reader}").stderr == ""


@posix_only
@pytest.mark.parametrize("line", COMMANDS)
def test_no_output_is_asked_for_and_none_comes(line):
    done = in_shell(line, ">&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@posix_only
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is full")
@pytest.mark.parametrize("line", COMMANDS)
def test_a_full_disk_is_told_in_one_line(line):
    done = in_shell(line, "> /dev/full")
    assert done.returncode == 1
    assert done.stderr.endswith(": cannot write its output: No space left on device\n")
    assert len(done.stderr.splitlines()) == 1
    assert in_shell(line, "> /dev/full 2> /dev/full").returncode == 1


def run_python(*args: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *args],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=12 * DEADLINE,
    )


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("notebooks/bench", "tqdm"),
        ("notebooks/run.py", "nbformat"),
        ("report/build.py", "pypandoc"),
        ("tests/soak.py", "psutil"),
    ],
)
def test_a_package_that_is_missing_is_told_in_one_line(line, package):
    told = run_python("-S", line)
    assert told.returncode == 1
    part = line.split("/")[0]
    said = f"the package {package} is missing: install {part}/requ"
    if part == "report":  # which speaks Russian
        said = f"нет библиотеки {package}. Установите report/requ"
    assert said in told.stderr
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize("text", ["many", "nan", "0", "-1"])
@pytest.mark.parametrize(
    "line",
    [
        "steps 1",
        "tests/soak.py",
        "-m pytest -n 0 tests/test_framing.py",
    ],
)
def test_a_scale_of_deadlines_that_is_no_number_is_told_in_one_line(line, text):
    told = run_python(*line.split(), CHAT_DEADLINE_SCALE=text)
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    assert told.stderr.splitlines() == [
        f"CHAT_DEADLINE_SCALE is {text!r}: set it to a number above 0, such as 2"
    ]


@pytest.mark.skipif(bool(parts.why_not("notebooks")), reason=parts.why_not("notebooks"))
@pytest.mark.parametrize("name", ["LAB_QUICK", "LAB_FREE_THREADED", "LAB_NONSENSE"])
def test_a_setting_of_the_notebook_that_makes_no_sense_is_told_in_one_line(name, tmp_path):
    told = run_python("notebooks/run.py", "--output", str(tmp_path), **{name: "many"})
    assert told.returncode == 1
    assert told.stderr.startswith(f"run: {name}: ")
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "environment",
    [{"COLUMNS": "20"}, {"COLUMNS": "many"}, {"COLUMNS": "-5"}, {"TERM": "dumb"}, {"TERM": ""}],
    ids=str,
)
def test_the_tour_fits_any_terminal(environment):
    told = run_python("steps", "1", **environment)
    assert told.returncode == 0, told.stdout
    assert told.stderr == ""


NAMED = {  # what stays as it is typed, in the help of the tools
    *("python", "steps", "check", "diff", "probe", "wire", "ru", "en", "client", "server"),
    *("glue", "cut", "garbage", "order", "stall", "goodbye", "sendall"),
    *("Enter", "Linux", "macOS", "USR", "Python"),
}


@pytest.mark.parametrize("tool", ["", "diff", "probe", "wire"])
def test_the_help_of_a_tool_is_russian_wholly(tool):
    told = run_python("steps", *tool.split(), "-h", LANGUAGE="ru", COLUMNS="80")
    assert (told.returncode, told.stderr) == (0, "")
    words = set(re.findall(r"[A-Za-z]{2,}", re.sub(r"--?[a-z-]+", "", told.stdout)))
    assert words <= NAMED
    assert re.match(f"запуск: python3 steps {tool}".rstrip(), told.stdout)
    assert max(map(len, told.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("steps 7", "ШАГ: 7 — возможны: "),
        ("steps 1 2", "лишнее в команде: 2"),
        ("steps --no-pause=1", "--no-pause: здесь не нужно значение '1'"),
        ("steps wire --to 8080", "не хватает: --listen"),
        ("steps wire --listen", "--listen: нет значения"),
        ("steps diff 1 9", "9: это не номер шага"),
        ("steps diff 1 2 x.py", "x.py: такого файла нет"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_told_in_one_line_of_russian(line, told):
    done = run_python(*line.split(), LANGUAGE="ru")
    assert done.returncode == 2
    assert re.match(r"python3 steps[ a-z]*: " + re.escape(told), done.stderr)
    assert len(done.stderr.splitlines()) == 1
