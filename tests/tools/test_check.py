"""The checker: what it finds, how it reads screens, and its verdicts on real pairs."""

import argparse
import csv
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools.check import coming, find, group, guard, system, trial
from tools.check.asks import CHECKS, ORDER, first_to_mend, needed
from tools.check.examiner import ERRORS
from tools.check.group import no_formula
from tools.check.page import Page, section
from tools.check.reading import (
    bare,
    draw,
    is_empty_message,
    letters_that_came,
    letters_whole,
    mark,
    names,
    news,
    own_error,
    question,
    repeated_error,
    told_who,
    traceback_of,
    visible,
)

STEPS = Path(__file__).parents[2] / "steps"
PAIRS = Path(__file__).parents[1] / "pairs"
# Ports are fixed in the pairs, and several tests run at once: each needs a network of its own.
isolated = pytest.mark.skipif(not guard.wrapper(), reason="needs namespaces (Linux)")


# Screens


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        ("one\r\ntwo", ["one", "two"]),
        ("bob> \rann: hi\r\nbob> ", ["ann: hi", "bob> "]),
        ("\x1b[31mann\x1b[0m: hi\n", ["ann: hi", ""]),
        ("long line\rab\x1b[K\n", ["ab", ""]),
        ("abc\b\bX\n", ["aXc", ""]),
        ("old\x1b[2J\x1b[Hnew\n", ["old", "new", ""]),
        ("\x1b]0;title\x07hi", ["hi"]),
        ("a\tb", ["a       b"]),
        ("one\x1b[2Dxy", ["oxy"]),
    ],
)
def test_what_bytes_look_like_on_a_screen(raw, lines):
    assert draw(raw) == lines


def test_control_characters_are_written_out():
    assert visible("a\x1b[31mb\rc\n\x07") == ["a\\x1b[31mb\\rc", "\\x07"]


def test_only_the_end_of_a_long_screen_is_shown():
    shown = visible("\n".join(f"{number} {'x' * 1000}" for number in range(50)), most=3)
    assert len(shown) == 3
    assert max(map(len, shown)) < 120


TRACEBACK = """\
Traceback (most recent call last):
  File "/usr/lib/python3.11/threading.py", line 982, in run
    self._target(*self._args, **self._kwargs)
  File "/home/ann/chat/server.py", line 35, in serve
    name = users[c]
           ~~~~~^^^
KeyError: 3
""".replace("/", os.sep)
HOME = "/home/ann/chat".replace("/", os.sep)


def test_of_a_traceback_only_the_students_own_frames_are_shown():
    assert visible(f"hi\n{TRACEBACK}bye", folder=HOME) == [
        "hi",
        "Traceback (most recent call last):",
        '  File "server.py", line 35, in serve',
        "    name = users[c]",
        "KeyError: 3",
        "bye",
    ]


def test_the_last_traceback_names_an_error_and_its_place():
    found = traceback_of(f"{TRACEBACK}hi\n{TRACEBACK}bye\nbye")
    assert found == TRACEBACK.rstrip()
    place = {"error": "KeyError: 3", "file": "server.py", "line": "35", "code": "name = users[c]"}
    assert own_error(found, HOME) == place
    assert own_error("", HOME) == {}


def test_lines_that_repeat_are_counted():
    assert visible("hi\n" + "> \n" * 9 + "bye") == ["hi", ">    (×9)", "bye"]


# Questions


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["Choose your nickname: "], "name"),
        (["Введите имя: "], "name"),
        (["Введите ваш ник", ""], "name"),
        (["Как Вас зовут?", ""], "name"),
        (["Представьтесь, пожалуйста:", ""], "name"),
        (["* enter your nickname", ""], "name"),
        (["Логин: "], "name"),
        (["Who are you? "], "name"),
        (["Enter your alias", "> "], "name"),
        (["Enter host: "], "host"),
        (["Введите адрес сервера: "], "host"),
        (["Enter the server port: "], "port"),
        (["Порт: "], "port"),
        (["Enter host name: "], "host"),
        (["Address (host:port): "], "address"),
        (["Password: "], "password"),
        (["Введите сообщение: "], ""),
        (["You: "], ""),
        (["You username: "], "name"),
        (["> "], ""),
        ([""], ""),
        ([], ""),
        (["Connected to server!", ""], ""),
        (["Connected to the server at 127.0.0.1, port 8080.", ""], ""),
        (["Welcome to the chat", ""], ""),
        (["Favourite colour? "], "unknown"),
    ],
)
def test_what_a_program_asks_for(lines, kind):
    assert question(lines) == kind


def test_who_has_a_name_already_is_asked_again_only_if_it_is_taken():
    assert question(["Welcome, ann. Your name: ann"], known=["ann"]) == ""
    assert question(["Name ann is taken, enter another name: "], known=["ann"]) == "name"
    assert question(["Enter a message (/nick for another name): "], known=["ann"]) == ""


# Authors and news


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["[ann] hello101"], "[ann]"),
        (["ann> hello101"], "ann>"),
        (["<ann>: hello101"], "<ann>:"),
        (["12:30:59 ann: hello101"], "ann:"),
        (["[2024-05-01 12:30] ann: hello101"], "[ ] ann:"),
        (["Сообщение от ann: hello101"], "Сообщение от ann:"),
        (["127.0.0.1:54321: hello101"], "127.0.0.1:54321:"),
        (["127.0.0.1: hello101"], "127.0.0.1:"),
        (["(01.05.2024) ann: hello101"], "() ann:"),
        (["bob> ann: hello101"], "bob> ann:"),
        (["ann:", "  hello101"], "ann:"),
        (["hello101"], ""),
        (["> hello101"], ""),
        (["ann: hello102"], None),
    ],
)
def test_what_stands_beside_a_message(lines, found):
    assert mark(lines, "hello101") == found


def test_a_name_is_a_word_of_its_own():
    assert names("[ANN] hi", "ann")
    assert names("ann_: hi", "ann")
    assert not names("channel: hi", "ann")
    assert not names("anna: hi", "ann")
    assert not names("аnn1", "nn")


def test_prompts_are_no_news():
    assert news(["", "> ", "bob: ", "bob: carl joined"], prompt="bob: ") == ["carl joined"]


@pytest.mark.parametrize(
    ("line", "form", "empty"),
    [
        ("[22:37:52] carl: ", "[ ] carl:", True),
        ("[22:37:52] carl: [22:37:52] carl: [22:3", "[ ] carl:", True),
        ("carl: carl: carl: ca", "carl:", True),
        ("[22:37:52] carl: ", "", True),
        ("[22:37:52] carl left", "[ ] carl:", False),
        ("- carl", "carl:", False),
        ("carl", "[carl]", False),
    ],
)
def test_an_empty_message_is_no_news(line, form, empty):
    assert is_empty_message(line, form, "carl") == empty


