"""What the tests share: the options, the kinds of tests, and a chat of the step of a test."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import parts
import verdict
from fake_server import FakeServer
from marks import KINDS
from tools.harness import (
    DEADLINE,
    STEPS,
    Chat,
    Client,
    Program,
    Server,
    Story,
    program,
    start_as_a_user_would,
)

FOREIGN_DEADLINE = DEADLINE * 0.3  # 3 seconds: many waits may be in vain
IN_VAIN = 12  # tests that fail one after the other: then the rest is not run


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chat", "the steps, and any implementation in any language")
    group.addoption("--step", type=int, choices=STEPS, help="only the tests of this step")
    group.addoption("--server", help='test this server instead: --server "python3 my/server.py"')
    group.addoption("--client", help='test this client instead: --client "python3 my/client.py"')


def is_foreign(config: pytest.Config) -> bool:
    """Return whether it is somebody else's server or client that is tested."""
    return bool(config.getoption("server") or config.getoption("client"))


def pytest_configure(config: pytest.Config) -> None:
    start_as_a_user_would()
    pytest.register_assert_rewrite("expectations", "properties")  # to show values there, too
    if is_foreign(config):
        if not config.getoption("step") and not all("exercises" in arg for arg in config.args):
            raise pytest.UsageError("--server and --client need a step: add, for example, --step 3")
        config.pluginmanager.register(verdict.Verdict(config), "verdict")
        if config.option.tbstyle == "auto":  # the verdict tells enough; all of it: --tb=short
            config.option.tbstyle, config.option.reportchars = "no", ""


class CannotRun(pytest.Module):
    """A test file whose packages are not installed: it is skipped as a whole, with the reason."""

    def collect(self) -> Iterator:
        reason = parts.why_not(parts.needed_by(self.path))
        pytest.skip(f"{self.path.name}: {reason}", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> CannotRun | None:
    part = parts.needed_by(module_path)
    if part and parts.why_not(part):
        return CannotRun.from_parent(parent, path=module_path)
    return None  # as ever


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --step, leave out the files that have nothing of this step."""
    step = config.getoption("step")
    if not step:
        return None
    if collection_path.suffix != ".py":
        return collection_path.name == "exercises" or None
    is_of_it = f"\nSTEP = {step}\n" in collection_path.read_text("utf-8")
    return None if is_of_it or collection_path.name == verdict.EVERY_STEP else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check that each test of a step is marked with its kind; leave others' work its contract."""
    kept, left = [], []
    wanted_step = config.getoption("step")
    for item in items:
        step = verdict.step_of(item)
        if wanted_step and step != wanted_step:
            left.append(item)
            continue
        if not step:
            kept.append(item)
            continue
        kinds = {mark.name for mark in item.iter_markers() if mark.name in KINDS}
        if len(kinds) != 1:
            raise pytest.UsageError(f"{item.nodeid}: mark it as one of {', '.join(KINDS)}")
        of_client = bool({"run_client", "client_command"} & set(item.fixturenames))
        wanted = config.getoption("client" if of_client else "server")
        ours = not is_foreign(config) or (kinds == {"contract"} and wanted)
        (kept if ours else left).append(item)
    if is_foreign(config):
        kept.sort(key=verdict.order)  # the first cause first
    config.hook.pytest_deselected(items=left)
    items[:] = kept


def pytest_runtest_setup(item: pytest.Item) -> None:
    if is_foreign(item.config) and item.session.stash.get(FAILED, 0) >= IN_VAIN:
        pytest.skip(verdict.GIVEN_UP)


FAILED = pytest.StashKey[int]()  # tests that failed one after the other


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    if is_foreign(item.config) and (report.when == "call" or report.failed):
        failed = item.session.stash.get(FAILED, 0) + 1 if report.failed else 0
        if report.when == "call" or report.failed:
            item.session.stash[FAILED] = failed
        report.user_properties.append(("verdict", verdict.of(item, call)))
    return report


@pytest.fixture
def step(request: pytest.FixtureRequest) -> int:
    """The step that the test file is about. (In test_every_step.py a parameter.)"""
    return request.module.STEP


@pytest.fixture
def foreign(request: pytest.FixtureRequest) -> bool:
    """Whether it is not this project's server that is tested."""
    return request.config.getoption("server") is not None


@pytest.fixture
def story(request: pytest.FixtureRequest) -> Story:
    story = Story(FOREIGN_DEADLINE if is_foreign(request.config) else DEADLINE)
    request.node.stash[verdict.STORY] = story
    return story


@pytest.fixture
def server_command(request: pytest.FixtureRequest, step: int) -> list[str]:
    """The command that starts the server, without its arguments."""
    command = request.config.getoption("server")
    return shlex.split(command) if command else program(step, "server")


@pytest.fixture
def client_command(request: pytest.FixtureRequest, step: int) -> list[str]:
    """The command that starts the client, without its arguments."""
    command = request.config.getoption("client")
    return shlex.split(command) if command else program(step, "client")


@pytest.fixture
def unbuffered(foreign: bool) -> dict[str, str] | None:
    """The environment of a server: if it is somebody else's, it may forget to flush."""
    return os.environ | {"PYTHONUNBUFFERED": "1"} if foreign else None


def listens_on(pid: int) -> int | None:
    """Return the port on which a process or one of its children listens."""
    try:
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            for connection in one.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return connection.laddr.port
    except (psutil.Error, RuntimeError):  # it has ended; or Windows did not tell this time
        pass
    return None


@pytest.fixture
def start(step: int, foreign: bool, server_command: list[str], story: Story, unbuffered):
    """A function that starts a server and returns a chat; both end with the test."""
    running: list[tuple[Server, Chat]] = []

    def start_chat(*args: str, command: list[str] | None = None, **options) -> Chat:
        if foreign and command is None:
            options = {"env": unbuffered, "look": listens_on} | options
        server = Server(command or server_command, *args, story=story, **options)
        chat = Chat(step, server, story)
        running.append((server, chat))
        return chat

    yield start_chat
    for server, chat in running:
        chat.close()
        server.__exit__()


@pytest.fixture
def chat(start) -> Chat:
    """A server that runs with its default settings."""
    return start()


@pytest.fixture
def fake(story: Story):
    """A server that the test plays itself."""
    server = FakeServer(story)
    yield server
    server.close()


@pytest.fixture
def run_client(client_command: list[str], story: Story):
    """A function that starts a client for a chat."""
    running: list[Program] = []

    def run(chat: Chat, *args: str, command: list[str] | None = None, **options) -> Client:
        client = Client(command or client_command, chat.server.port, *args, story=story, **options)
        running.append(client)
        return client

    yield run
    for client in running:
        client.__exit__()
