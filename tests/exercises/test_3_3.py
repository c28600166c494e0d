"""Exercise 3.3: a queue and a writer thread for each user."""

from marks import exercise
from tools.harness import wait_until

STEP = 3
FLOOD = 20_000_000  # bytes
PATIENCE = 5  # seconds, as the exercise says


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


@exercise("кто вышел и ещё читает, получает всё, что ему успели отправить")
def test_whoever_leaves_and_reads_gets_the_rest(chat):
    ann = chat.join("ann")
    late = chat.connect("late", reads=False)
    late.say("late")
    ann.expect("* late joined")
    bob = chat.join("bob")  # after the one who is late: what bob has, was sent to both
    ann.floods_bytes(b"x" * FLOOD)  # more than the system keeps, by far
    wait_until(lambda: len(bob.stream) > FLOOD, "20 МБ для bob, пока late не читает", bob.story)
    late.half_close()
    late.start_reading()
    wait_until(lambda: late.ended, "конец данных для late", late.story)
    assert bytes(late.stream).count(b"x") == FLOOD, "late получил не всё"


@exercise("кто вышел и не читает, того через 5 секунд отключают")
def test_one_who_leaves_and_does_not_read_is_given_up(chat):
    ann, lazy = chat.join("ann"), chat.connect("lazy", reads=False)
    lazy.say("lazy")
    ann.expect("* lazy joined")
    ann.floods_bytes(b"x" * FLOOD)
    wait_until(lambda: ann.flooded >= ann.to_flood, "сервер принимает 20 МБ", ann.story)
    lazy.half_close()
    assert ann.has_received(b"* lazy left", within=PATIENCE + ann.story.deadline), "lazy ещё в чате"
