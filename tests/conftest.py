"""What the tests share: the options, and a chat of the step that a test file is about."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import parts
from tools.harness import Chat, Client, Program, Server, Story, program, start_as_a_user_would


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chat", "any implementation, in any language")
    group.addoption("--server", help='test this server instead: --server "python3 my/server.py"')
    group.addoption("--client", help='test this client instead: --client "python3 my/client.py"')


def pytest_configure(config: pytest.Config) -> None:
    start_as_a_user_would()


class CannotRun(pytest.Module):
    """A test file whose packages are not installed: it is skipped as a whole, with the reason."""

    def collect(self) -> Iterator:
        reason = parts.why_not(parts.needed_by(self.path.name))
        pytest.skip(f"{self.path.name}: {reason}", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> CannotRun | None:
    part = parts.needed_by(module_path.name)
    if part and parts.why_not(part):
        return CannotRun.from_parent(parent, path=module_path)
    return None  # as ever


@pytest.fixture
def step(request: pytest.FixtureRequest) -> int:
    """The step that the test file is about."""
    return request.module.STEP


@pytest.fixture
def foreign(request: pytest.FixtureRequest) -> bool:
    """Whether it is not this project's server that is tested."""
    return request.config.getoption("server") is not None


@pytest.fixture
def story() -> Story:
    return Story()


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
def start(step: int, server_command: list[str], story: Story):
    """A function that starts a server and returns a chat; both end with the test."""
    running: list[tuple[Server, Chat]] = []

    def start_chat(*args: str, command: list[str] | None = None, **options) -> Chat:
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