def test_news_name_somebody_or_nobody():
    assert told_who(["carl joined"], "carl") == "who"
    assert told_who(["somebody joined"], "carl") == "not_who"
    assert told_who([], "carl") == "nothing"


def test_letters_are_whole_only_without_anything_between():
    assert letters_whole("ann: <бвг>", "<", "бвг", ">")
    assert not letters_whole("ann: <бвann: г>", "<", "бвг", ">")
    assert not letters_whole("ann: <бв", "<", "бвг", ">")
    assert bare("12:30") == ""


def test_letters_of_an_error_message_are_not_counted_as_received():
    alphabet = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
    told = "Ошибка: не удалось декодировать сообщение"
    assert letters_that_came(told, alphabet) == 0
    assert letters_that_came(f"{told} {alphabet}абв\n{told}", alphabet) == len(alphabet) + 3


def test_the_error_that_repeats_is_found():
    assert repeated_error("> hi\r\n" * 99 + "[Errno 9] Bad\r\n" * 50) == ("[Errno 9] Bad", 50)
    assert repeated_error("> hi\r\n" * 99) == ("", 0)


# Which files, which arguments


def pair_of(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


LISTENING = "import socket\ns = socket.socket()\ns.bind(('', 8080))\ns.listen()\n"
CONNECTING = "import socket\ns = socket.socket()\ns.connect(('127.0.0.1', 8080))\n"


def found(folder: Path, role: str, **options: str) -> str:
    return Path(getattr(find.find(folder, **options), role).command[-1]).name


def test_files_are_found_by_name(tmp_path):
    pair_of(tmp_path, server__py=LISTENING, client__py=CONNECTING, config__py="PORT = 8080\n")
    assert (found(tmp_path, "server"), found(tmp_path, "client")) == ("server.py", "client.py")


def test_files_are_found_by_what_they_do(tmp_path):
    pair_of(tmp_path, main__py=LISTENING, chat__py=CONNECTING)
    assert (found(tmp_path, "server"), found(tmp_path, "client")) == ("main.py", "chat.py")


def test_a_module_that_is_imported_is_not_what_people_start(tmp_path):
    started = "from server_core import serve\n\nif __name__ == '__main__':\n    serve()\n"
    pair_of(tmp_path, server__py=started, server_core__py=LISTENING, client__py=CONNECTING)
    assert found(tmp_path, "server") == "server.py"


def test_a_file_that_only_defines_a_class_is_not_what_people_start(tmp_path):
    defined = f"class Server:\n    def run(self):\n        {LISTENING.replace(chr(10), '; ')}\n"
    pair_of(tmp_path, server__py=defined, client__py=CONNECTING)
    pair_of(tmp_path, main__py="from server import Server\n\nServer().run()\n")
    assert found(tmp_path, "server") == "main.py"


def test_a_udp_server_beside_a_tcp_server_is_left_alone(tmp_path):
    udp = "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('', 1))\n"
    pair_of(tmp_path, server_udp__py=udp, server_tcp__py=LISTENING, client_tcp__py=CONNECTING)
    assert found(tmp_path, "server") == "server_tcp.py"


def test_server_and_client_lie_in_folders_of_their_own(tmp_path):
    for name, text in ("server", LISTENING), ("client", CONNECTING):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.py").write_text(text)
    pair = find.find(tmp_path)
    assert (pair.server.folder.name, pair.client.folder.name) == ("server", "client")


def test_a_command_takes_the_place_of_a_guess(tmp_path):
    pair_of(tmp_path, server__py=LISTENING, other__py=LISTENING, client__py=CONNECTING)
    command = find.typed([sys.executable, "other.py", "--port", "1"])
    pair = find.find(tmp_path, server=find.words_of(command, tmp_path))
    assert pair.server.command[-3:] == [str(tmp_path / "other.py"), "--port", "1"]


@pytest.mark.parametrize(
    ("files", "key"),
    [
        ({}, "no_server"),
        ({"client__py": CONNECTING}, "no_server"),
        ({"server__py": LISTENING}, "no_client"),
        ({"server__py": LISTENING, "client__py": "import tkinter\n" + CONNECTING}, "window"),
    ],
)
def test_what_cannot_be_run_says_why(tmp_path, files, key):
    with pytest.raises(find.CannotDrive) as error:
        find.find(pair_of(tmp_path, **files))
    assert error.value.key == key


def test_foreign_addresses_in_the_code_are_found(tmp_path):
    server = LISTENING.replace("''", "'192.168.1.5'")
    pair_of(tmp_path, server__py=server, client__py=CONNECTING)
    assert find.find(tmp_path).addresses() == ["192.168.1.5"]


def test_a_command_with_a_name_is_each_persons_own(tmp_path):
    pair_of(tmp_path, server__py=LISTENING, client__py=CONNECTING)
    pair = find.find(tmp_path, client=find.words_of("python3 client.py {name}", tmp_path))
    assert pair.client.command_of(0, "ann")[1:] == [str(tmp_path / "client.py"), "ann"]
    copied = find.moved(pair.client.command, tmp_path, tmp_path / "copy")
    assert copied[1:] == [str(tmp_path / "copy" / "client.py"), "{name}"]


@pytest.mark.skipif(os.name != "posix", reason="needs named pipes")
def test_a_named_pipe_is_not_copied(tmp_path):
    pair_of(tmp_path, server__py=LISTENING)
    os.mkfifo(tmp_path / "fifo")
    find.copy(tmp_path, tmp_path.with_name("copy"))
    assert os.listdir(tmp_path.with_name("copy")) == ["server.py"]


# Texts


def test_each_check_stands_in_the_order():
    assert sorted(CHECKS) == sorted(ORDER)


CHECKED = ("talking.py", "coming.py", "examiner.py")  # where verdicts are named


def test_each_verdict_that_the_code_names_has_its_words_and_each_word_is_named():
    folder = STEPS / "tools" / "check"
    source = "".join((folder / name).read_text("utf-8") for name in CHECKED)
    code = re.sub(r"@check\(.*?\n\)\n", "", source, flags=re.S)
    for check in CHECKS.values():
        for verdict in [*check.causes, *check.remarks]:
            assert f'"{verdict}"' in code or verdict in ("nothing", "not_who")
    known = {verdict for check in CHECKS.values() for verdict in check.causes}
    named = re.findall(r'(?:Failure|must_hear|all_talk|newcomer_talks)\("(\w+)"', code)
    assert named
    assert set(named) <= known


# A word of each verdict that the answer has, too: below the heading that is pointed at.
TERMS = {
    "start": {"deaf": "listen", "floods": "listen", "udp": "SOCK_DGRAM"},
    "talk": {"silence": "поток", "after_enter": "recv", "server_ended": "исключение"},
    "author": {"none": "имя", "other": "отправля", "reader": "получателя", "same": "отправителя"},
    "third": {"refused": "accept", "unheard": "accept", "deaf": "спис"},
    "joined": {"nothing": "остальным", "not_who": "имя", "late": "вход"},
    "left": {"nothing": "finally", "not_who": "имя", "late": "recv"},
    "silent": {"talk": "recv", "newcomer": "accept"},
    "idle": {"spins": "break", "repeats": "исключени", "always": "блокиру", "prints": 'b""'},
    "survives": {"killed": "send", "closed": "send", "closed_newcomer": "accept"},
    "empty": {"mute": 'b""', "ended": "strip"},
    "twice": {"dropped": "повтор"},
    "word": {"none": "приветстви", "crashes": "EOFError", "hangs": "daemon=True"},
    "stop": {"hangs": "shutdown(socket.SHUT_RDWR)"},
    "restart": {"busy": "SO_REUSEADDR"},
    "lines": {"glued": "границ", "lost": "recv", "no_author": "границ"},
    "letters": {"garbled": "декодируется", "ascii": "utf-8", "lost": "recv", "pieces": "границ"},
    "stalled": {"all": "sendall"},
    "name": {"same": "имен"},
    "bare": {"talk": "recv", "newcomer": "accept"},
    "reset": {"talk": "ConnectionResetError", "newcomer": "accept"},
}
for each in "third", "silent", "bare":
    TERMS[each] |= {"pool": "threading.Thread", "locked": "блокировк"}
TERMS["word"] |= {"nothing": "уход", "late": "recv"}


def test_each_pointer_leads_to_a_heading_below_which_the_answer_stands():
    assert {name: set(check.causes) for name, check in CHECKS.items()} == {
        name: set(terms) for name, terms in TERMS.items()
    }
    for name, terms in TERMS.items():
        for verdict, term in terms.items():
            file, heading = CHECKS[name].pointer(verdict)
            answer = "\n".join(section(STEPS / file, heading)).casefold()
            cause = CHECKS[name].causes[verdict][0].casefold()
            assert term.casefold() in cause, (name, verdict, term)
            assert term.casefold() in answer, (file, heading, name, verdict, term)


def test_no_name_of_the_checker_means_another_thing_elsewhere():
    root = STEPS.parent
    files = [
        path
        for part in ("steps", "tests", "notebooks", "report")
        for path in (root / part).rglob("*.py")
        if "pairs" not in path.parts and ".venv" not in path.parts
    ]
    ours = [path for path in files if path.parent == STEPS / "tools" / "check"]
    others = [path for path in files if path not in ours]
    shared = {path.name for path in ours} & {path.name for path in others}
    assert shared <= {"__init__.py"}

    def classes(paths: list[Path]) -> set[str]:
        return {
            name
            for path in paths
            for name in re.findall(r"^class (\w+)", path.read_text("utf-8"), re.M)
        }

    assert classes(ours) & classes(others) == set()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("RuntimeError: dictionary changed size during iteration", "копию"),
        ("OSError: [Errno 9] Bad file descriptor", "закрыт, но остался в списке"),
        ("BrokenPipeError: [Errno 32] Broken pipe", "except OSError"),
        ("ValueError: list.remove(x): x not in list", "в одном месте"),
    ],
)
def test_an_error_has_its_meaning(line, word):
    assert word in next(text for fits, text in ERRORS if re.search(fits, line))


