"""The tests of the exercises: each is skipped until somebody names a solution for it to check."""

import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools.harness import Client, Story

HERE = Path(__file__).parent
PROGRAMS = ("server", "client")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent != HERE:
            continue
        for program in PROGRAMS:
            if f"{program}_command" in item.fixturenames and not config.getoption(program):
                number = item.path.stem.removeprefix("test_").replace("_", ".")
                path = f"my/{number.replace('.', '_')}/{program}.py"
                reason = f'упражнение {number}: назовите своё решение, --{program} "python3 {path}"'
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def meet(run_client, story: Story) -> Iterator:
    """A function that starts the client; it returns the client and the server's connection.

    The server is the test itself.
    """
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(story.deadline)

        def start(*args: str) -> tuple[Client, socket.socket]:
            port = listener.getsockname()[1]
            client = run_client(SimpleNamespace(server=SimpleNamespace(port=port)), *args)
            connection, _ = listener.accept()
            connection.settimeout(story.deadline)
            connections.append(connection)
            return client, connection

        yield start
    for connection in connections:
        connection.close()
