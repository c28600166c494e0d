"""Exercise 2.2: a name for each of the two."""

from marks import exercise

STEP = 2
QUESTION = "* enter your name"


def two(chat):
    """Return two people who are connected, but have not given their names yet."""
    ann = chat.connect("ann")
    ann.expect(QUESTION, "* waiting for the second user")
    bob = chat.connect("bob")
    bob.expect(QUESTION, "* the second user is here")
    ann.expect("* the second user is here")
    return ann, bob


@exercise("каждый видит, кто написал сообщение")
def test_each_reads_who_has_said_it(chat):
    ann, bob = two(chat)
    bob.say("bob")
    bob.say("hello")
    ann.expect("bob: hello")  # although she has given no name yet
    ann.say("ann")
    ann.say("hi")
    bob.expect("ann: hi")
    ann.say("how are you?")
    bob.expect("ann: how are you?")
    ann.leave()
    bob.expect("* the other user has left")


@exercise("пришедшее вместе с именем — сообщение")
def test_what_comes_in_one_piece_with_the_name_is_a_message(chat):
    ann, bob = two(chat)
    ann.send("  Аня\r\nпривет\n".encode())
    bob.expect("Аня: привет")