def test_what_a_check_rests_on_is_run_before_it():
    assert needed("silent") == ["start", "talk", "third", "silent"]
    assert needed("left") == ["start", "talk", "author", "third", "left"]
    assert needed(None) == ORDER


@pytest.mark.parametrize(
    ("failed", "first"),
    [
        (["joined", "left"], "joined"),
        (["left", "survives"], "left"),
        (["left", "idle"], "idle"),  # a loop that misses the end tells nobody of it, either
        ([], ""),
    ],
)
def test_the_first_cause_is_mended_first(failed, first):
    checks = [
        {"id": name, "graded": True, "costs": name in failed, "waits_for": None} for name in ORDER
    ]
    assert first_to_mend(checks) == first


# The command


def checker(*args: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(STEPS), "check", *args]
    environment = os.environ | {"COLUMNS": "80"} | environment
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", env=environment, cwd=cwd, timeout=170
    )


def report_on(folder: Path, *args: str) -> dict:
    told = checker(str(folder), "--json", "-", *args)
    assert told.stderr == ""
    report = json.loads(told.stdout)
    assert told.returncode == report["status"]
    return report


def verdicts(report: dict) -> dict[str, str]:
    return {each["id"]: each["status"] for each in report["checks"]}


def test_a_folder_that_cannot_be_opened_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    for args in [tmp_path / "file"], ["--class", tmp_path / "file"]:
        told = checker(*map(str, args))
        assert told.returncode == 2
        assert len(told.stderr.splitlines()) == 1
        assert str(tmp_path / "file") in told.stderr


def test_a_place_that_cannot_be_written_is_told_before_the_checks(tmp_path):
    (tmp_path / "submission").mkdir()
    (tmp_path / "file").touch()
    for args in ["--json", "no/x.json"], ["--class", ".", "--csv", "file/x.csv"]:
        told = checker(*args, cwd=tmp_path)
        assert told.returncode == 2
        assert told.stdout == ""
        assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "args",
    [["no-such-folder"], ["--only", "nothing"], ["--jobs", "0"], ["--speed"]],
)
def test_a_bad_argument_is_one_line_with_status_2(args):
    told = checker(*args)
    assert told.returncode == 2
    assert told.stdout == ""
    assert len(told.stderr.splitlines()) == 1
    assert args[-1] in told.stderr


def test_a_folder_without_a_server_names_the_remedy(tmp_path):
    told = checker(str(tmp_path))
    assert told.returncode == 2
    assert "--server" in told.stdout


def test_a_server_that_ends_at_once_is_shown_with_its_last_lines(tmp_path):
    pair_of(tmp_path, server__py=LISTENING + "s.oops()\n", client__py=CONNECTING)
    (tmp_path / "server.py").write_text("import socket  # listen()\nraise SystemExit('no luck')\n")
    told = checker(str(tmp_path), "--server", find.typed([sys.executable, "server.py"]))
    assert told.returncode == 2
    assert "no luck" in told.stdout


def test_a_module_that_is_missing_is_named(tmp_path):
    pair_of(tmp_path, server__py="import no_such_module\n" + LISTENING, client__py=CONNECTING)
    told = checker(str(tmp_path))
    assert told.returncode == 2
    assert "Нет модуля no_such_module" in told.stdout


def test_a_program_that_wants_arguments_is_told_how_to_get_them(tmp_path):
    asks = "import sys\nport = int(sys.argv[1])\n" + LISTENING
    pair_of(tmp_path, server__py=asks, client__py=CONNECTING)
    report = report_on(tmp_path)
    assert report["reason_id"] == "arguments"
    assert "--server" in report["reason"]
    assert (report["score"], report["of"]) == (None, None)


