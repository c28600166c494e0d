"""Exercise 2.2: a name for each of the two."""

from marks import exercise

STEP = 2
PAUSE = 0.5  # seconds in which an empty message would have come
QUESTION = "* enter your name"


def two(chat, *said_before):
    """Return two people who are connected; the first one has said something before that."""
    ann = chat.connect("ann")
    ann.expect(QUESTION, "* waiting for the second user")
    for text in said_before:
        ann.say(text)
    bob = chat.connect("bob")
    bob.expect(QUESTION, "* the second user is here")
    ann.expect("* the second user is here")
    return ann, bob


@exercise("каждый видит, кто написал сообщение")
def test_each_reads_who_has_said_it(chat):
    ann, bob = two(chat, "ann", "is anybody here?")
    bob.expect("ann: is anybody here?")  # although he has given no name yet
    bob.say("bob")
    assert not ann.has_received(b"bob: ", within=PAUSE), "после имени ann получила пустое сообщение"
    bob.say("hello")
    ann.expect("bob: hello")
    ann.say("how are you?")
    bob.expect("ann: how are you?")
    ann.leave()
    bob.expect("* the other user has left")


@exercise("пришедшее вместе с именем — сообщение")
def test_what_comes_in_one_piece_with_the_name_is_a_message(chat):
    ann, bob = two(chat)
    ann.send("  Аня\r\nпривет\n".encode())
    bob.expect("Аня: привет")
