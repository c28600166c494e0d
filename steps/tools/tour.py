"""Plays the four steps: real servers, real clients, what each step can do and what it cannot.

Run:       python3 steps        all four, in about 20 seconds without the pauses
           python3 steps 3      one of them
Status:    0 if everything went as told, 1 if something did not

A scene is a function. Its docstring holds the title and the reason, in Russian and in English.
"""

import signal
import sys

from tools import language
from tools.harness import STEPS
from tools.language import tr
from tools.screen import BOLD, DIM, Screen
from tools.stage import FLOOD, SCENES, SILENCE, Scene, Stage, in_two_languages, scene

COUNT = 100  # lines that each of two people says while the other one does, too
LAST = FLOOD[-1].encode()
OTHERS = [f"steps {name}" for name in ("check", "diff", "probe", "wire")]
PAUSE = 0.02  # seconds between two lines at a terminal, for the eye to follow
GONE = "the server has closed the connection"

LEGEND = """
У каждого участника свой столбец (в узком окне — строки с его именем), время идёт сверху вниз.
Знаком > отмечено то, что участник отправил, остальное он видит. Участники запускают client.py
этого шага; с пометкой «сокет» участник отправляет байты сам, без client.py.

A column for each person (in a narrow window, lines with the name); time runs downwards. The
sign > marks what a person sends, the rest is what the person sees. Everybody runs the client.py
of the step; whoever is marked "socket" sends bytes without it.
"""

BUILT = {
    1: """
    Эхо-сервер: клиент получает обратно всё, что отправил
    слушающий сокет, соединение, `recv` в цикле до конца данных

    An echo server: whatever a client sends comes back to it
    a listener, a connection, and `recv` in a loop until the stream ends
    """,
    2: """
    Чат на двоих: что отправил один, получает другой, в обе стороны одновременно
    два соединения и поток выполнения на каждое направление

    A chat for two: what one user sends goes to the other, both ways at once
    two connections, and a thread for each direction
    """,
    3: """
    Чат для многих: поток выполнения на каждого участника
    имена, список участников под блокировкой, рассылка всем остальным

    A chat for many users, a thread for each
    nicknames, a registry of users behind a lock, broadcast to all others
    """,
    4: """
    Чат, в котором сообщения не склеиваются и никто не останавливает остальных
    кадры, команды, один поток выполнения для всей комнаты, очередь на отправку (outbox) у
    каждого участника, предупреждение об остановке

    A chat of whole messages, in which one user cannot stop the others
    frames, commands, one thread that owns the room, an outbox for each user, a last word when
    the server stops
    """,
}


@scene(1, "works", "ann")
def ann_hears_what_she_sends(chat: Stage) -> None:
    """Клиент получает то, что отправил
    Сервер отправляет обратно всё, что вернул `recv`. Когда `recv` возвращает b"", данных
    больше не будет: ann закончила.

    A client gets back what it sends
    The server sends back whatever `recv` returns. When `recv` returns b"", no more data will
    come: ann has left.
    """
    ann = chat.join("ann")
    ann.say("hello")
    ann.expect("hello")
    ann.leave()


@scene(1, "limit", "ann bob")
def a_second_person_gets_no_answer(chat: Stage) -> None:
    """Второму клиенту сервер не отвечает
    Единственный поток выполнения ждёт в `recv` данных от ann. Соединение с bob установило
    ядро ОС; оно стоит в очереди, пока сервер не вызовет `accept`.

    A second client gets no answer
    The only thread waits in `recv` for ann. The operating system has made the connection with
    bob; it stands in a queue, the backlog, until the server calls `accept`.
    """
    [ann] = chat.with_people("ann")
    ann.say("hello")
    ann.expect("hello")
    bob = chat.join("bob")
    bob.say("is anybody here?")
    chat.nothing_comes_to(bob)
    ann.leave()
    bob.expect("is anybody here?")


@scene(2, "works", "ann bob")
def two_people_talk_both_ways_until_one_leaves(chat: Stage) -> None:
    """Двое пишут друг другу, пока один не уйдёт
    На каждое направление есть свой поток выполнения: один ждёт в `recv` данных от ann, другой —
    от bob.

    Two people talk both ways until one leaves
    There is a thread for each direction: one waits in `recv` for ann, the other one for bob.
    """
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("hello")
    bob.expect("hello")
    bob.say("hi", "how are you?")
    ann.expect("hi", "how are you?")
    bob.leave()
    ann.expect("* the other user has left")
    ann.ends_saying(GONE)


