"""Step 3, many users, a thread each; what one `recv` returns is one message."""

import re
import runpy
import socket
import sys
import threading
import time

import pytest

from expectations import QUESTION, converse, expect_idle, in_threads
from marks import contract, own, posix_only
from nicknames import BAD, GOOD, SAME
from tools.harness import STEPS, jittery, prepared, program, wait_until

STEP = 3


def newcomer_asked(chat):
    newcomer = chat.connect("newcomer")
    newcomer.expect(QUESTION)
    return newcomer


# Names


@contract("names", "подходящее имя принимается: * welcome, ИМЯ; остальным — * ИМЯ joined")
def test_a_nickname_that_fits_is_welcomed(chat):
    zoe = chat.join("zoe")
    for nick in GOOD:
        newcomer = newcomer_asked(chat)
        newcomer.say(f"  {nick} \r")  # white space at the ends is taken off
        newcomer.expect(f"* welcome, {nick}")
        zoe.expect(f"* {nick} joined")
        newcomer.close()
        zoe.expect(f"* {nick} left")


@contract("names", "неподходящее имя отклоняется строкой * ..., затем вопрос повторяется")
def test_a_nickname_that_is_wrong_is_refused_with_the_reason(chat):
    for number, nick in enumerate(BAD.values()):
        newcomer = newcomer_asked(chat)
        newcomer.send(f"{nick}\n".encode())
        assert newcomer.expect_server_line() != QUESTION
        newcomer.expect(QUESTION)
        newcomer.say(f"ann{number}")
        newcomer.expect(f"* welcome, ann{number}")


@contract("names", "занятое имя отклоняется, в каком бы регистре оно ни было")
@pytest.mark.parametrize(("taken", "typed"), SAME.values(), ids=SAME)
def test_a_nickname_that_is_taken_is_refused(chat, taken, typed):
    ann = chat.join(taken)
    newcomer = newcomer_asked(chat)
    newcomer.say(typed)
    assert newcomer.expect_server_line() != QUESTION
    newcomer.expect(QUESTION)
    newcomer.say("zoe")
    newcomer.expect("* welcome, zoe")
    ann.expect("* zoe joined")


@contract("names", "имя берётся как есть: похожие на вид имена — разные")
def test_names_that_look_alike_stay_apart(chat):
    ann = chat.join("a")
    for nick in ("а", "ａ", "a\u3164"):  # Cyrillic, full width, with a letter that nobody can see
        newcomer = newcomer_asked(chat)
        newcomer.say(nick)
        newcomer.expect(f"* welcome, {nick}")
        ann.expect(f"* {nick} joined")


@own
def test_a_nickname_that_is_no_utf8_is_refused(chat):
    newcomer = newcomer_asked(chat)
    newcomer.send(b"ann\xff\n")
    newcomer.expect_server_line()
    newcomer.expect(QUESTION)
    newcomer.say("ann")
    newcomer.expect("* welcome, ann")


@own
def test_the_reasons_tell_a_wrong_name_from_a_taken_one(chat):
    chat.join("ann")
    newcomer = newcomer_asked(chat)
    newcomer.say("ann")
    assert "taken" in newcomer.expect_server_line()
    newcomer.expect(QUESTION)
    newcomer.say("a:b")
    assert "taken" not in newcomer.expect_server_line()


@contract("names", "имя свободно снова, когда его владелец ушёл")
def test_a_nickname_is_free_again_when_its_owner_has_left(chat):
    bob = chat.join("bob")
    for _ in range(5):
        ann = newcomer_asked(chat)
        while True:  # until the last of the others has read that the owner has left
            ann.say("ann")
            if ann.expect_server_line() == "* welcome, ann":
                break
            ann.expect(QUESTION)
        bob.expect("* ann joined")
        ann.close()
        bob.expect("* ann left")


