"""The checker: what it finds, how it reads screens, and its verdicts on real pairs."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.check import find, isolate, room
from tools.check.checks import CHECKS, ORDER
from tools.check.reading import (
    bare,
    letters_whole,
    mark,
    names,
    news,
    question,
    told_who,
)
from tools.check.report import first_to_mend
from tools.check.screen import draw, own_error, traceback_of, visible
from tools.check.words import NOT_CHECKED, VERDICTS, Words

STEPS = Path(__file__).parents[1] / "steps"
PAIRS = Path(__file__).parent / "pairs"
# Ports are fixed in the pairs, and several tests run at once: each needs a network of its own.
isolated = pytest.mark.skipif(not isolate.wrapper(), reason="needs namespaces (Linux)")


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
    place = {"error": "KeyError", "file": "server.py", "line": "35", "code": "name = users[c]"}
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


def test_news_name_somebody_or_nobody():
    assert told_who(["carl joined"], "carl") == "who"
    assert told_who(["somebody joined"], "carl") == "not_who"
    assert told_who([], "carl") == "nothing"


def test_letters_are_whole_only_without_anything_between():
    assert letters_whole("ann: <бвг>", "<", "бвг", ">")
    assert not letters_whole("ann: <бвann: г>", "<", "бвг", ">")
    assert not letters_whole("ann: <бв", "<", "бвг", ">")
    assert bare("12:30") == ""


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
    pair = find.find(tmp_path, server=command)
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
    with pytest.raises(find.CannotRun) as error:
        find.find(pair_of(tmp_path, **files))
    assert error.value.key == key


def test_foreign_addresses_in_the_code_are_found(tmp_path):
    server = LISTENING.replace("''", "'192.168.1.5'")
    pair_of(tmp_path, server__py=server, client__py=CONNECTING)
    assert find.find(tmp_path).addresses() == ["192.168.1.5"]


def test_arguments_are_read_from_the_source():
    assert room.from_argv("host = sys.argv[1]\nport = int(sys.argv[2])\n") == [["{host}", "{port}"]]
    assert room.from_argv("ip, port, nick = argv[1], int(argv[2]), argv[3]\n") == [
        ["{host}", "{port}", "{name}"]
    ]
    assert room.from_argparse('p.add_argument("--port", required=True, type=int)\n') == [
        ["--port", "{port}"]
    ]


def test_arguments_are_read_from_a_message_on_usage():
    assert room.usage("usage: client.py <host> <port> [nick]") == [["{host}", "{port}"]]
    assert room.usage("Использование: python client.py ИМЯ ПОРТ") == [["{name}", "{port}"]]


# Texts


def test_each_check_has_a_title_and_stands_in_the_table():
    assert sorted(CHECKS) == sorted(ORDER)
    for language in "ru", "en":
        assert all(Words(language).title(name) for name in ORDER)


def test_each_verdict_that_the_code_names_has_its_texts():
    source = (STEPS / "tools" / "check" / "checks.py").read_text("utf-8")
    named = set(re.findall(r'Failure\("([\w.]+)"', source))
    assert named <= set(VERDICTS)
    assert set(re.findall(r'NotChecked\("(\w+)"', source)) <= set(NOT_CHECKED)


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
        {"id": name, "graded": True, "status": "fail" if name in failed else "pass"}
        for name in ORDER
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
    [["no-such-folder"], ["--only", "nothing"], ["--lang", "de"], ["--jobs", "0"], ["--speed"]],
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
    told = checker(str(tmp_path), "--lang", "en")
    assert told.returncode == 2
    assert "There is no module no_such_module" in told.stdout


# Verdicts on real pairs


@pytest.fixture
def pair(tmp_path):
    """A function that copies a pair: some of them write into their own folder."""

    def copy(name: str, **changes: tuple[str, str]) -> Path:
        folder = shutil.copytree(PAIRS / name, tmp_path / name)
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


@isolated
@pytest.mark.parametrize(
    ("name", "check", "wanted"),
    [
        ("no_receive_thread", "talk", ("fail", "after_enter")),
        ("busy_loop", "idle", ("fail", "spins")),
        ("no_author", "author", ("fail", "none")),
        ("name_in_accept", "silent", ("fail", "newcomer")),
        ("left_not_told", "left", ("fail", "nothing")),
        ("left_told_late", "left", ("fail", "late")),
        ("left_but_not_who", "left", ("fail", "not_who")),
        ("name_not_sent", "joined", ("fail", "not_who")),
        ("client_cannot_end", "word", ("fail", "hangs")),
        ("no_daemon", "stop", ("fail", "hangs")),
        ("no_reuse", "restart", ("fail", "busy")),
        ("two_only", "third", ("fail", "unheard")),
        ("right_json", "left", ("pass", "")),
        ("right_json", "stop", ("pass", "")),
    ],
)
def test_one_check_alone_gives_its_verdict(pair, name, check, wanted):
    report = report_on(pair(name), "--only", check)
    assert [each["id"] for each in report["checks"]] == [check]
    assert verdict(report, check) == wanted


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
def test_the_servers_own_error_is_the_cause(pair):
    report = report_on(pair("close_ends_server"), "--only", "survives")
    [survives] = report["checks"]
    assert "KeyError" in survives["story"]["cause"]
    assert "server.py" in survives["story"]["cause"]
    assert "name = users[c]" in survives["story"]["cause"]


@isolated
def test_letters_that_the_encoding_does_not_know_are_told_apart(pair):
    folder = pair("left_told_late", client=('message.encode("utf-8")', 'message.encode("ascii")'))
    assert verdict(report_on(folder, "--only", "letters"), "letters") == ("fail", "ascii")


@isolated
def test_a_chat_that_wants_commands_cannot_be_checked(pair):
    said = "b'Use /join ROOM first\\n'"
    folder = pair("no_author", server=("send_to_all(text, conn)", f"conn.sendall({said})"))
    report = report_on(folder, "--only", "talk")
    assert (report["status"], report["reason_id"]) == (2, "command")
    assert "/join" in report["reason"]


@isolated
def test_what_waits_for_a_check_that_fails_is_not_run(pair):
    report = report_on(pair("two_only"), "--only", "silent")
    assert verdict(report, "silent") == ("not_run", "waits")
    assert report["checks"][0]["waits_for"] == "third"


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
    hints = {hint["part"]: hint["status"] for each in report["checks"] for hint in each["hints"]}
    for part, text in EXPECTED["hints"].get(name, {}).items():
        assert hints[part] == text.partition(":")[0]


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
    assert report["score"] == report["of"] == 11


@isolated
@pytest.mark.slow
@pytest.mark.parametrize("step", ["step3_multi_threaded", "step4_framing_and_exit"])
def test_the_steps_pass_what_is_graded(step):
    report = report_on(STEPS / step)
    assert report["score"] == report["of"] == 11, report
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


# A class


@pytest.fixture(scope="module")
def lesson(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """A class that was checked: one never listens, one forks for ever, one floods the disk."""
    place = tmp_path_factory.mktemp("class")
    for name in "never_listens", "floods_disk", "module_missing", "gui_client", "udp":
        shutil.copytree(PAIRS / name, place / "submissions" / name)
    bomb = place / "submissions" / "forks"
    pair_of(shutil.copytree(PAIRS / "no_author", bomb))
    text = (bomb / "server.py").read_text("utf-8")
    (bomb / "server.py").write_text(
        "import os, time\nwhile True:\n"
        "    if os.fork() == 0:\n        os.setsid()\n        time.sleep(300)\n" + text,
        "utf-8",
    )
    told = checker("--class", "submissions", "--jobs", "2", cwd=place)
    return place, told


@isolated
def test_a_class_gives_a_row_for_each_submission(lesson):
    place, told = lesson
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("Проверка запускает чужой код")
    with (place / "class.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["submission"]: row for row in csv.DictReader(file)}
    assert sorted(rows) == sorted(each.name for each in (place / "submissions").iterdir())
    assert "chat_utils" in rows["module_missing"]["remark"]
    assert "tkinter" in rows["gui_client"]["remark"]
    assert "процессов" in rows["forks"]["remark"]
    assert rows["never_listens"]["start"] == "fail:deaf"
    assert rows["udp"]["start"] == "fail:udp"
    for name in rows:
        assert (place / "class-texts" / f"{name}.txt").read_text("utf-8").strip()


@isolated
def test_a_class_leaves_nothing_behind(lesson):
    place, _ = lesson
    assert not list((place / "submissions").rglob("*.log"))
    left = [pid for pid in isolate.processes() if str(place) in command_line(pid)]
    assert left == []


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
    with (tmp_path / "class.csv").open(encoding="utf-8-sig", newline="") as file:
        remarks = {row["submission"]: row["remark"] for row in csv.DictReader(file)}
    assert "data.txt" in remarks["closed"]
    assert "data.txt" not in remarks["open"]


@isolated
@pytest.mark.parametrize("namespaces", ["", "1"], ids=["namespaces", "no-namespaces"])
def test_whoever_ends_the_checker_ends_all_that_it_started(pair, namespaces):
    folder = pair("never_listens")  # the checker waits for it: 8 seconds
    environment = os.environ | {"CHAT_CHECK_NO_NAMESPACES": namespaces}
    command = [sys.executable, str(STEPS), "check", str(folder)]

    def running() -> list[int]:
        return [pid for pid in isolate.processes() if f"{folder}/server.py" in command_line(pid)]

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
        place = f"{folder}/server.py"
        assert comes_true(lambda: any(place in command_line(p) for p in isolate.processes()), 20)
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
        lines = {pid: command_line(pid) for pid in isolate.processes()}
        return [pid for pid, line in lines.items() if any(f"{f}/server" in line for f in folders)]

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
    programs = [str(folder / name) for name in ("server.py", "client.py")]
    left = [pid for pid in isolate.processes() if any(p in command_line(pid) for p in programs)]
    assert left == []


IGNORE = "signal.signal(signal.SIGINT, signal.SIG_IGN)"


def comes_true(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
