"""README.md and the guides keep their word: commands run, the table and the links are right."""

import ast
import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

import parts
from properties import PROPERTIES, table
from tools.harness import STEPS, Story, wait_until

ROOT = Path(__file__).parents[2]
GUIDES = [folder / "README.md" for folder in STEPS.values()]
WAY_IN = ROOT / "steps" / "README.md"
TEACHER = ROOT / "steps" / "TEACHER.md"
PAGES = [ROOT / "README.md", *GUIDES]
LINKED = [*PAGES, WAY_IN, TEACHER, ROOT / "steps" / "PROTOCOL.md"]
PROGRAM = re.compile(r"(?<=python3 )steps/step\w+/(server|client)\.py")
AT = "  # at a terminal"


def blocks(page: Path) -> list[list[str]]:
    """Return the command lines of each block marked `sh`; what sits at a terminal ends in AT."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
        lines = block.replace("\\\n", "").splitlines()
        at = AT if any(line.startswith("# терминал") for line in lines) else ""
        found.append(
            [
                line + at * bool(PROGRAM.search(line) and "client.py" in line)
                for line in lines
                if line.strip() and not line.startswith("#")
            ]
        )
    return found


def commands(page: Path) -> list[str]:
    """Return the command lines of all blocks marked `sh`."""
    return [line.removesuffix(AT) for block in blocks(page) for line in block]


def names(page: Path) -> str:
    return str(page.parent.relative_to(ROOT)) + page.stem.removeprefix("README")


def on_port(command: str, port: int) -> str:
    """Return the command for this Python and this port instead of 8080."""
    if "--port 9000" not in command:
        command = PROGRAM.sub(rf"\g<0> --port {port}", command)
    command = re.sub("808[01]", str(port), command)
    command = re.sub(r"sleep\(\d+\)", "sleep(3)", command)  # the pace of a test, not of a reader
    return re.sub(r"(?<![\w/.])(python3|\.venv/bin/python)\b", shlex.quote(sys.executable), command)


@pytest.mark.ci
@pytest.mark.skipif(os.name != "posix", reason="the commands are for a POSIX shell")
@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_command_runs(page):
    """Run a page's commands one after the other; a server runs until the next one starts.

    The clients of a block that names terminals run side by side until the end of the block.
    """
    if page.parent == ROOT and (reason := parts.why_not("report")):
        pytest.skip(reason)
    server = tap = None
    clients: list[subprocess.Popen] = []
    environment = os.environ | {"CHAT_DEADLINE_SCALE": "0.5"}
    options = {"cwd": ROOT, "env": environment, "text": True, "stdin": subprocess.DEVNULL}
    found = [command for block in blocks(page) for command in [*block, "the end of a block"]]
    assert found, "a page without commands"
    try:
        for command in found:
            if command == "the end of a block":
                for client in clients:
                    close(client)
                clients.clear()
                continue
            if "-m venv" in command or command == "python3 steps":
                continue  # .ci/run runs the one, test_tour.py the other
            if re.match(r"python3 \S+/server\.py", command):
                server = restart(server, command, options)
                continue
            port = server.port if server else 0
            if "steps wire" in command:
                tap = start_tap(command, port, options)
                continue
            line = on_port(command, port).replace("--port 9000", f"--port {tap.port if tap else 0}")
            if command.endswith(AT):
                clients.append(sit_down(line.removesuffix(AT), options))
                continue
            if "pytest" in command:
                line += " --collect-only -q"  # that they pass is for the tests themselves to say
            line = line.replace("--seconds 600", "--seconds 1")
            line = re.sub("steps probe .*", rf"\g<0> --port {port}", line)
            line = line.replace("bench --quick", "bench --quick --modes single")
            line = line.replace("run.py --quick", "run.py --help")  # test_notebook.py runs it
            done = subprocess.run(["bash", "-c", line], **options, capture_output=True, timeout=90)
            expected = 0
            if "steps probe" in command:
                expected = 1 if STEPS[3] == page.parent else 0
            if "steps check" in command:
                expected = 1
            if "steps probe" in command or "steps check" in command:
                told = re.sub(r"(?<=: )python\S*", "python3", done.stdout)  # the one that runs this
                shown = shown_lines(page, told)
                assert shown or "steps probe" in command
                assert shown <= set(without_numbers(told))
            assert done.returncode == expected, f"{command}\n{done.stdout}\n{done.stderr}"
            assert "Traceback" not in done.stderr, command
    finally:
        for client in clients:
            end_group(client)
        end(tap)
        end(server)


def sit_down(line: str, options: dict) -> subprocess.Popen:
    """Start a client as somebody does who sits at a terminal and types nothing."""
    options = options | {"stdin": subprocess.PIPE, "start_new_session": True}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    client = subprocess.Popen(["bash", "-c", line], **options, **pipes)
    wait_until(lambda: client.poll() is not None or is_connected(client.pid), line, Story())
    return client


def is_connected(pid: int) -> bool:
    """Return whether a process, or one that it has started, has a connection."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            if any(c.status != psutil.CONN_SYN_SENT for c in one.net_connections("tcp")):
                return True
    return False