def test_help_and_complaints_are_russian():
    told = checker("-h")
    assert (told.returncode, told.stderr) == (0, "")
    ours = {"check", "steps", "server", "client", "only", "json", "class", "csv", "pack", "jobs"}
    ours |= {"python", "name", "help", "my_server", "my_client", "py", "pyz", "h", "N", "ID", "TCP"}
    assert set(re.findall(r"[A-Za-z_]+", told.stdout)) <= ours
    complaint = checker("--only").stderr
    assert re.sub("[^а-я]", "", complaint) == "нетзначениясправка"


@pytest.fixture(scope="module")
def one_file(tmp_path_factory) -> Path:
    """The checker as one file, in a folder in which nothing else is."""
    place = tmp_path_factory.mktemp("packed")
    told = checker("--pack", "check.pyz", cwd=place)
    assert (told.returncode, told.stderr) == (0, "")
    assert os.listdir(place) == ["check.pyz"]
    return place / "check.pyz"


def test_a_file_that_cannot_be_packed_is_one_line(tmp_path):
    told = checker("--pack", str(tmp_path / "no" / "check.pyz"))
    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 1


# Verdicts on real pairs


@pytest.fixture
def pair(tmp_path):
    """A function that copies a pair: some of them write into their own folder."""

    numbers = itertools.count(1)

    def copy(name: str, **changes: tuple[str, str]) -> Path:
        folder = shutil.copytree(PAIRS / name, tmp_path / f"{name}{next(numbers)}-{tmp_path.name}")
        for file, (old, new) in changes.items():
            path = folder / f"{file}.py"
            text = path.read_text("utf-8")
            assert old in text
            path.write_text(text.replace(old, new), "utf-8")
        return folder

    return copy


def verdict(report: dict, check: str) -> tuple[str, str]:
    [result] = [each for each in report["checks"] if each["id"] == check]
    return result["status"], result["verdict"]


READS = "        name = conn.recv(1024).decode()\n"
TO_ALL = 'to_all({"type": "msg"'
QUIET_END = """try:
        s.send(input().encode())
    except EOFError:
        pass"""
IN_RUSSIAN = 'if text == "/выход":'
FORGETS = """\
def forget(people, who):
    for each in people:
        if each == who:
            del people[each]


"""
SHOUTS = """\
import json
import threading


def shout():
    while True:
        print("x" * 70)


threading.Thread(target=shout, daemon=True).start()
"""


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("for c in clients:\n    clients.remove(c)", True),
        ("for c, name in self.users.items():\n    if name:\n        del self.users[c]", True),
        ("for c in list(clients):\n    clients.remove(c)", False),
        ("for c in clients:\n    dead.append(c)\nfor c in dead:\n    clients.remove(c)", False),
        ("for c in clients:\n    other_clients.remove(c)", False),
        ("for (const c of clients) clients.delete(c)", False),
    ],
)
def test_a_loop_that_changes_what_it_walks_is_found(source, found):
    assert coming.changes_what_it_walks(source) == found


# A pair, what is changed in it, the check that is run alone, its status and verdict, words of the
# cause (or of the note).
CASES = [
    ("no_receive_thread", {}, "talk", "fail after_enter", ["recv", "Enter"]),
    ("busy_loop", {}, "idle", "fail spins", ['b""', "break"]),
    ("no_author", {"client": ("print(", "print(1 / 0, ")}, "talk", "fail silence",
     ["client.py", "ZeroDivisionError"]),
    ("no_author", {}, "author", "fail none", []),
    ("right_json", {"server": ("q.put_nowait(msg)", 'q.put_nowait(msg | {"from": name})')},
     "author", "fail reader", ["имя получателя"]),
    ("name_in_accept", {}, "silent", "fail newcomer", ["accept"]),
    ("lock_twice", {"server": (READS, f"        with lock:\n    {READS}")},
     "silent", "fail locked", ["захваченной блокировкой"]),
    ("pool_full", {}, "silent", "fail pool", ["пул"]),
    ("two_only", {}, "silent", "not_run waits", ["third"]),
    ("left_not_told", {}, "left", "fail nothing", ['b""']),
    ("left_told_late", {}, "left", "fail late", ["recv"]),
    ("left_but_not_who", {}, "left", "fail not_who", []),
    ("reset_untold", {}, "left", "fail nothing", []),
    ("empty_with_time", {}, "left", "fail", []),  # never, or late: a reset comes when it comes
    ("lock_twice", {}, "left", "fail nothing", ["ждёт блокировку", "второй раз"]),
    ("no_word", {}, "left", "pass by_address", []),
    ("right_json", {}, "left", "pass", []),
    ("name_not_sent", {}, "joined", "fail not_who", []),
    ("client_cannot_end", {}, "word", "fail hangs", ["shutdown(socket.SHUT_RDWR)"]),
    ("left_told_late", {}, "word", "fail late", []),
    ("left_but_not_who", {}, "word", "pass", []),
    ("right_json", {"client": (IN_RUSSIAN, f"{IN_RUSSIAN}\n            raise ValueError")},
     "word", "pass error", ["traceback"]),
    ("right_json", {"server": ("import json", f"{FORGETS}import json")},
     "survives", "pass changes", ["list(...)"]),
    ("no_daemon", {}, "stop", "fail hangs", ["shutdown(socket.SHUT_RDWR)"]),
    ("right_json", {}, "stop", "pass", []),
    ("right_json", {"server": (TO_ALL, f'msg["text"] < "hello104" and {TO_ALL}')},
     "stop", "not_run unsteady", []),
    ("no_reuse", {}, "restart", "fail busy", ["SO_REUSEADDR"]),
    ("two_only", {}, "third", "fail unheard", []),
    ("reset_ends_server", {}, "survives", "fail killed", []),
    ("close_ends_server", {}, "survives", "fail closed",
     ["KeyError", "server.py", "name = users[c]"]),
    ("changed_while_walked", {}, "survives", "fail killed",
     ["dictionary changed size", "list(clients)"]),
    ("lock_kept", {}, "survives", "fail closed",
     ["IndexError: list index out of range", "with lock"]),
    ("closed_in_list", {}, "survives", "fail killed",
     ["[Errno 9] Bad file descriptor", "остался в списке"]),
    ("dead_kept", {}, "survives", "pass kept", []),
    ("error_again_and_again", {}, "idle", "fail repeats",
     ["«Ошибка: [Errno 9] Bad file descriptor»"]),
    ("right_json", {"server": ("import json", SHOUTS)}, "idle", "fail", []),
    ("empty_ends", {}, "empty", "fail mute", ['b""']),
    ("repeat_dropped", {}, "twice", "fail dropped", []),
    ("silent_connection", {}, "bare", "fail newcomer", []),
    ("greeting_in_accept", {}, "reset", "fail talk", []),
    ("right_json", {"server": ("s = socket.create_server", "input()\ns = socket.create_server")},
     "start", "pass enter", ["Enter"]),
    ("left_told_late", {"client": ('message.encode("utf-8")', 'message.encode("ascii")')},
     "letters", "fail ascii", ["utf-8"]),
]  # fmt: skip
BATCHES = 5


