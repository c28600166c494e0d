"""The properties by which the steps differ, and the first step that has each of them.

Every check runs on all steps to which it applies, and is expected to fail on those before the
first one that has the property. The table in README.md is made from this registry.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "steps"))

from tools import entry
from tools.harness import STEPS, Chat, NotAsTold

try:
    import pytest
except ModuleNotFoundError as error:
    sys.exit(entry.missing("properties", error, "tests"))

from marks import contract, limit

SLOWEST = 30.0  # seconds for 20 MB, in which a flood may slow down for the sake of its readers
PATIENCE_WITH_LIMITS = 1.0  # seconds to wait for what should not come


@dataclass(frozen=True)
class Property:
    """One row of the table."""

    sentence: str
    topic: str  # of marks.TOPICS
    russian: str  # the sentence in a verdict
    first: int  # the first step that has the property
    applies_from: int  # before this step, the question does not arise
    check: Callable[[Chat], None]

    @property
    def id(self) -> str:
        """The sentence as a part of a test's name."""
        return self.sentence.replace(",", "").replace(" ", "-")


PROPERTIES: list[Property] = []


def has_from(
    first: int, sentence: str, topic: str, russian: str, applies_from: int = 1
) -> Callable:
    """Enter the decorated check into the registry."""

    def enter(check: Callable[[Chat], None]) -> Callable[[Chat], None]:
        PROPERTIES.append(Property(sentence, topic, russian, first, applies_from, check))
        return check

    return enter


def rows_of_the_table() -> list:
    """Return the parameters for a test: each step with each property that applies to it."""
    return [
        pytest.param(
            step,
            prop,
            id=f"step{step}-{prop.id}",
            marks=contract(prop.topic, prop.russian) if step >= prop.first else limit,
        )
        for step in STEPS
        for prop in PROPERTIES
        if prop.applies_from <= step
    ]


def check_property(prop: Property, chat: Chat, request: pytest.FixtureRequest) -> None:
    """Run one check; where the step is not said to have the property, it has to fail."""
    if chat.step < prop.first:
        reason = f"the limit of step {chat.step}: step {prop.first} lifts it"
        request.applymarker(pytest.mark.xfail(raises=NotAsTold, reason=reason, strict=True))
        chat.story.deadline = PATIENCE_WITH_LIMITS
    prop.check(chat)


@has_from(2, "two people talk at once", "talk", "двое разговаривают одновременно")
def two_people(chat: Chat) -> None:
    ann, bob = chat.join("ann", alone=True), chat.join("bob")
    ann.say("hello")
    bob.expect(chat.heard("ann", "hello"))
    bob.say("hi")
    ann.expect(chat.heard("bob", "hi"))


@has_from(3, "a third person is answered", "talk", "третий участник слышит и его слышат")
def three_people(chat: Chat) -> None:
    people = [chat.join(name) for name in ("ann", "bob", "carl")]
    people[2].say("hello")
    people[0].expect(chat.heard("carl", "hello"))
    people[1].expect(chat.heard("carl", "hello"))


@has_from(
    3,
    "nicknames, joining and leaving are told",
    "news",
    "остальные видят имена, вход и выход участников",
)
def told(chat: Chat) -> None:
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("hello")
    bob.expect("ann: hello")
    bob.leave()
    ann.expect("* bob left")


@has_from(
    3,
    "a newcomer who says nothing harms nobody",
    "faults",
    "молчащий новый клиент никому не мешает",
)
def silent_newcomer(chat: Chat) -> None:
    chat.connect("silent", reads=False)
    two_people(chat)


@has_from(
    4,
    "two quick messages stay two",
    "frames",
    "два сообщения подряд остаются двумя",
    applies_from=3,
)
def two_quick_messages(chat: Chat) -> None:
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("one", "two")
    bob.expect("ann: one", "ann: two")


@has_from(
    4,
    "a character cut in half arrives whole",
    "frames",
    "символ, разрезанный пополам, приходит целым",
    applies_from=3,
)
def cut_character(chat: Chat) -> None:
    ann, bob = chat.join("ann"), chat.join("bob")
    data = chat.dialect.encode("привет 👋")
    ann.send(data[:-3])
    bob.has_received(b"ann: ", within=PATIENCE_WITH_LIMITS)  # half a message must not go out
    ann.send(data[-3:])
    bob.expect("ann: привет 👋")


@has_from(
    4,
    "a reader who stops harms nobody",
    "slow",
    "зависший получатель не мешает, его отключают",
    applies_from=3,
)
def stopped_reader(chat: Chat) -> None:
    ann, bob = chat.join("ann"), chat.join("bob")
    stalled = chat.connect("stalled", reads=False)
    stalled.say("stalled")
    ann.expect("* stalled joined")
    bob.expect("* stalled joined")
    ann.floods(*(f"{number:0999}" for number in range(20_000)), "the end")
    patience = chat.story.deadline if chat.step < 4 else SLOWEST
    if not bob.has_received(b"the end", within=patience):
        instead = bob.ended or f"{len(bob.stream)} bytes came, and then nothing: one reader stopped"
        chat.story.fail("bob", "20 MB from ann", instead)
    assert "* stalled left" in bob.skip_to("ann: the end")


@has_from(
    4, "there is a word to leave with", "leave", "/quit: ответ * bye, остальные видят * ИМЯ left"
)
def word_to_leave(chat: Chat) -> None:
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say("/quit")
    bob.expect("* bye")
    bob.expect_end()
    ann.expect("* bob left")


@has_from(
    4,
    "the stop of the server is told",
    "stop",
    "все узнают об остановке: * server is shutting down",
)
def stop_is_told(chat: Chat) -> None:
    if os.name != "posix":
        pytest.skip("no program can press Ctrl-C for another")
    ann = chat.join("ann")
    chat.server.interrupt()
    ann.expect("* server is shutting down")
    ann.expect_end()


def table() -> list[str]:
    """Return the table of steps and properties as lines of Markdown."""
    rows = ["| property | step 1 | step 2 | step 3 | step 4 |", "|---|:-:|:-:|:-:|:-:|"]
    for prop in PROPERTIES:
        cells = [
            "✓" if step >= prop.first else "✗" if step >= prop.applies_from else "–"
            for step in STEPS
        ]
        rows.append(f"| {prop.sentence} | {' | '.join(cells)} |")
    return rows


def main() -> int:
    """Print the table."""
    print("\n".join(table()))
    return 0


if __name__ == "__main__":
    sys.exit(entry.run("properties", main))