@contract("names", "тот, кому отказано в занятом имени, уходя, не убирает его владельца")
def test_who_was_refused_a_taken_nickname_does_not_take_its_owner_along(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    newcomer = newcomer_asked(chat)
    newcomer.say("ann")
    newcomer.expect_server_line()
    newcomer.expect(QUESTION)
    newcomer.close()
    carl = chat.join("carl")  # ann and bob read nothing before this
    carl.say("hello")
    for person in (ann, bob):
        person.expect("carl: hello")
    ann.say("still here")
    bob.expect("ann: still here")
    other = newcomer_asked(chat)
    other.say("ann")
    assert "welcome" not in other.expect_server_line()


def return_at_once(chat, watcher, rounds: int) -> None:
    """Let bob leave, and another one ask for the name in the same moment; what is read?"""
    bob = chat.join("bob")
    for _ in range(rounds):
        following = newcomer_asked(chat)
        bob.close()
        chat.people.remove(bob)
        following.say("bob")
        while (line := following.get("a welcome or a question")) != "* welcome, bob":
            if line == QUESTION:
                following.say("bob")
        bob = following
    for _ in range(rounds):
        watcher.expect("* bob left", "* bob joined")


@own
def test_the_name_is_in_the_registry_until_all_have_read_that_its_owner_left():
    """In this process, for only so is it certain to be seen."""
    server = runpy.run_path(str(STEPS[3] / "server.py"))
    room = server["Room"]()
    connection, end = socket.socketpair()
    broadcast, seen = room.broadcast, []

    def watch(author, data: bytes) -> None:
        seen.append((data, "bob" in room.users))
        broadcast(author, data)

    room.broadcast = watch
    with end:
        end.sendall(b"bob\n")
        end.shutdown(socket.SHUT_WR)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket.socket, "setsockopt", lambda *_: None)  # this is not TCP
            server["handle"](connection, room)
    assert seen == [(b"* bob joined\n", True), (b"* bob left\n", True)]
    assert not room.users


@contract("news", "сначала все читают * ИМЯ left, и лишь потом имя свободно: не наоборот")
def test_nobody_reads_joined_before_left(chat):
    return_at_once(chat, chat.join("ann"), rounds=60)


# Talk


@contract("talk", "сообщение получают все остальные, а его автор — нет")
def test_a_message_goes_to_all_others_and_not_back_to_its_author(chat):
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    ann.say("hello")
    for other in (bob, carl):
        other.expect("ann: hello")
    bob.say("hi")
    ann.expect("bob: hi")  # and nothing of her own before it
    carl.expect("bob: hi")