@isolated
@pytest.mark.ci
@pytest.mark.parametrize("batch", range(BATCHES))
def test_one_check_alone_gives_its_verdict_and_its_cause(pair, batch):
    """Several at once: a checker waits, most of the time."""
    cases = CASES[batch::BATCHES]
    with ThreadPoolExecutor(len(cases)) as pool:
        folders = [pair(name, **changes) for name, changes, *_ in cases]
        checks = [check for _, _, check, *_ in cases]
        reports = list(pool.map(lambda *of: report_on(of[0], "--only", of[1]), folders, checks))
    found, wanted = {}, {}
    for (name, changes, check, told, words), report in zip(cases, reports, strict=True):
        [result] = report["checks"]
        assert result["id"] == check
        said = result["story"]["cause"] if result["story"] else result["note"]
        key = (name, check, *changes)
        shown = f"{result['status']} {result['verdict']}".strip()
        shown = told if told == result["status"] == "fail" else shown
        found[key] = shown, [word in said for word in words]
        wanted[key] = told, [True for _ in words]
    assert found == wanted


def packed(one_file: Path, *args: str, cwd: Path) -> str:
    """Return what the one file says, run without the repository and with an empty environment."""
    command = [sys.executable, "-I", str(one_file), *args]
    told = subprocess.run(command, capture_output=True, encoding="utf-8", env={}, cwd=cwd)
    assert told.stderr == ""
    return told.stdout


@isolated
def test_one_file_is_enough_to_check_and_carries_the_answers(one_file, pair, tmp_path):
    folder = pair("no_author")
    told = packed(one_file, folder.name, "--only", "author", cwd=tmp_path)
    assert f"python3 check.pyz {folder.name} --only author" in told
    [check] = [each for each in CHECKS.values() if each.name == "author"]
    answer = section(STEPS / check.read[0], check.read[1])
    assert "\n".join(f"      | {line}".rstrip() for line in answer) in told


@isolated
def test_one_file_is_enough_to_check_a_class(one_file, pair, tmp_path):
    pair("udp")
    assert "Работ: 1." in packed(one_file, "--class", ".", cwd=tmp_path)
    [text] = (tmp_path / "class-texts").iterdir()
    assert "SOCK_DGRAM" in text.read_text("utf-8")
    assert "там сказано" in text.read_text("utf-8")


@isolated
def test_a_failure_is_a_story_in_five_parts_that_can_be_run_again(pair):
    folder = pair("no_author")
    told = checker(str(folder), "--only", "author")
    assert told.returncode == 1
    for part in "что сделано", "ожидалось", "на экране bob", "вероятно", "прочитать", "повторить":
        assert f"    {part}:" in told.stdout
    assert f"python3 steps check {folder} --only author" in told.stdout
    assert told.stdout.rstrip().endswith(
        "Сначала исправьте «author»: видно, кто написал сообщение."
    )
    assert "\x1b" not in told.stdout


@isolated
@pytest.mark.parametrize("way", ["Bye!", "quit()", "__out", "хватит"])
def test_words_that_the_client_names_are_tried_first(pair, way):
    folder = pair("right_json", client=("/выход", way))
    client = folder / "client.py"
    text = client.read_text("utf-8")
    text = text.replace('if text == "/выход":', f"if text == {way!r}:")
    # Ctrl-D does not help: it is the word that has to be found.
    client.write_text(text.replace("(EOFError, KeyboardInterrupt)", "KeyboardInterrupt"), "utf-8")
    assert verdict(report_on(folder, "--only", "word"), "word") == ("pass", "")


@isolated
def test_of_words_to_leave_it_is_told_which_were_tried(pair):
    folder = pair("no_word", client=("s.send(input().encode())", QUIET_END))
    [word] = report_on(folder, "--only", "word")["checks"]
    assert "не найдено" in word["story"]["cause"]
    assert "/quit, exit" in "".join(word["story"]["typed"])


@isolated
def test_a_client_that_waits_is_not_said_to_have_ended(pair):
    report = report_on(pair("right_json", client=("sock = socket.create_connection", WAITS)))
    assert report["reason_id"] == "client_waits"
    assert "работает" in report["reason"]
    assert report["score"] is None


WAITS = "import time\ntime.sleep(60)\nsock = socket.create_connection"


@isolated
def test_a_chat_without_names_is_not_asked_for_a_name(pair):
    folder = pair("no_word", server=('x.send(f"{who} offline".encode())', "pass"))
    report = report_on(folder, "--only", "left")
    assert verdict(report, "left") == ("fail", "nothing")
    expected = report["checks"][0]["story"]["expected"]
    assert "с именем" not in expected
    assert "с адресом или номером" in expected


@isolated
def test_one_check_alone_does_not_say_that_all_works(pair):
    told = checker(str(pair("right_json")), "--only", "twice")
    assert told.returncode == 0
    assert "Все основные" not in told.stdout
    assert "Проверено только «twice»" in told.stdout
    assert "Дальше проверьте всё" in told.stdout


@isolated
def test_a_chat_that_wants_commands_cannot_be_checked(pair):
    said = "b'Use /join ROOM first\\n'"
    folder = pair("no_author", server=("send_to_all(text, conn)", f"conn.sendall({said})"))
    report = report_on(folder, "--only", "talk")
    assert (report["status"], report["reason_id"]) == (2, "command")
    assert "/join" in report["reason"]


EXPECTED = json.loads((PAIRS / "expected.json").read_text("utf-8"))
STATUS = {"pass": "pass", "fail": "fail", "skip": "not_run"}


@isolated
@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED["pairs"])
def test_all_verdicts_on_a_pair(pair, name):
    report = report_on(pair(name))
    told = {
        check: STATUS[text.partition(":")[0]] for check, text in EXPECTED["pairs"][name].items()
    }
    assert verdicts(report) == told


@isolated
@pytest.mark.parametrize("name", EXPECTED["not_run"])
def test_a_pair_that_cannot_be_run_says_why(pair, name):
    report = report_on(pair(name))
    assert report["status"] == 2
    wanted = EXPECTED["not_run"][name]
    # Who forks away may be seen before the end, or after it.
    assert report["reason_id"] in (wanted["reason"], "server_background")
    assert wanted["shows"] in report["reason"] + "\n".join(report["last_lines"])


@isolated
@pytest.mark.slow
def test_a_right_chat_in_a_dialect_of_its_own_passes_everything(pair):
    report = report_on(pair("right_json"))
    assert set(verdicts(report).values()) == {"pass"}
    assert report["score"] == report["of"] == 13