def close(client: subprocess.Popen) -> None:
    """Close the terminal; check that the client had nothing to complain of but its server."""
    end_group(client)
    _, errors = client.communicate(timeout=10)
    assert re.fullmatch(r"(the server has closed the connection\n|connection lost: .*\n)?", errors)


def end_group(client: subprocess.Popen) -> None:
    """End a client, and whatever it reads from."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(client.pid, signal.SIGTERM)


def start_tap(command: str, port: int, options: dict) -> subprocess.Popen:
    """Start the tap of a page between free ports."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = free.getsockname()[1]
    words = shlex.split(on_port(command, port).replace("9000", str(listen)))
    tap = subprocess.Popen(words, **options, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    tap.port = listen
    assert f"127.0.0.1:{listen}" in tap.stdout.readline()
    return tap


def without_numbers(text: str) -> list[str]:
    """Return the lines of a text, each number replaced: they differ from run to run."""
    return re.sub(r"\d+(\.\d+)?", "0", text).splitlines()


def shown_lines(page: Path, output: str) -> set[str]:
    """Return what a page shows of the output of a probe, in the block that begins like it."""
    blocks = re.findall(r"^```text\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    title = output.splitlines()[0]
    return {line for block in blocks if block.startswith(title) for line in without_numbers(block)}


def restart(server, command: str, options: dict):
    """Start the server of a page on a free port, in place of the one before."""
    end(server)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = shlex.split(on_port(command, port))
    server = subprocess.Popen(words, **options, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    server.port = port
    assert server.stdout.readline() == f"listening on 127.0.0.1:{port}\n"
    return server


def end(server) -> None:
    if server:
        server.terminate()
        server.communicate(timeout=10)


def test_the_line_that_runs_the_tests_is_the_one_that_ci_takes():
    lines = [line for line in commands(ROOT / "README.md") if line.startswith("python3 -m venv")]
    assert len(lines) == 1
    assert "grep -m 1 '^python3 -m venv' README.md" in (ROOT / ".ci/run").read_text()


def test_the_table_of_properties_is_that_of_the_registry():
    text = (ROOT / "README.md").read_text("utf-8")
    shown = text.partition("tests/helpers/properties.py` -->\n")[2].partition("\n<!-- end")[0]
    assert shown.splitlines() == table(), "run: python tests/helpers/properties.py"


def test_every_step_adds_a_property_and_none_is_missing_in_the_last():
    assert {prop.first for prop in PROPERTIES} == {2, 3, 4}


def anchors(page: Path) -> set[str]:
    """Return where links can lead on a page, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=names)
def test_every_link_leads_to_a_file_and_to_a_heading(page):
    for target in re.findall(r"\]\(([^):]+)\)", page.read_text("utf-8")):
        file, _, anchor = target.partition("#")
        there = page.parent / file if file else page
        assert there.exists(), f"{target} in {page.relative_to(ROOT)}"
        assert not anchor or anchor in anchors(there), f"{target} in {page.relative_to(ROOT)}"


WORN = {  # words that have been read wrong, and those that are said instead
    "врезк": "прокси",
    "возбужда": "вызывает исключение",
    "новичок": "новый участник",
    "```mermaid": "a picture that is committed: outside GitHub this is raw text",
    "git diff": "python3 steps diff",
}


@pytest.mark.parametrize("page", LINKED, ids=names)
def test_a_page_keeps_to_the_words_that_are_understood(page):
    text = page.read_text("utf-8")
    flowing = " ".join(text.split()).lower()
    assert [word for word in WORN if word in flowing] == []
    assert len(re.findall(r"поток\w* выполнения", flowing)) <= 1  # then it is «поток»


@pytest.mark.parametrize("page", [*GUIDES, *LINKED[len(PAGES) :]], ids=names)
def test_what_a_student_reads_is_russian(page):
    text = re.sub(
        r"^```.*?^```|`[^`]+`|\]\([^)]*\)", "", page.read_text("utf-8"), flags=re.M | re.S
    )
    assert re.findall(r"(?:[A-Za-z]{2,}[ ,.;:]+){5,}", " ".join(text.split())) == []


@pytest.mark.skipif(os.name != "posix", reason="GitHub runs it on Linux")
def test_the_workflow_for_a_classroom_shows_the_verdict_and_fails_with_it(tmp_path):
    block = re.search(r"^```yaml\n(.*?)^```", TEACHER.read_text("utf-8"), re.M | re.S)[1]
    script = textwrap.dedent(block.partition("run: |\n")[2])
    pack = [sys.executable, "steps", "check", "--pack", str(tmp_path / "check.pyz")]
    subprocess.run(pack, cwd=ROOT, check=True, capture_output=True)
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "server.py").write_text("import socket\nraise SystemExit('oops')\n")
    shutil.copy(STEPS[3] / "client.py", tmp_path / "chat")
    summary = tmp_path / "summary.md"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", on_port(script, 0)],
        cwd=tmp_path,
        env=os.environ | {"GITHUB_STEP_SUMMARY": str(summary)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 2, done.stderr  # it could not be run
    assert "Сервер сразу завершился" in done.stdout
    assert summary.read_text("utf-8") == f"```text\n{done.stdout}```\n"


def test_the_page_for_teachers_names_the_columns_of_the_table_of_a_class(tmp_path):
    from tools.check import group
    from tools.check.asks import CHECKS

    group.write(tmp_path / "class.csv", [])
    titles = (tmp_path / "class.csv").read_text("utf-8-sig").strip().split(";")
    own = [title for title in titles if title not in {each.title for each in CHECKS.values()}]
    section = TEACHER.read_text("utf-8").partition("| столбец |")[2].partition("\n\n")[0]
    told = [name for row in re.findall(r"^\| (`.+?) \|", section, re.M) for name in row.split("`")]
    assert [name for name in told if name.strip(", ")] == own


@pytest.mark.parametrize("page", PAGES[2:], ids=names)
def test_the_difference_that_a_guide_shows_is_there(page):
    [command] = [command for command in commands(page) if " steps diff " in command]
    words = [sys.executable, *command.split()[1:]]
    difference = subprocess.run(words, cwd=ROOT, capture_output=True, encoding="utf-8").stdout
    [shown] = re.findall(r"^```diff\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    assert shown in difference


@pytest.mark.parametrize("page", PAGES[1:], ids=names)
def test_the_code_that_a_guide_quotes_is_there(page):
    code = "".join(path.read_text("utf-8") for path in page.parent.glob("*.py"))
    for shown in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
        assert shown in code


def test_the_guide_of_step_4_explains_every_constant_of_its_programs():
    constants = {
        (target.id, path.stem)
        for path in STEPS[4].glob("*.py")
        for line in ast.parse(path.read_text("utf-8")).body
        if isinstance(line, ast.Assign)
        for target in line.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }
    table = GUIDES[3].read_text("utf-8").partition("\n## Постоянные\n")[2].partition("\n## ")[0]
    explained = re.findall(r"^\| `([A-Z_]+)` \| (\w+) \| .{10,} \| .{10,} \|$", table, re.M)
    assert len(constants) > 15
    assert sorted(explained) == sorted(constants)


def test_the_lines_that_they_ask_about_are_there():
    code = "".join(path.read_text("utf-8") for path in STEPS[4].glob("*.py"))
    rows = GUIDES[3].read_text("utf-8").partition("\n## Строки, о которых спросят\n")[2]
    lines = re.findall(r"^\| `([^|]+)`[^|]* \| .{10,} \|$", rows.partition("\n## ")[0], re.M)
    assert len(lines) > 20
    for line in lines:
        for part in re.split(r"\.\.\.|`(?:, | под | до | в )`", line):
            assert part in code, line


def defined(folder: Path) -> dict[str, str]:
    """Return the source of each function, class and constant of a step, by its name."""
    found = {}
    for path in folder.glob("*.py"):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)) if path.stem != "terminal" else ():
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found[node.name] = ast.get_source_segment(text, node)
            elif isinstance(node, ast.Assign):
                names_of = [target.id for target in node.targets if isinstance(target, ast.Name)]
                source = ast.get_source_segment(text, node)
                found |= {name: source for name in names_of if name.isupper()}
    return found


@pytest.mark.parametrize("step", STEPS)
def test_a_guide_names_every_function_and_constant_that_its_step_brings(step):
    before = defined(STEPS[step - 1]) if step > 1 else {}
    guide = (STEPS[step] / "README.md").read_text("utf-8")
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`", guide))))
    here = defined(STEPS[step])
    assert len(here) > 5
    brought = {name for name in here if here[name] != before.get(name) and name[0] != "_"} - {
        "main"
    }
    assert brought - {"main"} <= named


PEOPLE = {"ann", "bob", "carl", "dora", "eve", "lazy", "slow", "zoe", "olga", "ivan", "egor"}
NOT_IN_THE_STEPS = {  # what the guides name beside the code of the steps
    *("glue", "cut", "garbage", "order", "stall", "goodbye", "hello", "name"),
    *("BrokenPipeError", "ConnectionResetError", "ThreadPoolExecutor", "SOCK_DGRAM"),
    *("perf_counter", "SimpleQueue", "inf", "steps"),
    *("conn", "clients", "ready", "python"),
}


@pytest.mark.parametrize("page", [*GUIDES, WAY_IN], ids=names)
def test_what_a_guide_calls_by_name_is_there_in_the_code(page):
    code = "".join(path.read_text("utf-8") for path in (ROOT / "steps").glob("step*/*.py"))
    words = set(re.findall(r"\w+", code))
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    called = re.findall(r"`(?:\w+\.)*([A-Za-z_]\w{2,})(?:\([^`]*\))?`", text)
    assert len(called) > 15
    tests = {name for name in called if name.startswith("test_")}
    assert set(called) - words - tests - NOT_IN_THE_STEPS - PEOPLE == set()


def test_each_term_of_the_glossary_names_a_line_of_code_that_is_there():
    rows = re.findall(
        r"^\| .* \| .* \| `(.+)` в \[.*\]\((\S+\.py)\) \|$", WAY_IN.read_text("utf-8"), re.M
    )
    assert len(rows) >= 25
    for code, path in rows:
        assert code in (WAY_IN.parent / path).read_text("utf-8"), f"{code} in {path}"


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_the_tests_that_a_page_names_exist(page):
    code = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)(?:\[[^`]*\])?`", page.read_text("utf-8")):
        assert f"def {name}(" in code, name


def test_what_the_readme_names_in_the_code_is_there():
    text = (ROOT / "README.md").read_text("utf-8")
    rows = text.partition("## Where is what?")[2].partition("##")[0]
    code = "".join(path.read_text("utf-8") for path in (ROOT / "steps").glob("*/*.py"))
    for name in re.findall(r"`(\w+(?:\.\w+)?)`", rows):
        last = name.split(".")[-1]
        assert last == "py" or re.search(rf"(def|class) {last}\b", code), name


def test_the_top_level_holds_what_was_asked_for_and_nothing_else():
    allowed = {"steps", "report", "notebooks", "tests", "README.md", "requirements.txt", "LICENSE"}
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
        top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    else:  # a ZIP of the repository; what was made since then is not told from what was there
        top = {path.name for path in ROOT.iterdir()} - {"my"}  # a student's exercises
    assert {name for name in top if not name.startswith(".")} <= allowed


def test_the_sections_that_the_checker_names_are_in_the_guides():
    from tools.check.asks import CHECKS

    assert CHECKS
    for each in CHECKS.values():
        file, heading = each.read
        assert f"# {heading}\n" in (ROOT / "steps" / file).read_text("utf-8"), each.name
