"""Exercise 3.1: /who."""

import threading

from expectations import QUESTION, in_threads
from marks import exercise
from tools.harness import prepared

STEP = 3
# Each line of the server takes a while: what two threads do there, they do at the same time.
SLOWLY = "import time; trace = lambda *_: time.sleep(0.0005) or trace; threading.settrace(trace)"
GUESTS, RUSH = 5, 3  # those who stay, and those who come and go all the time
QUESTIONS, NEWS = 20, 100
FLOOD = 20_000_000  # bytes


def log_in(chat, name):
    peer = chat.connect(name)
    peer.expect(QUESTION)
    peer.say(name)
    peer.expect(f"* welcome, {name}")
    return peer


@exercise("ответ на /who видит только тот, кто спросил")
def test_the_asker_alone_reads_who_is_online(chat):
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    bob.say("/who")
    bob.expect("* online: ann, bob, carl")
    bob.say("hello")
    for other in (ann, carl):
        other.expect("bob: hello")  # and no question before it


@exercise("имена в ответе на /who — такие, какими их назвали")
def test_nicknames_are_as_their_owners_have_written_them(chat):
    ann = chat.join("Ann")
    chat.join("БОБ")
    ann.say("/who")
    ann.expect("* online: Ann, БОБ")


@exercise("на /who отвечают и тогда, когда в ту же минуту приходят и уходят другие")
def test_a_question_is_answered_while_others_come_and_go(start, server_command):
    chat = start(command=prepared(server_command, SLOWLY))
    for number in range(GUESTS):
        log_in(chat, f"guest{number}")
    ann = log_in(chat, "ann")
    over = threading.Event()

    def come_and_go(number: int) -> None:
        while not over.is_set():
            guest = chat.connect(f"rush{number}")
            guest.say(guest.name)  # it may still be taken
            guest.skip_to(QUESTION)
            guest.get("a welcome, or why not")
            guest.close()

    rush = threading.Thread(target=in_threads, args=(RUSH, come_and_go))
    rush.start()
    try:
        for _ in range(QUESTIONS):
            ann.say("/who")
            news = (ann.get("* online: ...") for _ in range(NEWS))  # who has come, who has left
            if not any(line.startswith("* online: ") for line in news):
                chat.story.fail("ann", "* online: ...", f"got {NEWS} other lines")
    finally:
        over.set()
        rush.join()


@exercise("кто спросил и не читает ответа, не мешает войти другим")
def test_one_who_does_not_read_the_answer_keeps_nobody_out(chat):
    ann = chat.join("ann")
    ann.say("/who")
    ann.expect("* online: ann")
    lazy = chat.connect("lazy", reads=False)
    lazy.say("lazy")
    ann.expect("* lazy joined")
    ann.floods_bytes(b"x" * FLOOD)
    assert ann.is_held_up(), "there is room for 20 MB"  # so is every answer for lazy
    for number in range(20):  # the buffers may still have room for an answer or two
        lazy.say("/who")
        log_in(chat, f"newcomer{number}")


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
