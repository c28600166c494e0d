"""The tour, `python3 steps`: it plays all scenes, and cannot show what does not happen."""

import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import tools.tour  # noqa: F401 (it makes the scenes)
from tools.harness import DEADLINE, STEPS
from tools.stage import SCENES, Scene

FOLDER = STEPS[1].parent
LABELS = {"ru": ("работает: ", "ограничение: "), "en": ("works: ", "limit: ")}
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


def command(*args: str, folder: Path = FOLDER, lang: str = "en") -> list[str]:
    """Return the command that runs the tour on the bare standard library."""
    return [sys.executable, "-S", str(folder), "--lang", lang, *args]


def tour(*args: str, folder: Path = FOLDER, **environment: str) -> subprocess.CompletedProcess:
    """Run the tour in English, its output in a pipe."""
    return subprocess.run(
        command(*args, folder=folder),
        **{"capture_output": True, "encoding": "utf-8", "timeout": 150},
        env=os.environ | {"COLUMNS": "80"} | environment,
    )


def texts(scene: Scene, lang: str) -> tuple[str, str]:
    """Return the title and the reason of a scene, out of its source."""
    russian, english = inspect.cleandoc(scene.act.__doc__).split("\n\n")
    title, _, why = (russian if lang == "ru" else english).partition("\n")
    return title, " ".join(why.split())


def titles(*steps: int, lang: str = "en") -> list[str]:
    """Return the line with which each scene of these steps begins."""
    works, limit = LABELS[lang]
    return [
        (works if scene.kind == "works" else limit) + texts(scene, lang)[0]
        for scene in SCENES
        if scene.step in steps
    ]


def headings(output: str, lang: str = "en") -> list[str]:
    return [line for line in output.splitlines() if line.startswith(LABELS[lang])]


def words_of_the_tables(output: str) -> set[str]:
    """Return all words of what people send and see, without those that vary."""
    rows = [line for line in output.splitlines() if "│" in line]
    return {word for word in " ".join(rows).split() if not re.search(r"\d|│", word)}


def test_the_whole_tour_goes_as_told_in_both_languages_whatever_the_width():
    runs = {("ru", 80): "", ("en", 80): "", ("ru", 40): ""}
    env = os.environ | {"CHAT_DEADLINE_SCALE": "3"}  # three at once, beside other tests
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
    processes = [
        subprocess.Popen(command(lang=lang), env=env | {"COLUMNS": f"{columns}"}, **pipes)
        for lang, columns in runs
    ]
    for key, process in zip(runs, processes, strict=True):
        runs[key], _ = process.communicate(timeout=12 * DEADLINE)
        assert process.returncode == 0, runs[key]
    for (lang, columns), told in runs.items():
        flowing = " ".join(told.split())  # as if each text was one line
        for scene in SCENES:
            title, why = texts(scene, lang)
            assert f"{title} " in flowing
            if not (scene.stops and os.name == "nt"):
                assert {"ru": "почему: ", "en": "why: "}[lang] + why in flowing
        for folder in STEPS.values():
            assert f"── {folder.name} ─" in told
        played = sum(not (scene.stops and os.name == "nt") for scene in SCENES)
        end = {"ru": "Прошло, как описано: {0} из {0}.", "en": "Went as told: {0} of {0}."}[lang]
        assert flowing.endswith(end.format(played))
        assert "\x1b" not in told
        assert max(map(len, told.splitlines())) <= columns
    assert words_of_the_tables(runs["ru", 80]) <= set(runs["ru", 40].split())  # none is broken
    assert max(line.count("│") for line in runs["ru", 80].splitlines()) == 4  # dora has a column
    assert headings(runs["ru", 80], "ru") == titles(1, 2, 3, 4, lang="ru")


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.act.__name__)
def test_every_scene_is_told_in_russian_and_in_english(scene):
    for text in texts(scene, "ru"):
        assert re.search("[а-я]", text)
        assert not re.search(r"\b(сцен|предел|новичок|говорит|гонка)", text)
    for text in texts(scene, "en"):
        assert re.search("[a-z]", text)
        assert not re.search("[а-я]", text)