@isolated
@pytest.mark.slow
@pytest.mark.parametrize("step", ["step3_multi_threaded", "step4_framing_and_exit"])
def test_the_steps_pass_what_is_graded(step):
    report = report_on(STEPS / step)
    assert report["score"] == report["of"] == 13, report
    wanted = {"step3_multi_threaded": "fail", "step4_framing_and_exit": "pass"}[step]
    assert verdicts(report)["lines"] == verdicts(report)["stalled"] == wanted


@isolated
@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_there_are_colours_on_a_terminal_unless_they_are_unwanted(pair, environment, coloured):
    from pseudo_terminal import PseudoTerminal

    environment = {"PATH": os.environ["PATH"], "TERM": "xterm"} | environment
    command = [sys.executable, str(STEPS), "check", str(pair("right_json")), "--only", "start"]
    written, status = written_at(PseudoTerminal(command, env=environment))
    assert status == 0
    assert ("\x1b[32m" in written) == coloured
    assert "✓" in written


def test_a_trial_that_tells_nothing_is_said_to_be_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "events", lambda wrapper, settings: iter(()))
    options = argparse.Namespace(only=None, server=None, client=None)
    report = trial.run(tmp_path, options, "", Page(to_screen=False), [])
    assert (report["reason_id"], report["score"], report["last_lines"]) == ("lost", None, [])


@pytest.mark.parametrize(("costs", "of"), [(False, 1), (True, 2)])
def test_a_reason_of_the_system_costs_nothing_and_one_of_the_programs_a_point(costs, of):
    checks = [
        {"graded": True, "status": "pass", "costs": False},
        {"graded": True, "status": "not_run", "costs": costs},
    ]
    report = trial.scored(checks, trial.ending(), 1.0)
    assert (report["score"], report["of"]) == (1, of)