@scene(2, "limit", "ann bob carl")
def a_third_person_gets_no_answer(chat: Stage) -> None:
    """Третьему сервер не отвечает
    Сервер вызывает `accept` для следующей пары, только когда эта закончит: carl ждёт.

    A third person gets no answer
    The server calls `accept` for the next pair only when this one has ended: carl has to wait.
    """
    ann, bob = chat.with_people("ann", "bob")
    carl = chat.connect("carl")
    chat.nothing_comes_to(carl)
    ann.say("hello")
    bob.expect("hello")
    bob.leave()
    ann.expect("* the other user has left")
    carl.expect("* waiting for the second user")


@scene(3, "works", "ann bob carl")
def three_people_talk_under_their_names(chat: Stage) -> None:
    """Трое пишут под своими именами
    У каждого участника свой поток выполнения. Он получает данные только от этого участника и
    отправляет их всем остальным, кто записан в списке.

    Three people talk under their names
    A thread for each user receives from that user alone, and sends to all others in the
    registry.
    """
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    ann.say("hello")
    bob.expect("ann: hello")
    carl.expect("ann: hello")
    bob.leave()
    ann.expect("* bob left")
    carl.expect("* bob left")


@scene(3, "works", "ann bob carl")
def a_newcomer_who_says_nothing_harms_nobody(chat: Stage) -> None:
    """Новый участник, который молчит, никому не мешает
    Имя carl ждёт в `recv` отдельный поток выполнения, а не тот, который вызывает `accept`.

    A newcomer who says nothing harms nobody
    The thread that waits for carl's nickname is his own, not the one that calls `accept`.
    """
    carl = chat.connect("carl")
    carl.expect("* enter your nickname")
    ann, bob = chat.with_people("ann", "bob")
    ann.say("hello")
    bob.expect("ann: hello")


@scene(3, "limit", "ann bob", raw="ann")
def two_quick_messages_become_one(chat: Stage) -> None:
    """Два быстрых сообщения склеиваются
    TCP передаёт поток байтов, границ сообщений в нём нет. Один `recv` вернул сразу оба, и
    сервер написал имя автора один раз.

    Two quick messages become one
    TCP carries a stream of bytes, without bounds of messages. One `recv` returned both, and the
    server wrote the author's name once.
    """
    ann, bob = chat.with_people("ann", "bob")
    ann.say("one", "two")
    bob.expect("ann: one", "two")


@scene(3, "limit", "ann bob", raw="ann")
def a_character_cut_in_half_is_garbled(chat: Stage) -> None:
    """Многобайтовый символ разрывается
    Символ 👋 — это четыре байта в UTF-8. Сервер считает каждую часть отдельным сообщением и
    ставит имя автора между ними.

    A character cut in half is garbled
    The character 👋 takes four bytes in UTF-8. The server takes each part for a message, and puts
    the author's name between them.
    """
    ann, bob = chat.with_people("ann", "bob")
    ann.send(b"hi \xf0\x9f")
    bob.has_received(b"ann: hi ", within=chat.story.deadline)
    ann.send(b"\x91\x8b\n")
    bob.expect("ann: hi \ufffdann: \ufffd\ufffd")


@scene(3, "limit", "ann bob carl", raw="ann bob carl")
def one_reader_who_stops_stops_everyone(chat: Stage) -> None:
    """Клиент, который перестал читать, останавливает всех
    Буферы соединения с carl заполнены, поэтому `sendall` блокируется, а с ним и поток
    выполнения каждого, кто пишет в чат.

    A client that stops reading stops everyone
    The buffers of carl's connection are full, so `sendall` waits, and with it the thread of
    everybody who says something.
    """
    carl = chat.with_idler("carl")
    ann, bob = chat.with_people("ann", "bob")
    chat.flood_from(ann)
    if bob.has_received(LAST, within=SILENCE):
        chat.story.fail("bob", "to hear no more", "all has come")
    heard = f"{len(bob.stream) / 1e6:.1f}"
    more = tr(heard.replace(".", ",") + " МБ, больше ничего", f"{heard} MB, no more")
    chat.story.add("bob", "hears", more)
    bob.say("are you there?")
    chat.nothing_comes_to(ann)
    chat.story.add("carl", tr("снова читает", "reads again"), "")
    carl.start_reading()
    ann.expect("bob: are you there?")
    if not bob.has_received(LAST, within=chat.story.deadline):
        chat.story.fail("bob", "the rest", "it did not come")
    chat.story.add("bob", "hears", tr("всё остальное", "all the rest"))


@scene(3, "limit", "ann bob")
def there_is_no_word_to_leave_with(chat: Stage) -> None:
    """Команды выхода нет
    Команд сервер не знает: всё, что отправил участник, — текст для остальных.

    There is no word to leave with
    The server has no commands: whatever a user sends is text for the others.
    """
    ann, bob = chat.with_people("ann", "bob")
    bob.say("/quit")
    ann.expect("bob: /quit")
    ann.say("are you still there?")
    bob.expect("ann: are you still there?")


