"""The tests of the exercises: each is skipped until somebody names a solution for it to check."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
OF_CLIENTS = ("1_2",)  # exercises that change the client alone


def how_to_ask(exercise: str, program: str) -> str:
    """Return how a student names the solution of an exercise."""
    number = exercise.replace("_", ".")
    return (
        f'упражнение {number}: назовите решение, --{program} "python3 my/{exercise}/{program}.py"'
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("server") and not config.getoption("client"):
        for exercise in OF_CLIENTS:
            if any(f"test_{exercise}.py" in argument for argument in config.args):
                raise pytest.UsageError(how_to_ask(exercise, "client"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("server") or config.getoption("client"):
        return  # the tests of the program that was not named are left out
    for item in items:
        if item.path.parent == HERE:
            program = "client" if "run_client" in item.fixturenames else "server"
            reason = how_to_ask(item.path.stem.removeprefix("test_"), program)
            item.add_marker(pytest.mark.skip(reason=reason))
