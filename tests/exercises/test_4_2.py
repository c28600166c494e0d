"""Exercise 4.2: /msg."""

from marks import exercise

STEP = 4


@exercise("личное сообщение видит только получатель, и порядок сохраняется")
def test_nobody_else_reads_a_private_message_and_it_comes_in_order(chat):
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    ann.say("one", "/MSG BOB two  words", "three")  # in one piece: the order has to be kept
    bob.expect("ann: one", "ann (private): two  words", "ann: three")
    carl.expect("ann: one", "ann: three")
    bob.say("hi")
    ann.expect("bob: hi")  # and nothing of her own before it


@exercise("личное сообщение не управляет терминалом")
def test_a_private_message_cannot_control_the_terminal(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("/msg bob \x1b[2Jone\ntwo")
    bob.expect("ann (private): \ufffd[2Jone\ufffdtwo")


@exercise("если получателя нет, об этом сообщают автору")
def test_whoever_is_not_there_cannot_be_written_to(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("/msg zoe hello", "/msg", "hello")
    ann.expect("* no such user: zoe", "* no such user: ")
    bob.expect("ann: hello")


@exercise("слишком длинное личное сообщение не отправляется, автор остаётся в чате")
def test_a_message_that_is_too_long_with_the_name_before_it_is_not_sent(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("/msg bob " + "x" * (65_536 - len("/msg bob ")), "hello")
    assert ann.expect_server_line().startswith("* not sent: ")
    bob.expect("ann: hello")


@exercise("кто не читает личных сообщений, того отключают")
def test_one_who_does_not_read_private_messages_is_disconnected_and_stops_nobody(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    lazy = chat.connect("lazy", reads=False)
    lazy.say("lazy")
    for other in (ann, bob):
        other.expect("* lazy joined")
    ann.floods(*["/msg lazy " + "x" * 60_000] * 200)
    bob.expect("* lazy left")


@exercise("/help называет команду /msg")
def test_help_names_the_command(chat):
    ann = chat.join("ann")
    ann.say("/help")
    assert "/msg" in ann.get("* commands: ...")