@contract("talk", "байты сообщения приходят без изменений после «ИМЯ: »")
def test_a_message_keeps_its_bytes(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("hello")
    bob.expect("ann: hello")
    ann.send(b"\x00\xff, no newline")
    assert bob.get_bytes(19) == b"ann: \x00\xff, no newline"


@contract("talk", "медленному получателю приходит всё (sendall, а не send)")
def test_a_user_who_reads_late_gets_everything(chat):
    ann = chat.join("ann")
    slow = chat.connect("slow", reads=False)
    slow.say("slow")
    ann.expect("* slow joined")
    ann.floods_bytes(b"a" * 12_000_000)
    ann.is_held_up(0.2)
    slow.start_reading()
    wait_until(lambda: slow.stream.count(b"a") >= 12_000_000, "12 MB for the slow one", chat.story)


@contract("news", "первое, что читает вошедший, — * welcome, ИМЯ, даже если остальные пишут")
def test_the_welcome_comes_before_what_others_say(start, foreign):
    slowly = (  # each line of `join`: the others have time to come first
        "import time; trace = lambda frame, *_:"
        " frame.f_code.co_name == 'join' and time.sleep(0.005) or trace; threading.settrace(trace)"
    )
    chat = start() if foreign else start(command=prepared(program(3, "server"), slowly))
    ann, bob = chat.join("ann"), chat.join("bob")
    over = threading.Event()

    def talk() -> None:
        while not over.is_set():  # a line at a time: the server is never behind
            ann.say("hello")
            bob.skip_to("ann: hello")

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        for number in range(20):
            guest = chat.connect(f"guest{number}")
            guest.expect(QUESTION)
            guest.say(guest.name)
            guest.expect(f"* welcome, {guest.name}")
            guest.close()
            chat.people.remove(guest)
    finally:
        over.set()
        talker.join()


@own
def test_what_is_said_while_somebody_joins_waits_for_the_welcome():
    """In this process: another thread speaks just when the newcomer has been entered."""
    server = runpy.run_path(str(STEPS[3] / "server.py"))
    room = server["Room"]()
    connection, end = socket.socketpair()
    with connection, end:
        user, add, speakers = server["User"](connection), room.join, []

        def join_and_speak(*args) -> bool:
            entered = add(*args)
            speakers.append(threading.Thread(target=room.broadcast, args=(None, b"ann: hello\n")))
            speakers[-1].start()
            speakers[-1].join(0.3)  # it waits for the newcomer's welcome
            return entered

        room.join = join_and_speak
        end.sendall(b"bob\n")
        assert server["log_in"](user, room)
        speakers[0].join()
        expected = b"* enter your nickname\n* welcome, bob\nann: hello\n"
        assert end.recv(1000) == expected


@contract("news", "каким бы ни был уход, остальные читают * ИМЯ left ровно один раз")
@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_whoever_leaves_in_whatever_way_is_said_to_have_left_once(chat, how):
    ann, bob = chat.join("ann"), chat.join("bob")
    getattr(bob, how)()
    bob.joined = False
    ann.expect("* bob left")
    chat.join("carl")  # were it said twice, ann would read it before this


@contract("leave", "того, кто закрыл передачу (FIN), отключают")
def test_a_half_close_ends_the_connection(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.half_close()
    bob.expect_end()
    ann.expect("* bob left")


@contract("news", "ушедший до * welcome не упоминается")
@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_whoever_leaves_before_the_welcome_is_not_mentioned(chat, how):
    ann = chat.join("ann")
    nobody = newcomer_asked(chat)
    getattr(nobody, how)()
    chat.join("bob")
    assert not ann.stream


@contract("leave", "конец данных (FIN) вместо имени завершает соединение; сервер не загружен")
def test_a_newcomer_who_half_closes_is_let_go(chat):
    newcomer = newcomer_asked(chat)
    newcomer.half_close()
    newcomer.expect_end()
    converse(chat)
    expect_idle(chat)


# Many, and the limits


def stall(chat, *talkers):
    """Let somebody join who does not read, and flood until the server takes no more."""
    stalled = chat.connect("stalled", reads=False)
    stalled.say("stalled")
    for talker in talkers:
        talker.expect("* stalled joined")
    for talker in talkers:
        talker.floods_bytes(talker.name[0].encode() * 20_000_000)
    for talker in talkers:
        assert talker.is_held_up(1)
    return stalled


@own
def test_no_lock_is_held_while_sending_so_newcomers_are_welcome_while_a_talker_is_stuck(chat):
    stall(chat, chat.join("ann"))
    newcomer = newcomer_asked(chat)
    newcomer.say("bob")
    newcomer.expect("* welcome, bob")


@own
def test_what_two_users_say_at_once_does_not_mingle(chat):
    stalled = stall(chat, chat.join("ann"), chat.join("bob"))
    stalled.start_reading()
    size = 2 * 20_000_000
    chat.story.deadline *= 3
    wait_until(lambda: len(stalled.stream) > size, "40 MB for the slow reader", chat.story)
    said = bytes(stalled.stream).partition(b"\nann: ")[2]
    assert re.fullmatch(rb"a+((ann: a+)|(bob: b+))*", said)


@own
@pytest.mark.parametrize("how", ["reset", "half_close"])
def test_a_stalled_user_who_goes_sets_the_talkers_free(chat, how):
    ann, bob = chat.join("ann"), chat.join("bob")
    stalled = stall(chat, ann)
    bob.expect("* stalled joined")
    getattr(stalled, how)()
    # Which of the two news bob reads first, and whether ann's bytes are over, is open.
    assert bob.has_received(b"* stalled left", within=chat.story.deadline)


@contract("faults", "участники, которые входят и уходят, не мешают тем, кто разговаривает")
def test_people_who_come_and_go_do_not_disturb_those_who_talk(start, foreign):
    chat = start() if foreign else start(command=jittery(program(3, "server")))
    ann, bob = chat.join("ann"), chat.join("bob")

    def come_and_go(number: int) -> None:
        for turn in range(12):  # each with a nickname of its own: the last may still be taken
            guest = chat.connect(f"guest{number}.{turn}")
            guest.say(guest.name)
            guest.has_received(b"welcome", within=chat.story.deadline)
            guest.close()

    guests = threading.Thread(target=in_threads, args=(6, come_and_go))
    guests.start()
    for number in range(150):
        ann.say(str(number))
        bob.skip_to(f"ann: {number}")  # one after the other: without frames, two would be glued
    guests.join()
    assert "Traceback" not in chat.server.stderr()


@own
def test_the_lock_keeps_the_registry_whole_while_many_threads_use_it():
    """In this process, for only so are the accesses close enough together."""
    server = runpy.run_path(str(STEPS[3] / "server.py"))
    room = server["Room"]()
    for number in range(5000):
        room.join(server["User"](None), f"user{number}")
    over = threading.Event()
    heard = []

    class Listener(server["User"]):
        def send(self, data: bytes) -> None:
            heard.append(data) if data == b"hello" else None

    for number in range(100):
        room.join(Listener(None), f"listener{number}")

    def come_and_go(number: int) -> None:
        guest = server["User"](None)
        guest.send = lambda data: None
        while not over.is_set():
            if room.join(guest, f"guest{number}"):
                room.leave(guest)

    for user in room.users.values():
        if not isinstance(user, Listener):
            user.send = lambda data: None
    guests = threading.Thread(target=in_threads, args=(3, come_and_go))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        guests.start()
        for _ in range(200):
            room.broadcast(None, b"hello")
    finally:
        over.set()
        sys.setswitchinterval(interval)
        guests.join()
    assert len(heard) == 100 * 200


@contract("names", "из нескольких одновременных запросов одного имени выполняется один")
def test_of_those_who_ask_for_one_nickname_in_the_same_moment_one_gets_it(start, foreign):
    chat = start() if foreign else start(command=jittery(program(3, "server")))
    for number in range(6):
        people = [chat.connect(f"person{number}.{i}") for i in range(6)]
        for person in people:
            person.expect(QUESTION)
        barrier = threading.Barrier(len(people))

        def ask(index: int, people=people, barrier=barrier, nick=f"nick{number}") -> None:
            barrier.wait()
            people[index].say(nick)

        in_threads(len(people), ask)
        answers = [person.expect_server_line() for person in people]
        assert answers.count(f"* welcome, nick{number}") == 1, answers
        for person in people:
            person.close()
            chat.people.remove(person)


@own
@posix_only
def test_out_of_file_descriptors_those_inside_go_on_and_newcomers_come_in_later(start):
    import resource

    limit = (40, 40)
    chat = start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))
    ann, bob = chat.join("ann"), chat.join("bob")
    crowd = [chat.connect(f"silent{number}", reads=False) for number in range(60)]
    time.sleep(0.3)  # it has accepted all that it can
    expect_idle(chat)
    ann.say("hello")
    bob.expect("ann: hello")
    for silent in crowd:
        silent.close()
    chat.people = [ann, bob]
    chat.join("carl")