@scene(3, "limit", "ann bob", stops=True)
def a_server_that_stops_tells_nobody(chat: Stage) -> None:
    """Сервер останавливается без предупреждения
    Ctrl-C сразу завершает программу, а её соединения закрывает ядро ОС.

    A server that stops tells nobody
    Ctrl-C ends the program at once, and the operating system closes its connections.
    """
    people = chat.with_people("ann", "bob")
    chat.stop_server()
    for person in people:
        person.ends_saying(GONE)


@scene(4, "works", "ann bob", raw="ann")
def two_quick_messages_stay_two(chat: Stage) -> None:
    """Два быстрых сообщения остаются двумя
    Сообщение передаётся кадром: сначала длина (4 байта), потом текст. Поэтому видно, где оно
    заканчивается, какими бы частями ни пришли байты.

    Two quick messages stay two
    A message is sent as a frame: first its length (4 bytes), then the text. So it ends where the
    length says, in whatever pieces its bytes arrive.
    """
    ann, bob = chat.with_people("ann", "bob")
    ann.say("one", "two")
    bob.expect("ann: one", "ann: two")


@scene(4, "works", "ann bob", raw="ann")
def a_character_cut_in_half_arrives_whole(chat: Stage) -> None:
    """Многобайтовый символ приходит целым
    Сервер ждёт весь кадр и только потом превращает его байты в текст.

    A character cut in half arrives whole
    The server waits for the whole frame, and only then makes text of its bytes.
    """
    ann, bob = chat.with_people("ann", "bob")
    ann.send(b"\0\0\0\7hi \xf0\x9f")
    chat.nothing_comes_to(bob)
    ann.send(b"\x91\x8b")
    bob.expect("ann: hi 👋")


@scene(4, "works", "ann bob carl", raw="ann bob carl")
def a_reader_who_stops_harms_nobody(chat: Stage) -> None:
    """Клиент, который перестал читать, никому не мешает
    Отправка здесь никогда не блокируется. Что ядро ОС не приняло, ждёт в очереди этого участника
    (outbox), а когда в ней больше 1 МиБ, сервер его отключает.

    A client that stops reading harms nobody
    Sending never waits here. What the system does not take waits in this user's outbox; a user
    for whom more than 1 MiB waits is disconnected.
    """
    ann, bob = chat.with_people("ann", "bob")
    chat.with_idler("carl")
    ann.expect("* carl joined")
    bob.expect("* carl joined")
    chat.flood_from(ann)
    ann.expect("* carl left")
    with chat.story.hush():
        seen = bob.skip_to(f"ann: {FLOOD[-1]}")
    if seen.count(f"ann: {FLOOD[0]}") != len(FLOOD) - 1 or "* carl left" not in seen:
        chat.story.fail("bob", "all of it, and that carl has left", f"got {len(seen)} messages")
    chat.story.add("bob", "hears", tr("все 20 МБ", "all the 20 MB"))


@scene(4, "works", "ann bob carl dora", raw="ann bob")
def all_see_the_same_order(chat: Stage) -> None:
    """Все видят сообщения в одном порядке
    Отправляет всегда один и тот же поток выполнения, поток комнаты: он берёт сообщения из
    очереди, и обогнать его некому.

    All see the same order
    It is always the same thread that sends, the room's: it takes the messages from a queue, and
    nobody can overtake it.
    """
    ann, bob, carl, dora = chat.with_people("ann", "bob", "carl", "dora")
    for talker in ann, bob:
        numbers = tr(f"от 0 до {COUNT - 1}", f"0 to {COUNT - 1}")
        chat.story.show(talker.name, "sends", numbers)
    seen = []
    with chat.story.hush():
        for number in range(COUNT):
            ann.say(f"{number}")
            bob.say(f"{number}")
            seen += [carl.get(), carl.get()]
        dora.expect(*seen)
    total = tr(f"… всего {len(seen)}", f"… {len(seen)} in all")
    for line in [*seen[:4], total]:
        chat.story.show("carl", "gets", line)
        chat.story.show("dora", "gets", line)


@scene(4, "works", "ann bob")
def there_are_words_to_ask_and_to_leave_with(chat: Stage) -> None:
    """Есть команды: спросить, кто в чате, и выйти
    Сообщение, которое начинается с /, — команда. Ответ получает только тот, кто спросил.

    There are words to ask and to leave with
    A message that begins with / is a command, and is answered to the asker alone.
    """
    ann, bob = chat.with_people("ann", "bob")
    bob.say("/who")
    bob.expect("* online: ann, bob")
    bob.say("/quit")
    bob.expect("* bye")
    bob.ends_saying("")
    ann.expect("* bob left")


