"""Exercise 3.3: a queue and a writer thread for each user."""

import threading

from test_3_1 import log_in

from marks import exercise
from tools.harness import prepared, wait_until

STEP = 3
FLOOD = 20_000_000  # bytes
PATIENCE = 5  # seconds, as the exercise says
GUESTS = 3
# Between the entry in the registry and the welcome, others have the time to say something.
SLOW_LOG_IN = (
    "import time; trace = lambda frame, *_: frame.f_code.co_name == 'log_in'"
    " and time.sleep(0.02) or trace; threading.settrace(trace)"
)


def wait_for_flood(peer, what):
    """Wait until all of a flood has come to this one."""
    wait_until(
        lambda: len(peer.stream) > FLOOD, what, peer.story, lambda: f"got {len(peer.stream)} bytes"
    )


@exercise("клиент, который перестал читать, никого не задерживает")
def test_one_who_stops_reading_stops_nobody(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    lazy = chat.connect("lazy", reads=False)
    lazy.say("lazy")
    for other in (ann, bob):
        other.expect("* lazy joined")
    ann.floods_bytes(b"x" * FLOOD)
    wait_for_flood(bob, "20 МБ для bob, пока lazy ничего не читает")
    assert set(bytes(bob.stream).replace(b"ann: ", b"")) == {ord("x")}, "байты перепутаны"
    bob.stream.clear()
    carl = chat.connect("carl")
    carl.expect("* enter your nickname")
    carl.say("carl")
    carl.expect("* welcome, carl")
    ann.expect("* carl joined")
    lazy.reset()
    ann.expect("* lazy left")


@exercise("кто вышел и ещё читает, получает всё, что ему успели отправить")
def test_whoever_leaves_and_reads_gets_the_rest(chat):
    ann = chat.join("ann")
    late = chat.connect("late", reads=False)
    late.say("late")
    ann.expect("* late joined")
    bob = chat.join("bob")  # after the one who is late: what bob has, was sent to both
    ann.floods_bytes(b"x" * FLOOD)  # more than the system keeps, by far
    wait_for_flood(bob, "20 МБ для bob, пока late не читает")
    late.half_close()
    late.start_reading()
    wait_until(lambda: late.ended, "конец данных для late", late.story)
    got = bytes(late.stream).count(b"x")
    if got != FLOOD:
        late.story.fail("late", f"{FLOOD} bytes x", f"got {got}")


@exercise("кто вышел и не читает, того через 5 секунд отключают")
def test_one_who_leaves_and_does_not_read_is_given_up(chat):
    ann, lazy = chat.join("ann"), chat.connect("lazy", reads=False)
    lazy.say("lazy")
    ann.expect("* lazy joined")
    ann.floods_bytes(b"x" * FLOOD)
    wait_until(lambda: ann.flooded >= ann.to_flood, "сервер принимает 20 МБ", ann.story)
    lazy.half_close()
    limit = PATIENCE + ann.story.deadline
    if not ann.has_received(b"* lazy left", within=limit):
        ann.story.fail("ann", "'* lazy left'", f"nothing came within {limit:g} s")


@exercise("первым после имени приходит приветствие, чужие слова — за ним")
def test_the_welcome_comes_before_what_others_say(start, server_command):
    chat = start(command=prepared(server_command, SLOW_LOG_IN))
    ann, bob = log_in(chat, "ann"), log_in(chat, "bob")
    lazy = chat.connect("lazy", reads=False)
    lazy.say("lazy")
    bob.skip_to("* lazy joined")
    ann.floods_bytes(b"x" * FLOOD)
    wait_for_flood(bob, "20 МБ для bob, пока lazy ничего не читает")
    over = threading.Event()

    def talk() -> None:
        while not over.wait(0.001):
            bob.connection.sendall(b"hello\n")

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        for number in range(GUESTS):
            log_in(chat, f"guest{number}")
    finally:
        over.set()
        talker.join()