@pytest.mark.skipif(not system.LINUX, reason="needs namespaces (Linux)")
@pytest.mark.parametrize(("wrapper", "jobs"), [(["unshare"], 7), ([], 1)])
def test_as_many_works_at_once_as_there_are_processors_if_they_are_kept_apart(
    tmp_path, monkeypatch, wrapper, jobs
):
    (tmp_path / "works" / "ann").mkdir(parents=True)
    made = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, workers: int) -> None:
            made.append(workers)
            super().__init__(1)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(7)))
    monkeypatch.setattr(group, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(guard, "wrapper", lambda: wrapper)
    driven = trial.scored([], trial.ending("lost", "no"), 0.0)
    monkeypatch.setattr(trial, "run", lambda *args: driven)
    options = argparse.Namespace(csv=None, jobs=None, only=None, server=None, client=None)
    assert group.run(Path("works"), options) == 0
    assert made == [jobs]


def test_what_was_not_run_is_not_said_to_have_passed():
    def result(name: str, status: str) -> dict:
        verdict = {"id": name, "title": name, "graded": True, "status": status, "note": ""}
        return verdict | {"waits_for": None, "story": None, "costs": False}

    page = Page(to_screen=False)
    checks = [result("start", "pass"), result("idle", "not_run")]
    page.summary(trial.scored(checks, trial.ending(), 1.0))
    assert page.text[-1] == "Все основные проверки пройдены, кроме непроверенных: idle."


# A class

HOSTILE = Path(__file__).parent / "hostile.py"
FORKS = """\
import os, time
while True:
    if os.fork() == 0:
        os.setsid()
        time.sleep(300)
"""


@pytest.fixture(scope="module")
def lesson(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """A class that was checked: one never listens, one forks for ever, one floods the disk."""
    place = tmp_path_factory.mktemp("class")
    works = place / "submissions"
    for name in "never_listens", "floods_disk", "module_missing", "gui_client", "udp":
        shutil.copytree(PAIRS / name, works / name)
    for name, code in {
        "forks": FORKS,
        "=attacks": f"import sys\nsys.argv[1:] = ['files', {str(place)!r}]\n"
        + HOSTILE.read_text("utf-8"),
    }.items():
        shutil.copytree(PAIRS / "no_author", works / name)
        server = works / name / "server.py"
        server.write_text(code + server.read_text("utf-8"), "utf-8")
    told = checker("--class", "submissions", cwd=place)
    return place, told


@isolated
def test_a_class_gives_a_row_for_each_submission(lesson):
    place, told = lesson
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("Проверка запускает чужой код")
    assert "только для чтения" in told.stdout
    assert (place / "class.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    rows = rows_of(place / "class.csv")
    names = {each.name for each in (place / "submissions").iterdir()}
    assert set(rows) == names - {"=attacks"} | {"'=attacks"}
    assert "chat_utils" in rows["module_missing"]["примечание"]
    assert "tkinter" in rows["gui_client"]["примечание"]
    assert "процессов" in rows["forks"]["примечание"]
    title = CHECKS["start"].title
    for name in "never_listens", "udp":
        assert rows[name][title] == "нет"
        assert rows[name]["исправить сначала"] == title
        assert (rows[name]["оценка"], rows[name]["из"]) == ("0", "13")
    for name in "forks", "gui_client", "module_missing":
        assert (rows[name]["оценка"], rows[name]["из"]) == ("", "")
    for name in names:
        assert (place / "class-texts" / f"{name}.txt").read_text("utf-8").strip()


def rows_of(table: Path) -> dict[str, dict[str, str]]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        return {row["работа"]: row for row in csv.DictReader(file, delimiter=";")}


@isolated
def test_the_page_for_the_teacher_leads_from_each_sign_to_its_story(lesson):
    place, _ = lesson
    text = (place / "class.html").read_text("utf-8")
    links = set(re.findall(r'href="#([\w-]+)"', text))
    assert len(links) > len(list((place / "submissions").iterdir()))
    assert links <= set(re.findall(r'id="([\w-]+)"', text))
    assert CHECKS["start"].causes["udp"][0].partition(".")[0] in text.replace("\n" + " " * 18, " ")
    assert not re.search(r"https?://|<script", text)


@isolated
def test_a_class_leaves_nothing_behind_and_nothing_changed(lesson):
    place, _ = lesson
    assert not list((place / "submissions").rglob("*.log"))
    assert sorted(each.name for each in place.iterdir()) == [
        "class-texts", "class.csv", "class.html", "submissions",
    ]  # fmt: skip
    for name in "udp", "never_listens":
        for file in (PAIRS / name).iterdir():
            assert (place / "submissions" / name / file.name).read_bytes() == file.read_bytes()
    assert "forged" not in (place / "class.csv").read_text("utf-8")
    left = [pid for pid in system.processes() if "/chat-check-" in command_line(pid)]
    left = [pid for pid in left if "/forks/" in command_line(pid)]
    assert left == []


def test_a_cell_is_no_formula():
    assert no_formula("=1+1") == "'=1+1"
    assert no_formula("ann") == "ann"
    assert no_formula(13) == 13


# Hostile programs


def test_passwords_in_the_environment_are_kept_from_the_programs(monkeypatch, tmp_path):
    monkeypatch.setenv("MY_API_TOKEN", "1234")
    monkeypatch.setenv("MY_LANGUAGE", "ru")
    environment = guard.environment(True, tmp_path)
    assert "MY_API_TOKEN" not in environment
    assert environment["MY_LANGUAGE"] == "ru"


@pytest.fixture
def hostile(pair):
    """A function that checks a pair whose server attacks in this way; returns what worked."""

    def attack(way: str, target: Path, **environment: str) -> list[str]:
        folder = pair("no_author")
        arguments = [sys.executable, str(folder / "server.py"), way, str(target)]
        server = folder / "server.py"
        server.write_text(HOSTILE.read_text("utf-8") + server.read_text("utf-8"), "utf-8")
        command = find.typed(arguments)
        told = checker(str(folder), "--server", command, "--json", "-", **environment)
        report = json.loads(told.stdout)
        assert (report["score"], report["checks"]) == (None, [])
        assert (folder / "client.py").exists()
        [line] = [each for each in report["last_lines"] if each.startswith("worked:")]
        return line.removeprefix("worked:").split()

    return attack


@isolated
@pytest.mark.parametrize("way", ["events", "memory", "files", "rights", "sockets", "signals"])
def test_a_score_cannot_be_forged(hostile, tmp_path, way):
    target = tmp_path / "class.csv"
    target.write_text("true")
    assert hostile(way, tmp_path) == []
    assert target.read_text() == "true"
    assert "forged" not in (STEPS / "tools" / "check" / "trial.py").read_text("utf-8")


STANDS_IN = """\
import os
open(os.environ["HOME"] + "/forged.txt", "w").write("forged")
raise SystemExit("forged")
"""


def test_no_module_in_a_submission_stands_in_for_one_of_the_checker(pair, tmp_path):
    folder = pair("ends_at_once")
    (folder / "tools").mkdir()
    for name in "json.py", "socket.py", "sitecustomize.py", "tools/__init__.py":
        (folder / name).write_text(STANDS_IN)
    home = tmp_path / "home"
    home.mkdir()
    for environment in {}, {"CHAT_CHECK_NO_NAMESPACES": "1"}:
        environment |= {"HOME": str(home)}
        server = find.typed([sys.executable, "-c", "print('hi')"])
        told = checker(".", "--server", server, cwd=folder, **environment)
        assert (told.returncode, told.stderr) == (2, "")
        assert "Сервер сразу завершился" in told.stdout
    assert list(home.iterdir()) == []


@isolated
def test_who_bounds_the_checker_gets_no_score(pair):
    """A program may lower the limits of the checker's process, so that it sees nothing."""
    bounds = "import json, resource\nresource.prlimit(1, resource.RLIMIT_NOFILE, (5, 5))"
    folder = pair("busy_loop", server=("import socket", f"{bounds}\nimport socket"))
    for wait in "", "\nimport time\ntime.sleep(2)":  # it starts to listen, or the watch looks first
        server = folder / "server.py"
        server.write_text(server.read_text("utf-8").replace(bounds, f"{bounds}{wait}"), "utf-8")
        report = report_on(folder)
        assert (report["reason_id"], report["score"]) == ("broken", None)


BOUNDED = """\
import os, resource
from tools.check import system
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
for look in system.sockets, system.processor_time, system.waiting_for_locks:
    try:
        print(look([os.getpid()]))
    except OSError as error:
        print(error.strerror)
"""


@pytest.mark.skipif(not system.LINUX, reason="needs /proc (Linux)")
def test_what_cannot_be_looked_at_is_not_taken_for_nothing():
    told = subprocess.run(
        [sys.executable, "-c", BOUNDED], capture_output=True, encoding="utf-8", cwd=STEPS
    )
    assert told.stdout.split("\n") == [*["Too many open files"] * 3, ""]


@isolated
def test_who_does_not_start_a_second_time_loses_what_could_not_be_checked(pair):
    once = "open('count', 'a').write('x')\nif len(open('count').read()) > 1: raise SystemExit\n"
    folder = pair("no_author", server=("import socket", f"{once}import socket"))
    report = report_on(folder, "--only", "talk")
    assert verdict(report, "talk") == ("not_run", "server_gone")
    assert (report["score"], report["of"]) == (0, 1)
    assert first_to_mend(report["checks"]) == "talk"


def test_a_submission_made_to_be_long_is_found_or_refused_at_once(tmp_path):
    began = time.monotonic()
    for number in range(find.MOST_FILES - 3):
        imports = "".join(f"import module{each}\n" for each in range(find.MOST_FILES))
        (tmp_path / f"module{number}.py").write_text(imports)
    (tmp_path / "server.py").write_text("\n" * (find.MOST_BYTES - 1000) + LISTENING)
    (tmp_path / "client.py").write_text(CONNECTING)
    with (tmp_path / "client_old.py").open("wb") as file:
        file.truncate(1 << 40)  # it has no bytes on the disk
    assert find.find(tmp_path).client.command[-1] == str(tmp_path / "client.py")
    with pytest.raises(find.CannotDrive, match="too_big"):
        find.copy(tmp_path, tmp_path.with_name("copy"))
    assert time.monotonic() - began < 20


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_a_link_to_a_file_elsewhere_is_no_source(tmp_path):
    (tmp_path / "others.py").write_text(LISTENING)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "server.py").symlink_to(tmp_path / "others.py")
    with pytest.raises(find.CannotDrive, match="no_server"):
        find.find(tmp_path / "work")


STEALS = """\
with open({other!r}) as file:
    exec(file.read())
listen()
"""


@isolated
def test_nobody_can_start_the_work_of_another():
    # Not in the folder for temporary files: that is hidden from all programs anyway.
    with tempfile.TemporaryDirectory(prefix=".class-", dir=STEPS.parent) as place:
        works = Path(place, "works")
        shutil.copytree(PAIRS / "ends_at_once", works / "other")
        thief = shutil.copytree(PAIRS / "no_author", works / "thief") / "server.py"
        thief.write_text(STEALS.format(other=str(works / "other" / "server.py")))
        checker("--class", "works", cwd=Path(place))
        text = Path(place, "class-texts", "thief.txt").read_text("utf-8")
    assert "FileNotFoundError" in text


SHOUTS_AT_THE_TEACHER = "print('\\x9b2J\\x1b[2Jwiped \\u202e <script>'); raise SystemExit"


@isolated
def test_names_and_output_of_a_class_reach_terminal_table_and_page_as_plain_text(tmp_path):
    works = tmp_path / "works"
    names = [b"\x1b[2Jann", b"n" * 255, b"\xff", b"<script>", b"=cmd()", b"two\nlines", b"tmp"]
    for name in names:
        shutil.copytree(PAIRS / "no_author", Path(os.fsdecode(os.fsencode(works) + b"/" + name)))
        server = Path(os.fsdecode(os.fsencode(works) + b"/" + name)) / "server.py"
        server.write_text(f"import socket  # listen()\n{SHOUTS_AT_THE_TEACHER}\n")
    (works / "marks-texts").mkdir()  # of an earlier run: nobody's work
    told = checker("--class", "works", "--csv", "works/marks.csv", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert all(each.isprintable() for each in told.stdout.split("\n"))
    rows = rows_of(works / "marks.csv")
    assert len(rows) == len(names)
    assert {"\\x1b[2Jann", "\\udcff", "'=cmd()", "two\\nlines"} < set(rows)
    page = (works / "marks.html").read_text("utf-8")
    assert "wiped" in page
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]|<script", page)
    assert "wiped" in (works / "marks-texts" / "tmp.txt").read_text("utf-8")


def test_the_attack_on_files_works_where_nothing_protects(hostile, tmp_path):
    """So that the test above is one that can fail."""
    (tmp_path / "class.csv").write_text("true")
    worked = hostile("outside", tmp_path, CHAT_CHECK_NO_NAMESPACES="1")
    assert worked == ["class.csv"]


@pytest.mark.parametrize("namespaces", ["", "1"], ids=["namespaces", "no-namespaces"])
def test_a_server_that_removes_its_folder_removes_a_copy(pair, namespaces):
    folder = pair("no_author", server=("import socket", REMOVES))
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    told = checker(str(folder), CHAT_CHECK_NO_NAMESPACES=namespaces)
    assert "gone" in told.stdout
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


REMOVES = """\
import os, shutil
shutil.rmtree(os.path.dirname(os.path.abspath(__file__)))
raise SystemExit("gone")
"""


def test_without_namespaces_the_banner_says_what_is_not_protected(tmp_path):
    shutil.copytree(PAIRS / "ends_at_once", tmp_path / "works" / "one")
    told = checker("--class", "works", cwd=tmp_path, CHAT_CHECK_NO_NAMESPACES="1")
    assert told.returncode == 0
    assert "изменить Ваши файлы" in told.stdout
    assert "изменить Ваши файлы" in (tmp_path / "class.html").read_text("utf-8")


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("namespaces", ["", "1"], ids=["namespaces", "no-namespaces"])
def test_a_submission_that_cannot_be_read_stops_no_other(tmp_path, namespaces):
    for name in "closed", "open":
        shutil.copytree(PAIRS / "ends_at_once", tmp_path / "works" / name)
    (tmp_path / "works" / "closed" / "data.txt").touch(mode=0)
    told = checker("--class", "works", cwd=tmp_path, CHAT_CHECK_NO_NAMESPACES=namespaces)
    assert (told.returncode, told.stderr) == (0, "")
    remarks = {name: row["примечание"] for name, row in rows_of(tmp_path / "class.csv").items()}
    assert "data.txt" in remarks["closed"]
    assert "data.txt" not in remarks["open"]


@isolated
@pytest.mark.parametrize("namespaces", ["", "1"], ids=["namespaces", "no-namespaces"])
def test_whoever_ends_the_checker_ends_all_that_it_started(pair, namespaces):
    folder = pair("never_listens")  # the checker waits for it: 8 seconds
    environment = os.environ | {"CHAT_CHECK_NO_NAMESPACES": namespaces}
    command = [sys.executable, str(STEPS), "check", str(folder)]

    def running() -> list[int]:
        program = f"/{folder.name}/server.py"
        return [pid for pid in system.processes() if program in command_line(pid)]

    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as outer:
        assert comes_true(running, 20)
        outer.send_signal(signal.SIGKILL)
    assert comes_true(lambda: not running(), 5)


@isolated
def test_ctrl_c_disturbs_no_checker_that_ignores_it(pair):
    """A shell lets what it starts with "&" ignore Ctrl-C; the inner process gets it, too."""
    folder = pair("never_listens")
    command = [sys.executable, str(STEPS), "check", str(folder)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
    execute = f"import os, signal; {IGNORE}; os.execv({command[0]!r}, {command!r})"
    shell = [sys.executable, "-c", execute]
    with subprocess.Popen(shell, start_new_session=True, **options) as outer:
        place = f"/{folder.name}/server.py"
        assert comes_true(lambda: any(place in command_line(p) for p in system.processes()), 20)
        os.killpg(outer.pid, signal.SIGINT)
        told, errors = outer.communicate(timeout=60)
    assert (outer.returncode, errors) == (1, "")
    assert "listen" in told


def written_at(terminal) -> tuple[str, int]:
    """Return what a program at a pseudo-terminal still writes, and its exit status."""
    written = ""
    with terminal:
        try:
            while True:
                written += terminal.read_text()
        except EOFError:
            return written, terminal.wait()


@isolated
def test_ctrl_c_ends_a_class(pair, tmp_path):
    from pseudo_terminal import PseudoTerminal

    folders = [pair("never_listens"), pair("right_json"), pair("no_author")]
    command = [sys.executable, str(STEPS), "check", "--class", str(tmp_path), "--jobs", "2"]
    terminal = PseudoTerminal(command, cwd=tmp_path)

    def running() -> list[int]:
        lines = {pid: command_line(pid) for pid in system.processes()}
        servers = [f"/{each.name}/server" for each in folders]
        return [pid for pid, line in lines.items() if any(each in line for each in servers)]

    assert comes_true(running, 20)
    terminal.write("\x03")
    since = time.monotonic()
    written, status = written_at(terminal)
    assert status == 130
    assert time.monotonic() - since < 20  # the third one was not begun
    assert "Traceback" not in written
    assert running() == []


@isolated
@pytest.mark.parametrize("namespaces", ["", "1"], ids=["namespaces", "no-namespaces"])
def test_ctrl_c_ends_all_that_was_started_without_a_traceback(pair, namespaces):
    from pseudo_terminal import PseudoTerminal

    folder = pair("right_json")
    environment = os.environ | {"CHAT_CHECK_NO_NAMESPACES": namespaces}
    command = [sys.executable, str(STEPS), "check", str(folder)]
    terminal = PseudoTerminal(command, env=environment)
    written = ""
    while "third:" not in written:  # the check that is under way
        written += terminal.read_text()
    terminal.write("\x03")
    rest, status = written_at(terminal)
    assert status == 130
    assert "Traceback" not in written + rest
    programs = [f"/{folder.name}/{name}" for name in ("server.py", "client.py")]
    left = [pid for pid in system.processes() if any(p in command_line(pid) for p in programs)]
    assert left == []


IGNORE = "signal.signal(signal.SIGINT, signal.SIG_IGN)"


def comes_true(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