@scene(4, "works", "ann bob")
def no_message_can_control_a_terminal(chat: Stage) -> None:
    """Сообщение не может управлять терминалом
    Вместо каждого управляющего символа сервер ставит \ufffd. Клиент делает то же самое.

    No message can control a terminal
    The server puts \ufffd in place of every control character, and so does the client.
    """
    ann, bob = chat.with_people("ann", "bob")
    ann.say("\x1b[2J\x1b[31mboo!")
    bob.expect("ann: \ufffd[2J\ufffd[31mboo!")


@scene(4, "works", "ann bob", stops=True)
def a_server_that_stops_says_so(chat: Stage) -> None:
    """Сервер предупреждает, что останавливается
    После Ctrl-C сервер отправляет всем последний кадр и только потом закрывает соединения.

    A server that stops says so
    After Ctrl-C the server sends a last frame to everybody before it closes.
    """
    people = chat.with_people("ann", "bob")
    chat.stop_server()
    for person in people:
        person.expect("* server is shutting down")
    for person in people:
        person.ends_saying(GONE)


@scene(4, "limit", "ann bob carl")
def whoever_comes_late_has_missed_what_was_said(chat: Stage) -> None:
    """Новый участник не видит прежних сообщений
    Сервер передаёт сообщения дальше и не хранит их.

    Whoever comes late has missed what was said
    The server passes messages on and keeps none.
    """
    ann, bob = chat.with_people("ann", "bob")
    ann.say("lunch is at one")
    bob.expect("ann: lunch is at one")
    carl = chat.join("carl")
    chat.nothing_comes_to(carl)


def introduce(step: int, screen: Screen) -> None:
    """Print the title of a step and what it builds."""
    title, built = in_two_languages(BUILT[step])
    screen.line()
    screen.line(screen.paint(f"── {STEPS[step].name} ".ljust(screen.width - 1, "─"), BOLD))
    screen.paragraph("", "", tr("Шаг", "Step") + f" {step}. {title}.", BOLD)
    screen.paragraph(tr("Новое: ", "New here: "), "", f"{built}.")


def wait_for_enter(screen: Screen) -> None:
    """Let the reader read."""
    keys = tr("Enter — дальше, Ctrl-C — закончить", "Enter goes on, Ctrl-C ends this")
    print(screen.paint(f"\n  {keys} ", DIM), end="", flush=True)
    try:
        typed = sys.stdin.readline()
    except SystemExit:  # Ctrl-C
        print()
        raise
    if not typed:  # Ctrl-D
        print()


def stop(signum: int, frame: object) -> None:
    """End at the first Ctrl-C or SIGTERM, and let nothing disturb the clearing up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + signum)


def main(arguments: list[str]) -> int:
    """Read the command line, play the scenes; return the exit status."""
    language.choose(arguments)
    about = tr("Показывает четыре шага в работе.", "Plays the four steps.")
    parser = language.Parser("steps", about)
    parser.epilog = tr("Другие команды", "Other commands") + f": {', '.join(OTHERS)} (-h)."
    one = tr("показать только этот шаг (1…4)", "play this step only (1…4)")
    name = tr("ШАГ", "STEP")
    parser.add_argument("step", nargs="?", choices=[*map(str, STEPS)], metavar=name, help=one)
    through = tr("не ждать Enter между демонстрациями", "do not wait for Enter")
    parser.add_argument("--no-pause", action="store_true", help=through)
    args = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    screen = Screen(PAUSE)
    waits = not args.no_pause and screen.terminal and sys.stdin and sys.stdin.isatty()
    screen.paragraph("", "", " ".join(in_two_languages(LEGEND)))
    other = tr("In English: python3 steps --lang en", "По-русски: python3 steps --lang ru")
    screen.paragraph("", "", other, DIM)
    wanted = [each for each in SCENES if args.step in (None, str(each.step))]
    went = {}
    for before, each in zip([None, *wanted], wanted, strict=False):
        if before and waits:
            wait_for_enter(screen)
        if not before or before.step != each.step:
            introduce(each.step, screen)
        went[each] = each.play(screen)
    screen.line()
    screen.paragraph("", "", summary(went), BOLD)
    return 1 if False in went.values() else 0


def summary(went: dict[Scene, bool | None]) -> str:
    """Say how many scenes went as told, and which did not."""
    played = [each for each, well in went.items() if well is not None]
    failed = [each for each in played if not went[each]]
    good = len(played) - len(failed)
    told = tr("Прошло, как описано: {} из {}", "Went as told: {} of {}").format(good, len(played))
    names = "; ".join(tr("шаг", "step") + f" {each.step}, «{each.title}»" for each in failed)
    return f"{told}. " + tr("Не так: ", "Not: ") + f"{names}." if failed else f"{told}."