@pytest.mark.parametrize(
    ("environment", "lang"),
    [
        ({"LANG": "ru_RU.UTF-8"}, "ru"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "de_DE"}, "en"),
        ({"LANG": "C.UTF-8"}, "ru"),
        ({"LC_ALL": "POSIX"}, "ru"),
        ({}, "ru"),
        ({"LC_ALL": "ru_RU", "LANG": "en_US.UTF-8"}, "ru"),
        ({"LANGUAGE": "en:ru", "LANG": "ru_RU"}, "en"),
    ],
)
def test_it_speaks_the_language_of_the_system_and_russian_if_unsure(environment, lang):
    world = {key: value for key, value in os.environ.items() if key[:2] != "LC"}
    world |= {"LANG": "", "LANGUAGE": ""} | environment
    run = subprocess.run(
        [*command()[:3], "--help"], capture_output=True, env=world, timeout=3 * DEADLINE
    )
    told = run.stdout.decode()
    if os.name == "nt" and not environment:
        pytest.skip("here Windows itself says which language it speaks")
    assert ("язык" in told) == (lang == "ru")


def test_one_step_alone_says_why(tmp_path):
    told = tour("1")
    assert told.returncode == 0, told.stdout
    assert headings(told.stdout) == titles(1)
    assert told.stdout.count("  why: ") == len(titles(1))
    assert "step2" not in told.stdout
    assert told.stderr == ""


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
    assert headings(told.stdout) == titles(2)
    assert told.stdout.count("NOT AS TOLD: the story so far:") == len(titles(2))
    assert "ann expected a line of the server's" in told.stdout
    assert f"Went as told: 0 of {len(titles(2))}. Not: step 2" in told.stdout
    assert told.stderr == ""


def test_a_limit_that_is_not_there_is_told_and_gives_status_1(copy):
    (copy / STEPS[1].name / "server.py").write_text(ECHO_FOR_MANY)
    told = tour("1", folder=copy)
    assert told.returncode == 1
    assert "bob expected nothing" in told.stdout
    assert "Went as told: 1 of 2. Not: step 1, «A second client" in told.stdout


class OnTerminal:
    """The tour on a pseudo-terminal of 80 columns."""

    def __init__(self, *args: str, **environment: str) -> None:
        from pseudo_terminal import PseudoTerminal

        environment = {"PATH": os.defpath, "TERM": "xterm"} | environment
        words = command(*args, lang="ru")
        self.process = PseudoTerminal(words, env=environment)
        self.written = ""

    def reads_to(self, text: str) -> str:
        """Read until `text` is there; return all that was written."""
        while text not in self.written:
            self.written += self.process.read_text()
        return self.written

    def reads_all(self) -> tuple[str, int]:
        """Return all that was written, and the exit status."""
        with self.process:
            try:
                while True:
                    self.written += self.process.read_text()
            except EOFError:
                return self.written, self.process.wait()


@posix_only
@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_there_are_colours_on_a_terminal_unless_they_are_unwanted(environment, coloured):
    written, status = OnTerminal("1", "--no-pause", **environment).reads_all()
    assert status == 0
    assert ("\x1b[36m> hello\x1b[0m" in written) is coloured
    assert ("\x1b" in written) is coloured
    assert "Enter" not in written
    plain = re.sub(r"\x1b\[\d*(;\d+)*m", "", written)
    assert max(map(len, plain.splitlines())) <= 80


@posix_only
@pytest.mark.parametrize("key", ["\r", "\x04"])
def test_on_a_terminal_it_waits_between_two_scenes_for_enter(key):
    first, second = titles(1, lang="ru")
    terminal = OnTerminal("1", NO_COLOR="1")
    before = terminal.reads_to("Enter — дальше")
    assert first in before
    terminal.process.write(key)
    written, status = terminal.reads_all()
    assert status == 0
    assert written.count("Enter") == 1  # not after the last one
    assert written.index(first) < written.index("Enter") < written.index(second)


@posix_only
def test_ctrl_c_ends_it_between_two_scenes():
    terminal = OnTerminal("1")
    terminal.reads_to("Enter — дальше")
    terminal.process.write("\x03")
    written, status = terminal.reads_all()
    assert status == 128 + signal.SIGINT
    assert titles(1, lang="ru")[1] not in written
    assert "Traceback" not in written


@posix_only
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_all_its_programs_and_without_a_traceback(signum):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command("1"), **pipes) as process:
        while "is anybody here?" not in process.stdout.readline():  # now bob gets no answer
            pass
        programs = psutil.Process(process.pid).children()
        process.send_signal(signum)
        _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 128 + signum
    assert errors == ""
    assert len(programs) == 3
    assert psutil.wait_procs(programs, timeout=DEADLINE)[1] == []


@posix_only
def test_a_reader_who_goes_away_gets_no_traceback():
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command("1"), **pipes) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_what_happens_before_a_scene_begins_is_not_shown():
    told = tour("4", "--no-pause").stdout
    assert told.count("(is here)") >= 10
    assert told.count("* welcome, ") == 1  # carl alone, who comes late, is seen to log in
