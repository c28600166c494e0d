"""The tour, `python3 steps`: it plays all scenes, and cannot show what does not happen."""

import os
import re
import shutil
import signal
import subprocess
import sys

import psutil
import pytest

from tools.harness import STEPS

FOLDER = STEPS[1].parent
TOUR = FOLDER / "tools" / "tour.py"
SCENES = re.findall(r"^@scene\((\d), \"(\w+)\".*\)\ndef (\w+)", TOUR.read_text("utf-8"), re.M)
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and terminals")

ECHO_FOR_MANY = '''"""Step 1: an echo server without the limit of step 1."""
import socketserver

class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65_536):
            self.request.sendall(data)

with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
    print("listening on {}:{}".format(*server.server_address), flush=True)
    server.serve_forever()
'''


def tour(*args, folder=FOLDER, cwd=None, **environment) -> subprocess.CompletedProcess:
    """Run the tour on the bare standard library."""
    command = [sys.executable, "-S", str(folder), *args]
    environment = os.environ | {"COLUMNS": "80"} | environment
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", env=environment, cwd=cwd, timeout=150
    )


def titles(*steps: int) -> list[str]:
    """Return the line with which each scene of these steps begins."""
    return [f"{kind}: {name.replace('_', ' ')}" for n, kind, name in SCENES if int(n) in steps]


def headings(told: subprocess.CompletedProcess) -> list[str]:
    return [line for line in told.stdout.splitlines() if line.startswith(("works: ", "limit: "))]


def test_the_whole_tour_goes_as_told_in_plain_text_and_80_columns(tmp_path):
    told = tour(cwd=tmp_path)
    assert told.returncode == 0, told.stdout
    assert headings(told) == titles(1, 2, 3, 4)
    assert told.stdout.endswith(f"{len(SCENES)} of {len(SCENES)} scenes went as told.\n")
    for folder in STEPS.values():
        assert f"── {folder.name} ──" in told.stdout
    assert told.stderr == ""
    assert "\x1b" not in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80


def test_each_scene_that_is_played_says_why(tmp_path):
    told = tour("1")
    assert told.returncode == 0, told.stdout
    assert headings(told) == titles(1)
    assert told.stdout.count("  why: ") == len(titles(1))
    assert "step2" not in told.stdout


@pytest.mark.parametrize("args", [["5"], ["three"], ["1", "2"], ["--fast"]])
def test_a_bad_argument_is_one_line_with_status_2(args):
    told = tour(*args)
    assert told.returncode == 2
    assert told.stdout == ""
    assert len(told.stderr.splitlines()) == 1
    assert args[-1] in told.stderr


@pytest.fixture
def copy(tmp_path):
    """A copy of the steps, in which a test may spoil something."""
    ignored = shutil.ignore_patterns("__pycache__")
    # `copy` and not `copy2`, which Wine lacks: times of change are of no use here
    return shutil.copytree(FOLDER, tmp_path / "steps", ignore=ignored, copy_function=shutil.copy)


def test_what_a_server_cannot_do_is_told_and_gives_status_1(copy):
    shutil.copy(copy / STEPS[1].name / "server.py", copy / STEPS[2].name / "server.py")
    told = tour("2", folder=copy, CHAT_DEADLINE_SCALE="0.2")
    assert told.returncode == 1
    assert headings(told) == titles(2)
    assert told.stdout.count("NOT AS TOLD: the story so far:") == len(titles(2))
    assert "ann expected a line of the server's" in told.stdout
    assert f"0 of {len(titles(2))} scenes went as told" in told.stdout
    assert told.stderr == ""


def test_a_limit_that_is_not_there_is_told_and_gives_status_1(copy):
    (copy / STEPS[1].name / "server.py").write_text(ECHO_FOR_MANY)
    told = tour("1", folder=copy)
    assert told.returncode == 1
    assert "bob expected nothing" in told.stdout
    assert "1 of 2 scenes went as told; not: step 1, a second person" in told.stdout


def on_a_terminal(*args: str, **environment: str) -> tuple[str, int]:
    """Run the tour on a pseudo-terminal; return what it wrote and its exit status."""
    from ptyprocess import PtyProcessUnicode

    environment = {"PATH": os.defpath, "TERM": "xterm"} | environment
    command = [sys.executable, "-S", str(FOLDER), *args]
    terminal = PtyProcessUnicode.spawn(command, env=environment, dimensions=(24, 80))
    written = ""
    try:
        while True:
            written += terminal.read()
    except EOFError:
        return written, terminal.wait()


@posix_only
@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_there_are_colours_on_a_terminal_unless_they_are_unwanted(environment, coloured):
    written, status = on_a_terminal("1", **environment)
    assert status == 0
    assert ("\x1b[36m> hello\x1b[0m" in written) is coloured
    assert ("\x1b" in written) is coloured


@posix_only
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_all_its_programs_and_without_a_traceback(signum):
    command = [sys.executable, "-S", str(FOLDER), "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command, **pipes) as process:
        while "is anybody here?" not in process.stdout.readline():  # now bob gets no answer
            pass
        programs = psutil.Process(process.pid).children()
        process.send_signal(signum)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 128 + signum
    assert errors == ""
    assert len(programs) == 3
    assert psutil.wait_procs(programs, timeout=5)[1] == []


@posix_only
def test_a_reader_who_goes_away_gets_no_traceback():
    command = [sys.executable, "-S", str(FOLDER), "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command, **pipes) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1
