"""The experiments `python3 steps probe NAME`: step 3 fails each of them, step 4 stands it."""

import re
import socket
import subprocess
import sys

import pytest

from solutions import solved, write
from tools.harness import DEADLINE, STEPS, Server, Story, program

NAMES = ["glue", "cut", "garbage", "order", "stall", "goodbye"]
SHOWN = {
    ("glue", 3): "bob видит: two",
    ("glue", 4): "bob видит: ann: two",
    ("cut", 3): "bob видит: ann: \ufffdann: \ufffd",
    ("cut", 4): "bob видит: ann: я",
    ("order", 3): "dora читает: ",
    ("order", 4): "dora прочла то же самое в том же порядке",
    ("stall", 3): "bob теперь получил и остальное",
    ("stall", 4): "bob получил всё за ",
    ("goodbye", 3): "прощания нет",
    ("goodbye", 4): "последнее — * bye",
    ("garbage", 3): "сервер ждёт следующее имя",
    ("garbage", 4): "a frame of 1195725856 bytes is over the limit",
}


def probe(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-S", str(STEPS[1].parent), "probe", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=6 * DEADLINE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", [3, 4])
def test_step_3_fails_and_step_4_stands_it(name, step):
    with Server(program(step, "server"), story=Story()) as server:
        done = probe(name, "--port", str(server.port))
    assert done.stderr == ""
    assert SHOWN[name, step] in done.stdout
    verdict = done.stdout.splitlines()[-1]
    assert (done.returncode, verdict) == {
        3: (1, "Нет: этот чат так не умеет."),
        4: (0, "Да, это так."),
    }[step]


@pytest.mark.parametrize("name", NAMES)
def test_the_readers_own_server_stands_the_first_half_of_step_4_and_fails_the_second(
    name, tmp_path
):
    write(solved("4_1"), tmp_path)
    with Server([sys.executable, str(tmp_path / "server.py")], story=Story()) as server:
        done = probe(name, "--port", str(server.port))
    assert done.stderr == ""
    assert done.returncode == (name in ("order", "stall", "goodbye"))


def test_what_proves_the_order_is_shown_in_less_than_ten_lines():
    with Server(program(4, "server"), story=Story()) as server:
        done = probe("order", "--port", str(server.port))
    assert len(done.stdout.splitlines()) < 10
    [(messages, turns)] = re.findall(r"прочёл (\d+) .* сменился (\d+) раз", done.stdout)
    assert int(messages) == 9000
    assert int(turns) > 120  # in some of 60 rounds more than twice: they did write at once


def test_the_help_names_all_probes_in_russian():
    done = probe("-h")
    assert done.returncode == 0
    assert all(f"\n  {name} " in done.stdout for name in NAMES)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert not re.search("show|options|positional", done.stdout)


@pytest.mark.parametrize("words", [(), ("nothing",), ("glue", "--port", "x")])
def test_a_command_that_makes_no_sense_is_told_in_one_line(words):
    done = probe(*words)
    assert done.returncode == 2
    assert re.fullmatch(r"python3 steps probe: .*[а-я].*\n", done.stderr)


def test_without_a_server_it_says_what_to_do():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = probe("glue", "--port", str(free.getsockname()[1]))
    assert done.returncode == 2
    assert "запустите сервер шага 3 или 4" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_name_that_is_taken_is_told():
    server = Server(program(3, "server"), story=Story())
    with server, socket.create_connection(("127.0.0.1", server.port)) as ann:
        ann.sendall(b"ann")
        while b"welcome" not in ann.recv(1000):
            pass
        done = probe("glue", "--port", str(server.port))
    assert done.returncode == 2
    assert "закройте клиент с этим именем" in done.stderr