@own
def test_without_a_thread_one_connection_is_refused_and_nothing_else(start):
    from tools.harness import prepared

    prelude = (
        "from itertools import chain, repeat;"
        "fails = chain([False] * 2, [True] * 2, repeat(False));"
        "start = threading.Thread.start; threading.Thread.start = lambda thread:"
        " (_ for _ in ()).throw(RuntimeError('can\\'t start new thread')) if next(fails)"
        " else start(thread)"
    )
    chat = start(command=prepared(program(3, "server"), prelude))
    ann, bob = chat.join("ann"), chat.join("bob")
    for _ in range(2):
        chat.connect("refused").skip_to_end()
    ann.say("hello")
    bob.expect("ann: hello")
    chat.join("carl")


# The client


@contract("client", "из канала ничего не теряется, пришедшее выводится, код возврата 0")
def test_the_client_sends_what_comes_through_a_pipe_and_prints_what_arrives(chat, run_client):
    bob = chat.join("bob")
    client = run_client(chat)
    client.prints(QUESTION)
    client.types("ann\n")
    client.prints("* welcome, ann\n")
    bob.expect("* ann joined")
    client.types("hello")
    client.ends_input()
    bob.expect("ann: hello", "* ann left")
    assert client.exits() == 0
    assert client.prints("") == f"{QUESTION}\n* welcome, ann\n"


@own
def test_the_client_is_that_of_step_2():
    two, three = ((STEPS[step] / "client.py").read_bytes() for step in (2, 3))
    assert two == three
