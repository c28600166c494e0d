"""Exercise 3.1: /who."""

from marks import exercise

STEP = 3


@exercise("ответ на /who видит только тот, кто спросил")
def test_the_asker_alone_reads_who_is_online(chat):
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    bob.say("/who")
    bob.expect("* online: ann, bob, carl")
    bob.say("hello")
    for other in (ann, carl):
        other.expect("bob: hello")  # and no question before it


@exercise("ушедшего в ответе на /who нет")
def test_whoever_has_left_is_no_longer_online(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.leave()
    ann.expect("* bob left")
    for _ in range(100):  # the name is taken off the list just after this line has gone out
        ann.say("/who")
        if ann.get("* online: ann") == "* online: ann":
            return
    raise AssertionError("bob ушёл, а /who его ещё называет")


@exercise("/whoever — обычное сообщение, не команда")
def test_a_message_that_only_begins_like_the_command_is_a_message(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("/who")
    ann.expect("* online: ann, bob")
    ann.say("/whoever")
    bob.expect("ann: /whoever")
