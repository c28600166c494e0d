"""What the checker asks of people who talk: that messages arrive, whole, each with its author."""

import os
import re
import signal
import threading
import time

from tools.check import guard, system
from tools.check.conversation import HEARS, ClientEnded, ServerEnded, cannot_drive, last_lines
from tools.check.examiner import HELD_UP, NO_SIGNALS, Examiner, Failure, NotChecked, check
from tools.check.find import CannotDrive
from tools.check.process import wait_for
from tools.check.reading import letters_that_came, letters_whole, mark, names, refused

STEP1 = ("step1_echo/README.md", "Почему так")
STEP2 = ("step2_two_user/README.md", "Почему так")
STEP3 = "step3_multi_threaded/README.md"
AUTHOR = (STEP3, "Кто написал")
NOBODY_WAITS = (STEP3, "Никто не ждёт одного")
NEWS = (STEP3, "Кто пришёл и кто ушёл")
ONE_ERROR = (STEP3, "Ошибка одного соединения")
SAME = (STEP3, "Пустая строка, повтор, занятое имя")
ENDING = (STEP3, "Выйти и остановить")
FRAMES = ("step4_framing_and_exit/README.md", "Ступень А. Кадры")
STALLED = ("step4_framing_and_exit/README.md", "Ступень Г. Клиент, который перестал читать")
HEARD = "На экране {reader} должна появиться строка {text} от {speaker}."
CREDIT = {"credit": "сверх задания"}

