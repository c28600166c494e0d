"""Step 4, framing and exit: whole messages, commands, and an end that is told."""

import contextlib
import itertools
import re
import shlex
import signal
import struct
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations import QUESTION, STOP_TIME, expect_idle, free_port, in_threads
from marks import contract, own, posix_only
from nicknames import BAD, GOOD, SAME
from tools.harness import STEPS, Frames, Peer, prepared, program, wait_until

STEP = 4
LIMIT = 65_536


def newcomer_asked(chat):
    newcomer = chat.connect("newcomer")
    newcomer.expect(QUESTION)
    return newcomer


# Joining


@contract("names", "подходящее имя: * welcome, ИМЯ и * online: ...; остальным — * ИМЯ joined")
def test_a_nickname_that_fits_is_welcomed_and_told_who_is_online(chat):
    zoe = chat.join("zoe")
    for nick in GOOD:
        newcomer = newcomer_asked(chat)
        newcomer.say(f"  {nick}\t")  # white space at the ends is taken off
        newcomer.expect(f"* welcome, {nick}", f"* online: zoe, {nick}")
        zoe.expect(f"* {nick} joined")
        newcomer.close()
        zoe.expect(f"* {nick} left")


@contract("names", "неподходящее имя отклоняется строкой * ..., затем вопрос повторяется")
def test_a_nickname_that_is_wrong_is_refused_with_the_reason(chat):
    for number, nick in enumerate(BAD.values()):
        newcomer = newcomer_asked(chat)
        newcomer.say(nick)
        assert newcomer.expect_server_line() != QUESTION
        newcomer.expect(QUESTION)
        newcomer.say(f"ann{number}")
        newcomer.expect(f"* welcome, ann{number}")


@contract("names", "очень длинное имя отклоняется, как и любое неподходящее")
def test_a_very_long_nickname_is_refused(chat):
    newcomer = newcomer_asked(chat)
    for name in ("ﷺ" * 20_000, "x" * LIMIT):
        newcomer.say(name)
        newcomer.expect_server_line()
        newcomer.expect(QUESTION)
    newcomer.say("ann")
    newcomer.expect("* welcome, ann")


@contract("names", "занятое имя отклоняется, в каком бы регистре оно ни было")
@pytest.mark.parametrize(("taken", "typed"), SAME.values(), ids=SAME)
def test_a_nickname_that_is_taken_is_refused(chat, taken, typed):
    chat.join(taken)
    newcomer = newcomer_asked(chat)
    newcomer.say(typed)
    assert newcomer.expect_server_line() != QUESTION
    newcomer.expect(QUESTION)
    newcomer.say("zoe")
    newcomer.expect("* welcome, zoe", f"* online: {taken}, zoe")


@contract("names", "похожие буквы разных алфавитов — разные имена")
def test_letters_that_look_alike_stay_apart(chat):
    chat.join("a")
    newcomer = newcomer_asked(chat)
    newcomer.say("а")  # Cyrillic
    newcomer.expect("* welcome, а")


@own
def test_the_reasons_tell_a_wrong_name_from_a_taken_one(chat):
    chat.join("ann")
    newcomer = newcomer_asked(chat)
    newcomer.say("ann")
    assert "taken" in newcomer.expect_server_line()
    newcomer.expect(QUESTION)
    newcomer.say("a:b")
    assert "taken" not in newcomer.expect_server_line()


@contract("names", "имя свободно снова, когда его владелец ушёл, и не раньше * ИМЯ left")
def test_a_nickname_is_free_again_when_its_owner_has_left(chat):
    ann = chat.join("ann")
    for _ in range(30):
        bob = chat.connect("bob")
        while (line := bob.get("a question or a welcome")) != "* welcome, bob":
            if line == QUESTION:
                bob.say("bob")
        bob.close()
        chat.people.remove(bob)
    for _ in range(30):
        ann.expect("* bob joined", "* bob left")


