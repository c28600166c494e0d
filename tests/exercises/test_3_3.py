"""Exercise 3.3: a queue and a writer thread for each user."""

from marks import exercise
from tools.harness import wait_until

STEP = 3
FLOOD = 20_000_000  # bytes


@exercise("клиент, который перестал читать, никого не задерживает")
def test_one_who_stops_reading_stops_nobody(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    lazy = chat.connect("lazy", reads=False)
    lazy.say("lazy")
    for other in (ann, bob):
        other.expect("* lazy joined")
    ann.floods_bytes(b"x" * FLOOD)
    wait_until(
        lambda: len(bob.stream) > FLOOD, "20 МБ для bob, пока lazy ничего не читает", bob.story
    )
    assert set(bytes(bob.stream).replace(b"ann: ", b"")) == {ord("x")}, "байты перепутаны"
    bob.stream.clear()
    carl = chat.connect("carl")
    carl.expect("* enter your nickname")
    carl.say("carl")
    carl.expect("* welcome, carl")
    ann.expect("* carl joined")
    lazy.reset()
    ann.expect("* lazy left")