STANDSTILL = 2.5  # seconds without a byte: no more will come
ALPHABET = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
LETTERS = ALPHABET * (3000 // len(ALPHABET)) + ALPHABET[: 3000 % len(ALPHABET)]
FLOOD = ["x" * 399] * 400  # 160 KB: a stopped reader's buffers take some 50 KB
COMMAND = re.compile(r"\bjoin\b|\broom\b|channel|command|комнат|канал|команд", re.IGNORECASE)


@check(
    "сервер запускается и принимает подключения",
    "Сервер должен принимать подключения по TCP.",
    """
    deaf: Сервер работает, но за 8 секунд не начал слушать порт TCP: возможно, нет вызова listen,
        программа ждёт ввода или вид сокета другой (нужны AF_INET и SOCK_STREAM).
    floods: Сервер без конца пишет в файл: цикл повторяется без ожидания. Так бывает, когда нет
        вызова listen: accept сразу вызывает исключение, а цикл продолжается. Проверка остановила
        запись, когда файл вырос до {size} МБ.
    udp: Сервер открыл сокет UDP (SOCK_DGRAM). Для TCP нужен SOCK_STREAM, а затем listen и accept.
    """,
    STEP1,
    waits_for="",
    explain=False,
    remarks={"enter": "сервер молча ждал, пока в его окне нажмут Enter: выведите приглашение"},
)
def start(ex: Examiner) -> str | None:
    """The server starts and listens."""
    ex.note("запущен сервер")
    try:
        ex.talk()
    except ServerEnded as error:
        server = ex.now.server
        if re.search("Address already in use|WinError 10048", server.raw()):
            text = "Порт сервера занят другой программой: завершите её или подождите минуту."
            raise CannotDrive("port_taken", text, last_lines(server)) from None
        if re.search("File too large|No space left on device", server.raw()):
            size = guard.MOST_FILE // 1_000_000
            raise Failure("floods", ("server", 0), size=size) from None
        if str(error) != "deaf":
            raise cannot_drive(f"server_{error}", server, "server") from None
        udp = any(each.state == "udp" for each in system.sockets(server.family()))
        raise Failure("udp" if udp else "deaf", ("server", 0)) from None
    return "enter" if ex.now.entered else None


@check(
    "двое видят сообщения друг друга",
    HEARD,
    """
    silence: Сервер не пересылает сообщения этому участнику, или клиент не читает сокет, пока ждёт
        ввода: для чтения нужен отдельный поток выполнения.
    after_enter: Сообщение появляется на экране {reader} только после того, как {reader} нажимает
        Enter: пока клиент ждёт ввода (input), он не читает сокет. Вызывайте recv в отдельном
        потоке выполнения.
    server_ended: Сервер завершился, когда подключились клиенты: исключение, которое он не
        перехватил, показано выше.
    """,
    STEP2,
    {"server_ended": ONE_ERROR},
    waits_for="start",
)
def talk(ex: Examiner) -> None:
    """What ann types appears on bob's screen, and the other way round."""
    try:
        first_words(ex)
    except (Failure, ClientEnded) as error:
        if isinstance(error, Failure) and not ex.named:
            ex.recipe.name_first = True
        ex.recipe.pace = 2.0
        ex.close()
        ex.done.clear()
        try:
            first_words(ex)
        except ClientEnded as again:
            program = ex.now.people[again.name].program
            raise cannot_drive(f"client_{again.why}", program, "client") from None
        except Failure as again:
            ex.recipe.name_first = False
            raise why_nobody_hears(ex, again) from None
        ex.recipe.pace = 1.3


def first_words(ex: Examiner) -> None:
    """Let ann and bob talk, once the first words have been said."""
    now = ex.talk("ann", "bob", fresh=True)
    ex.named = all(each.named for each in now.people.values())
    first = ex.must_hear("silence", "ann", "bob")
    ex.must_hear("silence", "bob", "ann")
    now.calm()
    before = now.marks()
    later = ex.must_hear("silence", "ann", "bob")
    line = next(line for line in now.people["bob"].program.lines(before["bob"]) if later in line)
    if first in line and not ex.named:  # the first line was taken for the name
        raise Failure("silence", speaker="ann", reader="bob", text=first)


def why_nobody_hears(ex: Examiner, failure: Failure) -> Exception:
    """Return what is behind a message that does not arrive."""
    people, values = ex.now.people, failure.values
    for somebody in people.values():
        if asked := somebody.unanswered:
            text = f"Клиент спрашивает «{asked}», и проверка не знает, что ответить."
            return CannotDrive("question", text)
    if not ex.now.server.alive():
        return Failure("server_ended", ("server", 0), **values)
    if failure.screens:
        answers = people[values["speaker"]].program.lines(values["since"])
        if asked := next((line.strip() for line in answers if COMMAND.search(line)), ""):
            text = f"На сообщение чат отвечает «{asked}»: он ждёт команды, а проверка только пишет."
            return CannotDrive("command", text)
        ex.say(values["reader"])
        reader = people[values["reader"]].program
        if reader.shows(values["text"], failure.screens[0][1], 1.0):
            return Failure("after_enter", *failure.screens, **values)
    return failure


@check(
    "видно, кто написал сообщение",
    "На экране {reader} рядом с {text} должно стоять имя автора, {speaker}.",
    """
    none: Сервер пересылает байты как есть и не добавляет к ним имя того, от кого они пришли.
    other: Имя спрашивают, но до экрана других оно не доходит: клиент его не отправляет или сервер
        не хранит его вместе с соединением.
    reader: Рядом с сообщением стоит имя читателя. Возможно, цикл рассылки подставляет имя
        получателя (for conn, name in clients) вместо имени отправителя, или клиент ставит перед
        чужим сообщением своё имя, или имя хранится в одной общей переменной, которую изменил
        следующий участник.
        => На экране {reader} рядом с {text} должно стоять имя автора, {speaker}, а не читателя,
        {reader}.
    same: Пометка одна для всех авторов: сервер не добавляет к сообщению имя отправителя.
        => На экранах ann и bob должно быть видно, кто написал: сейчас у всех одна пометка
        «{mark}».
    """,
    AUTHOR,
    explain=False,
    remarks={"by_address": "имён нет, авторов различает адрес или номер"},
)
def author(ex: Examiner) -> str | None:
    """A message stands under the name of its author: not under nobody's, nor the reader's."""
    ex.talk("ann", "bob")
    found = {}
    for speaker, reader in ("ann", "bob"), ("bob", "ann"):
        text, since = ex.steady(speaker, reader)
        screen = (reader, since)
        found[speaker] = ex.mark_of(reader, text, since) or ""
        values = {"speaker": speaker, "reader": reader, "text": text}
        if names(found[speaker], speaker):
            ex.learn_mark(speaker, found[speaker])
        elif ex.named and names(found[speaker], reader):
            raise Failure("reader", screen, **values)
        elif ex.named or not found[speaker]:
            raise Failure("other" if found[speaker] else "none", screen, **values)
    if ex.named:
        return None
    if found["ann"] == found["bob"]:
        raise Failure("same", screen, mark=found["ann"], **values)
    ex.marks |= found
    return "by_address"


@check(
    "третий участник пишет и читает",
    HEARD,
    """
    refused: Сервер закрыл третье соединение или больше не вызывает accept: чат на двоих.
        => Третий клиент должен подключиться и остаться в чате.
    unheard: Сервер не читает третье соединение: accept вызывается не в цикле, или на каждого
        участника нет своего потока выполнения.
    deaf: Сервер пересылает сообщение не всем: третьего участника нет в списке для рассылки.
    """
    + HELD_UP,
    NOBODY_WAITS,
)
def third(ex: Examiner) -> None:
    """A third person hears and is heard."""
    ex.talk("ann", "bob")
    try:
        ex.newcomer_talks("refused", "unheard", "deaf", others=("ann", "bob"))
    except Failure as failure:
        raise ex.held_up(failure) from None


@check(
    "пустая строка никому не мешает",
    HEARD,
    """
    mute: После пустой строки сообщения не доходят. Пустое сообщение сервер принимает за конец
        данных или разбирает так, как будто текст есть. Конец данных — это b"" от recv, а не пустая
        строка после strip.
    ended: Пустое сообщение сервер принимает за конец данных и закрывает соединение, или клиент её
        не ждёт. Конец данных — это b"" от recv, а не пустая строка после strip.
        => Клиент bob должен остаться в чате: bob только нажал Enter.
    """,
    SAME,
    remarks={"leaves": "пустая строка завершает клиент"},
)
def empty(ex: Examiner) -> str | None:
    """Who presses Enter and has typed nothing stays in the chat."""
    now = ex.talk("ann", "bob", fresh="third" in ex.lost)
    bob = now.people["bob"].program
    ports = {each.port for each in system.sockets(bob.family()) if each.state == "connected"}
    since = bob.position
    ex.note("bob нажимает Enter, ничего не набрав")
    bob.types("")
    if bob.ends(0.7):
        by_server = ports & system.closed_here(now.server.process.pid, now.port)
        if by_server or "Traceback" in bob.raw(since):
            raise Failure("ended", ("bob", since))
        return "leaves"
    ex.must_hear("mute", "bob", "ann")
    ex.must_hear("mute", "ann", "bob")
    return None


@check(
    "одно и то же можно написать дважды",
    "На экране {reader} строка {text} от {speaker} должна появиться и во второй раз.",
    """
    dropped: Второе такое же сообщение не пришло: где-то новое сообщение сравнивают с прежним и
        повтор отбрасывают. Люди пишут «да» и дважды.
    """,
    SAME,
)
def twice(ex: Examiner) -> None:
    """The same line typed twice arrives twice."""
    now = ex.talk("ann", "bob", fresh="third" in ex.lost)
    text, _ = ex.steady("ann", "bob")
    now.calm()
    ex.must_hear("dropped", "ann", "bob", text=text)


@check(
    "занятое имя не выдаётся второй раз",
    "Второму участнику с именем ann чат должен отказать или дать другое имя.",
    """
    same: Сервер не сравнивает новое имя с именами тех, кто уже в чате.
    """,
    SAME,
    waits_for="third",
    graded=False,
    explain=False,
    remarks={"renamed": "второй ann чат дал другое имя"},
)
def name(ex: Examiner) -> str | None:
    """A name that is taken is refused."""
    if not ex.named:
        raise NotChecked("no_names", "чат не спрашивает имён")
    now = ex.talk("ann", "bob", fresh=True)
    usual = now.people["ann"].asked
    try:
        second = ex.join("ann", key="ann (2)")
    except ClientEnded:
        return None
    told = [line for line in second.program.lines() if line.strip()]
    if second.asked > usual or refused(told) or now.is_connected(second) is False:
        return None
    text, before = ex.say("ann (2)")
    if now.hear(["bob"], text, before):
        if not second.program.alive() or refused(second.program.lines()):
            return None
        raise NotChecked("second_mute", "вторую ann не слышно, причина неизвестна")
    found = ex.mark_of("bob", text, before["bob"]) or ""
    usual_mark = ex.marks.get("ann")
    if usual_mark and found != usual_mark and not names(found, "ann"):
        return "renamed"
    raise Failure("same", ("bob", before["bob"]), text=text)


# Much at once


@check(
    "десять строк сразу остаются десятью",
    "На экране bob должно появиться десять отдельных сообщений, каждое {as_whom}.",
    """
    glued: TCP передаёт поток байтов, а не сообщения: один вызов recv вернул сразу несколько
        сообщений. Нужна граница сообщения (перевод строки или длина перед текстом) и буфер, из
        которого берут только целые сообщения.
    lost: Часть сообщений потерялась, нет {text}: несколько сообщений пришли одним recv, и {who} их
        не разделил. Нужна граница сообщения.
    no_author: У {text} нет автора: несколько сообщений одним recv получил {who} и не разделил их.
        Нужна граница сообщения.
    """,
    FRAMES,
    graded=False,
    explain=False,
    remarks=CREDIT,
)
def lines(ex: Examiner) -> str:
    """Ten lines at once stay ten messages, each with its author."""
    if os.name != "posix":
        raise NotChecked(*NO_SIGNALS)
    now = ex.talk("ann", "bob", fresh=True)
    ann, bob = (now.people[name].program for name in ("ann", "bob"))
    for who, held in ("сервер", now.server), ("клиент bob", bob):
        texts = [ex.text() for _ in range(10)]
        since = bob.position
        ex.note("{} на мгновение приостановлен (SIGSTOP), чтобы строки пришли к нему вместе", who)
        held.signal(signal.SIGSTOP)
        ex.note("ann вставляет сразу десять строк: от {} до {}", texts[0], texts[-1])
        if held is now.server:
            ann.types("\n".join(texts))
        else:
            for text in texts:
                ann.types(text)
                time.sleep(0.05)
        ann.quiet(0.4, 3.0)
        time.sleep(0.2)
        held.signal(signal.SIGCONT)
        bob.shows(texts[-1], since, HEARS)
        bob.quiet(0.3, 2.0)
        ten_messages(ex, who, texts, since)
    return "credit"


def ten_messages(ex: Examiner, who: str, texts: list[str], since: int) -> None:
    """Check that bob's screen shows ten messages, each with its author."""
    drawn = ex.now.people["bob"].program.lines(since)
    values = {"as_whom": ex.as_whom("ann"), "who": who}
    if any(sum(text in line for text in texts) > 1 for line in drawn):
        raise Failure("glued", ("bob", since), **values)
    for text in texts:
        found = mark(drawn, text)
        if found is None:
            raise Failure("lost", ("bob", since), text=text, **values)
        of_ann = names(found, "ann") if ex.named else found == ex.marks.get("ann", found)
        if "author" in ex.passed and not of_ann:
            raise Failure("no_author", ("bob", since), text=text, **values)


@check(
    "3000 русских букв приходят целыми",
    "На экране bob должны появиться все 3000 букв подряд, одним сообщением.",
    """
    garbled: Русская буква занимает два байта, и recv вернул их в разных частях, а каждая часть
        декодируется отдельно. Сначала соберите сообщение целиком, затем вызовите decode.
    ascii: Ни одна буква не пришла: в кодировке ascii русских букв нет, encode('ascii') и
        decode('ascii') вызывают исключение. Укажите 'utf-8' в сервере и в клиенте.
    lost: Пришло {came} букв из 3000. recv вернул часть сообщения. Либо остаток отброшен, либо
        разбор этой части (decode, json.loads) вызвал исключение. Сначала соберите сообщение
        целиком.
    pieces: Длинное сообщение recv возвращает частями, и каждая часть пересылается или показывается
        как отдельное сообщение. Нужна граница сообщения.
    """,
    FRAMES,
    graded=False,
    explain=False,
    remarks=CREDIT,
)
def letters(ex: Examiner) -> str:
    """3,000 Cyrillic letters arrive whole, at odd and even offsets."""
    now = ex.talk("ann", "bob", fresh="lines" not in ex.passed)
    bob = now.people["bob"].program
    for offset in 0, 1:
        begin, end = "x" * offset + ex.text(), ex.text()
        before = bob.position
        ex.note("ann набирает строку из 3000 русских букв между двумя словами")
        if not now.people["ann"].program.types(begin + LETTERS + end):
            raise NotChecked("not_taken", "клиент не принял длинную строку")
        if not bob.shows(end, before, 1.0) and not bob.raw(before):
            bob.shows(end, before, 15.0)  # ann's line editor may draw letter by letter
        settled = bob.quiet(1.0, 4.0)  # also where the end never comes
        raw = bob.raw(before)
        if any(letters_whole(line, begin, LETTERS, end) for line in bob.lines(before)):
            continue
        broken = re.search("\ufffd|UnicodeDecodeError|can't decode byte", raw + now.server.raw())
        came = letters_that_came(raw, ALPHABET)
        unsure = 8 * len(bob.lines(before))  # where a piece begins or ends, some are not counted
        lost = settled and came < len(LETTERS) - unsure
        ascii_only = not came and ex.has(r"[\"'](us-)?ascii[\"']")
        verdict = "ascii" if ascii_only else "garbled" if broken else "lost" if lost else "pieces"
        raise Failure(verdict, ("bob", before), came=came)
    return "credit"


@check(
    "зависший получатель никому не мешает",
    "На экране bob должно появиться всё, что вставила ann: зависший клиент carl не должен мешать.",
    """
    all: Буферы зависшего получателя заполнились, и sendall (send) к нему блокируется, а вместе с
        ним рассылка всем остальным.
    """,
    STALLED,
    waits_for="third",
    graded=False,
    explain=False,
    remarks=CREDIT,
)
def stalled(ex: Examiner) -> str:
    """One client that does not read stops nobody."""
    if os.name != "posix":
        raise NotChecked(*NO_SIGNALS)
    # A terminal slows much text down, but some programs need one.
    took = flood_alone(ex, terminal=False) or flood_alone(ex, terminal=True)
    if took is None:
        raise NotChecked("no_flood", NO_FLOOD)
    carl = ex.now.people["carl"].program
    ex.done.clear()
    ex.note("клиент carl приостановлен (SIGSTOP): он подключён, но не читает")
    carl.signal(signal.SIGSTOP)
    time.sleep(0.1)
    before = ex.now.marks()["bob"]
    try:
        if not flood_arrives(ex, max(4.0, 3 * took + 2)):
            failure = Failure("all", ("bob", before))
            ex.photograph(failure)  # before carl reads again, and with him everybody
            raise failure
    finally:
        carl.signal(signal.SIGCONT)
    return "credit"


NO_FLOOD = "160 КБ строк не доходят и без зависшего получателя"


def flood_alone(ex: Examiner, terminal: bool) -> float | None:
    """Let ann flood while everybody reads; return the seconds it took, None if she is not heard."""
    now = ex.talk(fresh=True, small=True)
    if not now.small:
        raise NotChecked("no_buffers", "нужна отдельная сеть (Linux, пространства имён)")
    try:
        ex.join("ann", terminal=terminal)
    except ClientEnded:
        return None
    ex.talk("ann", "bob", "carl", small=True)
    text, before = ex.say("ann")
    if now.hear(["bob"], text, before):
        return None
    began = time.monotonic()
    if not flood_arrives(ex, 10.0):
        raise NotChecked("no_flood", NO_FLOOD)
    return time.monotonic() - began


def flood_arrives(ex: Examiner, seconds: float) -> bool:
    """Let ann paste 160 KB and say something; return whether bob sees what she says."""
    ann, bob = (ex.now.people[name].program for name in ("ann", "bob"))
    taken, began = threading.Event(), time.monotonic()
    ex.note("ann вставляет 160 КБ строк из букв x")

    def paste() -> None:
        if ann.types("\n".join(FLOOD), seconds):  # it may cease to take what is typed
            taken.set()

    threading.Thread(target=paste, daemon=True).start()

    def over() -> bool:
        idle = time.monotonic() - max(bob.last, began)
        return idle > STANDSTILL or (taken.is_set() and idle > 0.5)

    wait_for(over, seconds)
    for _ in range(2):  # the first one may be glued to the flood
        if taken.is_set():
            text, before = ex.say("ann")
            if not ex.now.hear(["bob"], text, before):
                return True
    return False
