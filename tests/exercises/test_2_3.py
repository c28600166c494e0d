"""Exercise 2.3: a first user who leaves before the second one comes."""

import pytest

from expectations import expect_idle
from marks import exercise

STEP = 2
WAITING = "* waiting for the second user"
HERE = "* the second user is here"


def first(chat, name):
    """Connect somebody who waits for the second user."""
    person = chat.connect(name)
    person.expect(WAITING)
    return person


@pytest.fixture
def ann(chat):
    """The next first user, after one who has come and gone."""
    first(chat, "hasty").close()
    return first(chat, "ann")


@exercise("первый, который ушёл до прихода второго, не попадает в пару")
@pytest.mark.parametrize("said", [(), ("is anybody here?",)], ids=["silent", "talks"])
@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_a_first_user_who_has_left_is_not_paired(chat, how, said):
    ann = first(chat, "ann")
    for text in said:
        ann.say(text)
    getattr(ann, how)()
    if how == "half_close":
        ann.expect_end()  # at once: nobody else has come
    bob = chat.connect("bob")
    bob.expect(WAITING)
    carl = chat.connect("carl")
    carl.expect(HERE)
    bob.expect(HERE)
    bob.say("hello")
    carl.expect("hello")
    carl.say("hi")
    bob.expect("hi")


@exercise("слова первого, сказанные до прихода второго, доходят, и сервер ждёт без нагрузки")
def test_what_the_first_user_says_while_waiting_is_kept(chat, ann):
    for text in ("is", "anybody", "here?"):
        ann.say(text)
    expect_idle(chat)
    bob = chat.connect("bob")
    bob.expect(HERE, "is", "anybody", "here?")
    ann.expect(HERE)
    bob.say("I am")
    ann.expect("I am")


@exercise("первый, который отправляет без остановки, не занимает память сервера")
def test_a_first_user_who_floods_is_not_read_without_end(chat, ann):
    ann.floods_bytes(b"x" * 50_000_000)
    assert ann.is_held_up(), "сервер принял 50 МБ, хотя передать их некому"
    bob = chat.connect("bob")
    bob.expect(HERE)
    assert bob.get_bytes(50_000_000) == b"x" * 50_000_000
