"""Exercise 3.2: a private message."""

from marks import exercise

STEP = 3
PAUSE = 0.5  # seconds in which the server has read a message


@exercise("личное сообщение видит только получатель")
def test_nobody_else_reads_a_private_message(chat):
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    ann.say("/msg bob hello, my friend")
    bob.expect("ann (private): hello, my friend")
    ann.say("hello, all")
    for other in (bob, carl):
        other.expect("ann: hello, all")  # and nothing private before it
    bob.say("hi")
    ann.expect("bob: hi")  # and nothing of her own before it


@exercise("регистр имени получателя не важен")
def test_the_case_of_the_nickname_does_not_matter(chat):
    ann, bob = chat.join("Аня"), chat.join("bob")
    bob.say("/msg АНЯ привет")
    ann.expect("bob (private): привет")


@exercise("если получателя нет, об этом сообщают автору")
def test_whoever_is_not_there_cannot_be_written_to(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("/msg zoe hello")
    ann.expect("* no such user: zoe")
    ann.say("hello")
    bob.expect("ann: hello")


@exercise("пустая строка и /msg без текста не обрывают соединение автора")
def test_an_empty_line_and_a_command_without_text_end_nothing(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("")
    bob.expect("ann: ")
    ann.say("/msg bob")
    bob.has_received(b"\n", within=PAUSE)  # or nothing; what ann says next is a piece of its own
    ann.say("/msg zoe hello")
    ann.skip_to("* no such user: zoe")