@contract("names", "тот, кому отказано в занятом имени, уходя, не убирает его владельца")
def test_who_was_refused_a_taken_nickname_does_not_take_its_owner_along(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    newcomer = newcomer_asked(chat)
    newcomer.say("ann")
    newcomer.expect_server_line()
    newcomer.expect(QUESTION)
    newcomer.close()
    chat.join("carl")
    ann.say("still here")
    bob.expect("ann: still here")


@contract("names", "попытки назвать имя не считаются")
def test_a_newcomer_may_try_as_many_nicknames_as_the_time_allows(chat):
    newcomer = newcomer_asked(chat)
    for number in range(20):
        newcomer.say(f"wrong {number}")
        newcomer.expect_server_line()
        newcomer.expect(QUESTION)
    newcomer.say("ann")
    newcomer.expect("* welcome, ann")


@contract("limits", "нет имени за --login-timeout секунд: причина, и соединение закрывается")
@pytest.mark.parametrize("bytes_first", [b"", b"\0\0\0\5a"], ids=["nothing", "part of a frame"])
def test_no_nickname_within_the_login_timeout_ends_the_connection_with_the_reason(
    start, bytes_first
):
    chat = start("--login-timeout", "0.5")
    newcomer = newcomer_asked(chat)
    newcomer.send(bytes_first)
    newcomer.expect_server_line()
    newcomer.expect_end()


@contract("limits", "время на имя одно на все попытки")
def test_the_login_timeout_does_not_start_anew_with_each_attempt(start):
    chat = start("--login-timeout", "1.5")
    started = time.monotonic()
    newcomer = newcomer_asked(chat)
    time.sleep(1)  # most of the time that there is
    newcomer.say("a b")
    newcomer.expect_server_line()
    newcomer.expect(QUESTION)
    newcomer.expect_server_line()
    newcomer.expect_end()
    assert time.monotonic() - started < 2.3


@own
def test_a_nickname_that_comes_just_as_the_time_is_over_is_taken_wholly_or_not_at_all(start):
    chat = start("--login-timeout", "0.5")
    ann = chat.join("ann")
    guests = [newcomer_asked(chat) for _ in range(24)]

    def answer(number: int) -> None:
        threading.Event().wait(0.38 + number / 100)  # some before the time is over, some after
        with contextlib.suppress(OSError):
            guests[number].say(f"guest{number}", "/quit")

    in_threads(len(guests), answer)
    read = {f"guest{number}": guest.skip_to_end() for number, guest in enumerate(guests)}
    welcomed = [name for name, lines in read.items() if f"* welcome, {name}" in lines]
    ann.say("/who")
    news = ann.skip_to("* online: ann")
    assert sorted(news) == sorted(f"* {g} {did}" for g in welcomed for did in ("joined", "left"))
    assert "Traceback" not in chat.server.stderr()


@contract("limits", "--login-timeout не касается тех, кто уже вошёл")
def test_the_login_timeout_does_not_concern_those_who_have_joined(start):
    chat = start("--login-timeout", "0.5")
    ann, bob = chat.join("ann"), chat.join("bob")
    silent = chat.connect("silent")
    silent.expect(QUESTION)
    silent.expect_server_line()  # now the timeout is over
    ann.say("hello")
    bob.expect("ann: hello")


@contract("limits", "больше --max-clients соединений: * server is full, соединение закрывается")
def test_more_than_max_clients_are_told_that_the_server_is_full(start):
    chat = start("--max-clients", "2")
    ann, bob = chat.join("ann"), chat.join("bob")
    carl = chat.connect("carl")
    carl.expect("* server is full")
    carl.expect_end()
    for name in ("bob1", "bob2", "bob3"):  # each gets the place of the one before
        bob.say("/quit")
        bob.skip_to("* bye")
        bob.expect_end()
        bob.close()
        bob = wait_for_place(chat, name)
        bob.say(name)
        ann.skip_to(f"* {name} joined")


@contract("limits", "отклонённый, который уже что-то отправил: ответ или разрыв, но не место")
def test_who_is_refused_after_sending_something_reads_so_or_nothing(start):
    chat = start("--max-clients", "1")
    ann = chat.join("ann")
    for number in range(10):
        hasty = chat.connect(f"hasty{number}")
        with contextlib.suppress(OSError):  # it is refused already
            hasty.say(hasty.name, "hello")
        assert hasty.skip_to_end() in ([], ["* server is full"])
    ann.say("/who")
    ann.expect("* online: ann")


def wait_for_place(chat, name: str) -> Peer:
    """Connect until there is a place again."""
    found = []

    def in_room() -> bool:
        peer = chat.connect(name)
        if peer.get() == QUESTION:
            found.append(peer)
        else:
            peer.close()
            chat.people.remove(peer)
        return bool(found)

    wait_until(in_room, "a free place", chat.story)
    return found[0]


@contract("limits", "последнее место достаётся одному из двоих")
def test_the_last_free_place_goes_to_one_of_two_who_come_at_once(start):
    chat = start("--max-clients", "2")
    chat.join("ann")
    newcomers = [chat.connect("bob"), chat.connect("carl")]
    answers = sorted(newcomer.expect_server_line() for newcomer in newcomers)
    assert answers == [QUESTION, "* server is full"]


@contract("frames", "имя, сообщения и /quit одним куском не теряются")
def test_all_in_one_piece_nickname_messages_and_quit_is_not_lost(chat):
    ann = chat.join("ann")
    bob = chat.connect("bob")
    bob.say("bob", "one", "two", "/quit")
    bob.expect(QUESTION, "* welcome, bob", "* online: ann, bob", "* bye")
    bob.expect_end()
    ann.expect("* bob joined", "bob: one", "bob: two", "* bob left")


@contract("frames", "кадры по одному байту складываются в сообщения")
def test_frames_that_come_byte_by_byte_are_put_together(chat):
    ann = chat.join("ann")
    bob = chat.connect("bob")
    for byte in b"".join(map(Frames.encode, ["bob", "привет", "/quit"])):
        bob.connection.sendall(bytes([byte]))
    ann.expect("* bob joined", "bob: привет", "* bob left")


# Talking


@contract("talk", "сообщение получают все остальные, а его автор — нет")
def test_a_message_goes_to_all_others_and_not_back_to_its_author(chat):
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    ann.say("hello")
    for other in (bob, carl):
        other.expect("ann: hello")
    bob.say("hi")
    ann.expect("bob: hi")
    carl.expect("bob: hi")


@contract("talk", "пустые сообщения и сообщения из одних пробелов не рассылаются")
def test_empty_messages_and_white_space_are_ignored(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("", " ", "\t\n ", "\u2003", "hello")
    bob.expect("ann: hello")


@contract("talk", "пробелы по краям сообщения сохраняются")
def test_white_space_around_a_message_is_kept(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("  hello  ")
    bob.expect("ann:   hello  ")


HARMFUL = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u2028\u2029\u061c\u200e\u200f"]
HARMFUL += [*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]


@contract("text", "управляющие символы заменяются на U+FFFD, табуляция — на пробел")
def test_nothing_that_a_terminal_obeys_reaches_anybody(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    for char in HARMFUL:  # one by one: each of them matters
        ann.say(f"a{char}b")
        bob.expect("ann: a b" if char == "\t" else "ann: a\ufffdb")


@contract("text", "имя автора нельзя подделать переводом строки")
@pytest.mark.parametrize("text", ["one\nbob: two", "a\r* b joined", "\x1b[2J\x1b[31mred"])
def test_no_line_can_be_forged(chat, text):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say(text)
    bob.expect("ann: " + re.sub(r"[\x1b\r\n]", "\ufffd", text))


@contract("text", "эмодзи и другие последовательности приходят целыми")
@pytest.mark.parametrize(
    "text", ["👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽", "नमस्ते", "e\u0301", "a\u200bb\u00a0c", "\U0010ffff\ufeff"]
)
def test_what_harms_nobody_arrives_as_it_is(chat, text):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say(text)
    bob.expect(f"ann: {text}")


@contract("frames", "самое длинное сообщение, которое помещается в кадр, приходит")
def test_the_longest_message_that_fits_into_a_frame_arrives(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    text = "x" * (LIMIT - len("ann: "))
    ann.say(text)
    bob.expect(f"ann: {text}")


@contract("frames", "сообщение, которое с именем автора длиннее кадра: ответ * ..., разговор идёт")
def test_a_message_that_does_not_fit_with_its_author_is_refused_and_the_talk_goes_on(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    for text in ("x" * LIMIT, "\x01" * (LIMIT // 2)):
        ann.say(text, "short")
        ann.expect_server_line()
        bob.expect("ann: short")


@contract("talk", "все видят общие события в одном и том же порядке")
def test_all_see_what_they_share_in_the_same_order(chat):
    watchers = [chat.join("ann"), chat.join("bob")]
    talkers = [chat.join(f"talker{number}") for number in range(4)]
    for talker in talkers:
        talker.floods(*map(str, range(300)), "/quit")
    seen = [[watcher.get() for _ in range(4 * 301)] for watcher in watchers]
    assert seen[0] == seen[1]
    for talker in talkers:
        said = [line for line in seen[0] if line.startswith((talker.name, f"* {talker.name}"))]
        assert said == [f"{talker.name}: {n}" for n in range(300)] + [f"* {talker.name} left"]


@contract("talk", "новый участник получает сказанное после его входа, и ничего раньше")
def test_a_newcomer_hears_what_is_said_after_the_joining_and_nothing_before(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    over = threading.Event()

    def talk() -> None:
        for number in itertools.count():
            if over.is_set():
                ann.say("the end")
                return
            ann.say(str(number))

    talker = threading.Thread(target=talk)
    talker.start()
    guests = []
    for number in range(20):
        guests.append(chat.connect(f"guest{number}"))
        guests[-1].say(f"guest{number}", "hello")
        guests[-1].skip_to(f"* welcome, guest{number}")
        guests[-1].expect_server_line()  # who is online
    over.set()
    talker.join()
    heard = bob.skip_to("ann: the end")
    for guest in guests:
        since = heard.index(f"* {guest.name} joined") + 1
        own = f"{guest.name}: hello"
        assert guest.skip_to("ann: the end") == [line for line in heard[since:] if line != own]


# Commands


@contract("leave", "/quit: * bye и конец; остальные читают всё сказанное, затем * ИМЯ left")
@pytest.mark.parametrize("command", ["/quit", "/QUIT", "/Quit"])
def test_quit_is_answered_with_bye_and_told_after_all_that_was_said(chat, command):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say("one", "two", command, "never", "/who")
    bob.expect("* bye")
    assert bob.expect_end() == "the connection was closed"
    ann.expect("bob: one", "bob: two", "* bob left")


@own
def test_words_after_quit_do_not_matter(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say("/quit now")
    bob.expect("* bye")
    ann.expect("* bob left")


@own
@pytest.mark.parametrize("how", ["/quit", "/QUIT", "half-close"])
def test_who_leaves_before_the_welcome_is_told_bye_and_not_mentioned(chat, how):
    ann, newcomer = chat.join("ann"), newcomer_asked(chat)
    newcomer.half_close() if how == "half-close" else newcomer.say(how)
    newcomer.expect("* bye")
    newcomer.expect_end()
    chat.people.remove(newcomer)
    chat.join("bob")
    assert not ann.stream


@contract("commands", "/who: * online: все имена в порядке входа, только спросившему")
@pytest.mark.parametrize("command", ["/who", "/WHO"])
def test_who_names_all_in_the_order_of_joining_to_the_asker_alone(chat, command):
    carl, ann, bob = (chat.join(name) for name in ("carl", "ann", "bob"))
    carl.leave()
    for person in (ann, bob):
        person.expect("* carl left")
    ann.say(command, "hello")
    ann.expect("* online: ann, bob")
    bob.expect("ann: hello")


@contract("commands", "/help: список команд, только спросившему")
@pytest.mark.parametrize("command", ["/help", "/Help"])
def test_help_names_the_commands_to_the_asker_alone(chat, command):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say(command, "hello")
    line = ann.expect_server_line()
    assert all(word in line for word in ("/who", "/quit", "/help"))
    bob.expect("ann: hello")


@contract("commands", "другое слово после /: * unknown command: /СЛОВО, try /help")
@pytest.mark.parametrize(
    ("text", "word"),
    [
        *[("/foo", "/foo"), ("/foo bar", "/foo"), ("/Foo", "/Foo"), ("/whoami", "/whoami")],
        *[("/", "/"), ("/ ", "/"), ("/\tx", "/"), ("/\u2003x", "/"), ("/ quit", "/")],
    ],
)
def test_another_word_is_unknown_to_the_asker_alone(chat, text, word):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say(text, "hello")
    ann.expect(f"* unknown command: {word}, try /help")
    bob.expect("ann: hello")


@contract("text", "в ответе на неизвестную команду нет управляющих символов")
def test_the_answer_to_an_unknown_command_reflects_nothing_that_a_terminal_obeys(chat):
    ann = chat.join("ann")
    ann.say("/\x1b[31m\u202e")
    ann.expect("* unknown command: /\ufffd[31m\ufffd, try /help")


@contract("commands", "очень длинная неизвестная команда: ответ * ..., соединение остаётся")
@pytest.mark.parametrize("length", [65_535, 65_510, 30_000])
def test_a_very_long_unknown_command_is_answered_and_the_talk_goes_on(chat, length):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("/" + "x" * length, "hello")
    ann.expect_server_line()
    bob.expect("ann: hello")


@contract("commands", "ответ приходит на своём месте среди сообщений")
def test_an_answer_comes_in_its_place_among_the_messages(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say("/who", "one", "/foo", "two", "/who")
    unknown = "* unknown command: /foo, try /help"
    bob.expect("* online: ann, bob", unknown, "* online: ann, bob")
    ann.expect("bob: one", "bob: two")


@contract("commands", "список /who не опережает и не отстаёт от * ИМЯ joined и * ИМЯ left")
def test_a_list_agrees_with_the_news_around_it(chat):
    ann = chat.join("ann")
    here = ["ann"]
    ann.floods(*["/who"] * 3000)
    for number in range(30):
        guest = chat.connect(f"guest{number}")
        guest.say(guest.name, "/quit")
        guest.skip_to("* bye")
    ann.say("/help")
    while "/quit" not in (line := ann.get("the answer to /help")):
        if line.endswith(" joined"):
            here.append(line.split()[1])
        elif line.endswith(" left"):
            here.remove(line.split()[1])
        else:
            assert line == "* online: " + ", ".join(here)


@own
def test_what_was_said_before_a_question_is_sent_before_the_answer(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    for number in range(50):
        bob.say(str(number), "/who")
        bob.expect("* online: ann, bob")
        with ann.changed:
            arrived = bytes(ann.stream)
        assert arrived or ann.get() == f"bob: {number}"
        if arrived:
            ann.expect(f"bob: {number}")


# Leaving and faults


@contract("news", "каким бы ни был уход, остальные читают * ИМЯ left ровно один раз")
@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_whoever_leaves_in_whatever_way_is_said_to_have_left_once(chat, how):
    ann, bob = chat.join("ann"), chat.join("bob")
    getattr(bob, how)()
    bob.joined = False
    ann.expect("* bob left")
    chat.join("carl")  # were it said twice, ann would read it before this


@own
@pytest.mark.parametrize("after", [b"", b"\xff" * 4, Frames.encode("x") * 1000], ids=len)
def test_whatever_comes_after_quit_changes_nothing(chat, after):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.send(Frames.encode("/quit") + after)
    bob.reset()
    bob.joined = False
    ann.expect("* bob left")
    chat.join("carl")
    assert "Traceback" not in chat.server.stderr()


@contract("leave", "уходящий получает всё, что остальные прочли до * ИМЯ left, и затем * bye")
def test_who_leaves_has_heard_all_that_the_others_hear_before_the_leaving(chat):
    watcher = chat.join("watcher")
    talkers = [chat.join(f"talker{number}") for number in range(3)]

    for talker in talkers:
        talker.floods(*map(str, range(20_000)), "/quit")
    heard: dict[str, list[str]] = {}

    def come_and_go(group: int) -> None:
        for number in range(40):
            leaver = chat.connect(f"leaver{group}.{number}")
            leaver.say(leaver.name, "/quit")
            leaver.skip_to(f"* welcome, {leaver.name}")
            leaver.expect_server_line()  # who is online
            heard[leaver.name] = leaver.skip_to("* bye")

    in_threads(4, come_and_go)
    seen = [watcher.get() for _ in range(3 * 20_001 + 2 * 4 * 40)]
    for name, lines in heard.items():
        assert seen[seen.index(f"* {name} joined") + 1 : seen.index(f"* {name} left")] == lines


@contract("leave", "всё, что отправлено целиком до закрытия, приходит")
def test_what_was_sent_whole_before_closing_arrives(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say(*map(str, range(1000)))
    bob.close()
    ann.expect(*(f"bob: {number}" for number in range(1000)), "* bob left")


@contract("leave", "конец передачи (FIN) — как /quit: * bye, затем конец")
def test_a_half_close_is_answered_like_quit(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say("last words")
    bob.half_close()
    bob.expect("* bye")
    bob.expect_end()
    ann.expect("bob: last words", "* bob left")


BAD_FRAMES = {
    "65537 bytes": struct.pack("!I", LIMIT + 1),
    "4 GB": b"\xff\xff\xff\xff",
    "an HTTP request": b"GET / HTTP/1.1\r\n\r\n" * 5000,
    "no UTF-8": struct.pack("!I", 2) + b"\xff\xfe",
    "half of a surrogate pair": struct.pack("!I", 3) + b"\xed\xa0\x80",
}


@contract("faults", "не кадр: строка * ... с причиной, соединение закрывается, * ИМЯ left")
@pytest.mark.parametrize("data", BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_what_is_no_frame_is_answered_with_the_reason_and_ends_the_connection(chat, data):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.send(Frames.encode("one") + data)
    assert bob.expect_server_line() != "* bye"
    bob.expect_end()
    ann.expect("bob: one", "* bob left")


@contract("faults", "не кадр вместо имени: строка * ..., соединение закрывается")
@pytest.mark.parametrize("data", BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_what_is_no_frame_ends_the_connection_of_a_newcomer_too(chat, data):
    newcomer = newcomer_asked(chat)
    newcomer.send(data)
    newcomer.expect_server_line()
    newcomer.expect_end()


@own
def test_the_reason_is_not_lost_when_much_is_under_way_behind_the_bad_frame(chat):
    ann = chat.join("ann")
    bob = chat.connect("bob", reads=False)
    bob.say("bob")
    ann.expect("* bob joined")
    bob.floods_bytes(b"GET / HTTP/1.1\r\n\r\n" * 500_000)
    # Closed with bytes unread, the connection would be reset, and the reason perhaps lost.
    wait_until(lambda: bob.flooded >= bob.to_flood, "no reset", chat.story)
    bob.start_reading()
    bob.expect(QUESTION, "* welcome, bob", "* online: ann, bob")
    bob.expect_server_line()
    assert bob.expect_end() == "the connection was closed"
    ann.expect("* bob left")


@contract("faults", "конец данных внутри кадра: строка * ... с причиной, соединение закрывается")
@pytest.mark.parametrize("left", [1, 3, 6])
def test_the_end_inside_a_frame_is_answered_with_the_reason(chat, left):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.send(Frames.encode("one") + Frames.encode("two")[:left])
    bob.half_close()
    assert bob.expect_server_line() != "* bye"
    bob.expect_end()
    ann.expect("bob: one", "* bob left")


NASTY = ["%s %n {0} {}", "\\x1b", "\x00", "﷽" * 5000, "\U000e0001", "'\"`$(x)", "/" * 1000, "/\x00",
         "/ who", "/\u202equit", "//quit", "/who\x1b", "* bye", "* welcome, x", "a" * 65_000,
         "/\ud7ff", "\ufeff/quit", "/İ", "/K", "0", "-1", "None", "…"]  # fmt: skip


@contract("faults", "никакой текст участника не нарушает работу сервера")
def test_nothing_that_a_user_says_reaches_further_than_it_should(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    for text in NASTY:
        ann.say(text)
    ann.say("/who", "the end")
    assert "ann: the end" not in bob.skip_to("ann: the end")
    ann.skip_to("* online: ann, bob")
    chat.join("carl")
    assert chat.server.stderr().count("Traceback") == 0


@own
def test_no_text_at_all_does_harm(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    marks = itertools.count()
    texts = st.text(max_size=50) | st.sampled_from(["/who", "/help", "x" * LIMIT, "/x" * 32_768])

    @settings(deadline=None, max_examples=60)
    @given(st.lists(texts.filter(lambda text: not text.lower().startswith("/quit")), max_size=20))
    def say(texts: list[str]) -> None:
        mark = f"mark {next(marks)}"
        ann.send(b"".join(map(Frames.encode, [*texts, mark])))
        heard = bob.skip_to(f"ann: {mark}")
        said = [text for text in texts if text.strip() and text[0] != "/" and len(text) < LIMIT]
        assert [re.sub("[^ -~]", "", line) for line in heard] == [
            re.sub("[^ -~]", "", f"ann: {text}".replace("\t", " ")) for text in said
        ]

    say()
    assert "Traceback" not in chat.server.stderr()


# The stop


@contract("stop", "об остановке узнают все, и те, кто ещё не назвал имя")
@posix_only
def test_all_are_told_when_the_server_stops_also_those_without_a_nickname(chat):
    ann, newcomer = chat.join("ann"), newcomer_asked(chat)
    chat.server.interrupt()
    for peer in (ann, newcomer):
        peer.expect("* server is shutting down")
        peer.expect_end()
        peer.close()
    assert chat.server.exits(within=STOP_TIME) == 0


@own
@posix_only
def test_further_signals_during_the_stop_change_nothing(chat):
    ann = chat.join("ann")
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        try:
            chat.server.interrupt(signum)
        except ProcessLookupError:  # it has ended already
            pass
    ann.expect("* server is shutting down")
    assert chat.server.exits(within=STOP_TIME) == 0
    assert "Error" not in chat.server.stderr()


@own
@posix_only
def test_an_impatient_user_does_not_prolong_the_stop(chat):
    stalled = chat.connect("stalled", reads=False)  # makes the stop take its second
    chat.join("ann")
    stalled.say("stalled")
    chat.people[-1].expect("* stalled joined")
    chat.people[-1].floods(*["x" * 1000] * 700, "/help")
    chat.people[-1].expect_server_line()
    started = time.monotonic()
    while chat.server.process.poll() is None:
        chat.server.process.send_signal(signal.SIGINT)
        time.sleep(0.3)  # the pace of an impatient finger
        if time.monotonic() > started + 2 * STOP_TIME:
            chat.story.fail("the server", "to end", "each signal makes it wait longer")
    assert chat.server.exits() == 0


@own
@posix_only
def test_those_who_come_or_speak_during_the_stop_get_no_news_after_the_farewell(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    stalled = chat.connect("stalled", reads=False)  # makes the stop take its second
    stalled.say("stalled")
    for person in (ann, bob):
        person.expect("* stalled joined")
    newcomer = newcomer_asked(chat)
    chat.server.interrupt()
    ann.expect("* server is shutting down")
    for peer, text in ((newcomer, "late"), (bob, "still talking")):
        try:
            peer.say(text)
        except OSError:
            pass
    ann.expect_end()
    assert "* late joined" not in bob.skip_to_end()
    assert "* welcome, late" not in newcomer.skip_to_end()
    assert chat.server.exits(within=STOP_TIME) == 0


# An error in the server's own code


# Where it happens, and what bob sends that meets it. What he reads before the error may be more.
ERRORS = {
    "a message": ("safe", "boom", ["boom"]),
    "an answer": ("encode", "* unknown command: /boom, try /help", ["/boom"]),
    "a joining": ("encode", "* bob joined", []),
    "the welcome": ("encode", "* welcome, bob", []),
}


def broken(function: str, text: str) -> list[str]:
    """Return a command that runs the server; a function of its framing.py fails for one text."""
    prelude = (
        f"sys.path.insert(0, {str(STEPS[4])!r}); import framing; right = framing.{function};"
        f"framing.{function} = lambda text: 1 / 0 if text == {text!r} else right(text)"
    )
    return prepared(program(4, "server"), prelude)


@own
@pytest.mark.parametrize(("function", "text", "said"), ERRORS.values(), ids=ERRORS)
def test_an_error_in_the_servers_code_is_printed_and_costs_one_connection(
    start, function, text, said
):
    chat = start(command=broken(function, text))
    ann = chat.join("ann")
    bob = chat.connect("bob")
    bob.say("bob", *said)
    bob.skip_to("* internal error")
    errors = chat.server.stderr()  # before anything else is said of it
    assert "Traceback" in errors
    assert "ZeroDivisionError" in errors
    bob.expect_end()
    carl = chat.connect("carl")
    carl.say("carl", "still here?")
    assert set(ann.skip_to("carl: still here?")) <= {"* bob joined", "* bob left", "* carl joined"}
    carl.expect(QUESTION, "* welcome, carl", "* online: ann, carl")  # of bob nothing is left
    ann.say("yes")
    carl.expect("ann: yes")


@own
def test_who_has_met_an_error_is_said_to_have_left_and_the_name_is_free(start):
    chat = start(command=broken("safe", "boom"))
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say("one", "boom", "two")
    bob.expect("* internal error")
    bob.expect_end()
    while (line := ann.get("* bob left")) != "* bob left":
        assert line == "bob: one"
    bob.joined = False
    chat.people.remove(bob)
    chat.join("bob")


@own
def test_an_error_in_a_users_own_thread_leaves_no_ghost_and_gives_the_place_back(start):
    """The options of a connection are set in its thread: let that fail for the second one."""
    prelude = (
        "count = []; set_option = socket.socket.setsockopt;"
        "socket.socket.setsockopt = lambda it, level, name, *a:"
        " 1 / (name != socket.SO_KEEPALIVE or level != socket.SOL_SOCKET or"
        " count.append(1) or len(count) != 2) and set_option(it, level, name, *a)"
    )
    chat = start("--max-clients", "2", command=prepared(program(4, "server"), prelude))
    ann = chat.join("ann")
    chat.connect("bob").skip_to_end()
    assert "ZeroDivisionError" in chat.server.stderr()
    carl = wait_for_place(chat, "carl")
    carl.say("carl")
    carl.expect("* welcome, carl", "* online: ann, carl")
    ann.expect("* carl joined")


@own
def test_an_error_while_words_go_out_is_printed_and_the_room_goes_on(start):
    """`send` itself fails, once, with what is no error of the network."""
    prelude = (
        "fails = [True]; send = socket.socket.send; socket.socket.send = lambda it, data, *a:"
        " fails.pop() / 0 if b'boom' in bytes(data) and fails else send(it, data, *a)"
    )
    chat = start(command=prepared(program(4, "server"), prelude))
    for name in ("ann", "bob"):
        chat.join(name)
    chat.people[0].say("boom")
    wait_until(lambda: "Traceback" in chat.server.stderr(), "a traceback", chat.story)
    carl, dora = chat.connect("carl"), chat.connect("dora")
    carl.say("carl")
    carl.skip_to("* welcome, carl")
    dora.say("dora", "hello")
    carl.skip_to("dora: hello")


# The log: this project's own


@own
def test_the_log_says_who_left_and_why(chat):
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    bob.say("/quit")
    ann.expect("* bob left")
    carl.send(b"\xff\xff\xff\xff")
    ann.expect("* carl left")
    chat.connect("hasty").close()
    rude = chat.connect("rude")
    rude.send(b"\0\0\0\1\xff")
    wait_until(lambda: chat.server.stderr().count("\n") == 4, "4 log lines", chat.story)
    log = chat.server.stderr().splitlines()
    assert any(line.startswith("bob ") and line.endswith("left: bye") for line in log)
    assert any(line.startswith("carl ") and "4294967295 bytes" in line for line in log)
    assert any("127.0.0.1:" in line and "not valid UTF-8" in line for line in log)


@own
@pytest.mark.parametrize(
    "arguments",
    ["--max-pending -1", "--max-clients 0", "--login-timeout nan", "--login-timeout inf",
     "--login-timeout 0"],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused_in_a_line(server_command, arguments):
    done = subprocess.run(
        [*server_command, "--port", "0", *arguments.split()],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 2
    assert "above 0" in done.stderr.splitlines()[-1]


@own
@posix_only
def test_the_log_does_not_get_into_a_conversation_when_the_server_has_no_output(story):
    port = free_port()
    command = shlex.join([*program(4, "server"), "--port", str(port)])
    server = subprocess.Popen(["sh", "-c", f"exec {command} >&- 2>&-"])
    try:
        found: list[Peer] = []
        wait_until(lambda: found or connect(port, found, story), "a server that listens", story)
        [ann] = found  # the first connection: it would get the number of standard error
        ann.say("ann")
        ann.expect(QUESTION, "* welcome, ann", "* online: ann")
        bob = Peer(port, "bob", Frames, story)
        bob.say("bob")
        bob.expect(QUESTION, "* welcome, bob", "* online: ann, bob")
        bob.say("/quit")
        ann.expect("* bob joined", "* bob left")
        carl = Peer(port, "carl", Frames, story)
        carl.say("carl")
        ann.expect("* carl joined")
    finally:
        server.kill()
        server.wait()


def connect(port: int, found: list, story) -> None:
    try:
        found.append(Peer(port, "ann", Frames, story))
    except OSError:
        pass


@contract("limits", "исчезнувший клиент замечается: включён TCP keepalive, не реже минуты")
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/net/tcp, which shows the timers")
def test_a_peer_that_vanishes_is_asked_for_within_a_minute(chat):
    for peer in (chat.join("ann"), newcomer_asked(chat)):
        wait_until(lambda: keepalive_timer(peer) <= 60, "a keepalive timer", chat.story)  # noqa: B023


def keepalive_timer(peer: Peer) -> float:
    """Return in how many seconds the server's system asks whether this peer is there."""
    local = f":{peer.connection.getsockname()[1]:04X}"
    with open("/proc/net/tcp") as table:
        lines = [line.split() for line in table if local in line]
    for words in lines:
        kind, when = words[5].split(":")
        if words[2].endswith(local) and kind == "02":
            return int(when, 16) / 100
    return float("inf")


@own
@pytest.mark.skipif(sys.platform != "linux", reason="each system has other options")
def test_keepalive_gives_up_within_a_minute(start):
    """What the system is told cannot be seen from outside: record what the server asks it for."""
    prelude = (
        "names = {value: name for name, value in vars(socket).items() if name[:4] == 'TCP_'};"
        "set_option = socket.socket.setsockopt; socket.socket.setsockopt = lambda it, level, *a:"
        " (set_option(it, level, *a), level == socket.IPPROTO_TCP"
        " and print('set', names[a[0]], a[1], file=sys.stderr, flush=True))[0]"
    )
    chat = start(command=prepared(program(4, "server"), prelude))
    chat.join("ann")
    told = dict(re.findall(r"set (\w+) (\d+)", chat.server.stderr()))
    asked = int(told["TCP_KEEPIDLE"]) + int(told["TCP_KEEPINTVL"]) * int(told["TCP_KEEPCNT"])
    assert asked <= 60
    assert int(told["TCP_USER_TIMEOUT"]) <= 60_000


@own
def test_silence_at_the_question_costs_no_processor_time(chat):
    newcomer_asked(chat)
    expect_idle(chat)
