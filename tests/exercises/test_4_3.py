"""Exercise 4.3: the last 20 messages for those who join."""

from marks import exercise
from tools.harness import prepared

STEP = 4
LAST = 20
FLOOD = 100_000  # messages
GUESTS = 20
# The room takes an event after a while: then more events wait, and it takes them together.
SLOWLY = (
    "import queue, time; get = queue.Queue.get;"
    "queue.Queue.get = lambda it, *args, **options:"
    " time.sleep(0.02) or get(it, *args, **options)"
)


def join(chat, name):
    """Let somebody join; return the connection when who is online has been read."""
    peer = chat.connect(name)
    peer.expect("* enter your nickname")
    peer.say(name)
    peer.expect(f"* welcome, {name}")
    assert peer.expect_server_line().startswith("* online: ")
    return peer


def said_by_ann(numbers):
    return [f"ann: {number}" for number in numbers]


@exercise("новый участник получает последние 20 сообщений")
def test_who_joins_reads_the_last_20_messages_and_nothing_of_the_servers(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("/who", *map(str, range(25)), "/help")
    bob.expect(*said_by_ann(range(25)))
    bob.leave()
    ann.skip_to("* bob left")
    carl = join(chat, "carl")
    carl.expect(f"* last messages: {LAST}", *said_by_ann(range(5, 25)))
    ann.say("hello")
    carl.expect("ann: hello")


@exercise("если сообщений меньше 20, приходят все; если их нет, ничего")
def test_fewer_messages_are_all_shown_and_none_are_not_mentioned(chat):
    ann = join(chat, "ann")
    bob = join(chat, "bob")
    ann.expect("* bob joined")
    ann.say("one", "two")
    bob.expect("ann: one", "ann: two")  # had a list come before, bob would read it here
    carl = join(chat, "carl")
    carl.expect("* last messages: 2", "ann: one", "ann: two")


@exercise("новый участник ничего не пропускает и ничего не получает дважды")
def test_who_joins_in_the_middle_of_a_talk_misses_nothing_and_reads_nothing_twice(chat):
    for talker in [chat.join(name) for name in ("ann", "bob", "carl")]:
        talker.floods(*map(str, range(FLOOD)))
    for number in range(GUESTS):
        guest = join(chat, f"guest{number}")
        guest.expect(f"* last messages: {LAST}")
        guest.say("/who")  # the answer comes after all that was said before
        following: dict[str, str] = {}  # what each talker has to say next
        while not (line := guest.get("a message")).startswith("* online: "):
            talker, said = line.split(": ") if ": " in line else ("", "")
            if talker in following and line != following[talker]:
                guest.story.fail(guest.name, following[talker], f"got {line}")
            if talker:
                following[talker] = f"{talker}: {int(said) + 1}"
        guest.close()


@exercise("сказанное в тот самый миг, когда кто-то входит, он читает один раз")
def test_what_is_said_while_somebody_joins_is_read_once(start, server_command):
    chat = start(command=prepared(server_command, SLOWLY))
    ann = chat.join("ann")
    for number in range(GUESTS):
        guest = chat.connect(f"guest{number}")
        guest.expect("* enter your nickname")
        ann.say(f"just before {number}")
        guest.say(guest.name)
        guest.skip_to(f"* welcome, {guest.name}")
        ann.say(f"after {number}")
        read = guest.skip_to(f"ann: after {number}")
        if (times := read.count(f"ann: just before {number}")) != 1:
            expected = f"'just before {number}' один раз"
            guest.story.fail(guest.name, expected, f"пришло столько раз: {times}")
        guest.close()
