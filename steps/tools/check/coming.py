"""What the checker asks of people who come, go, break off or say nothing, and of Ctrl-C."""

import ast
import os
import re
import signal
import time
from dataclasses import dataclass, field

from tools.check import system
from tools.check.conversation import Participant, ServerEnded
from tools.check.examiner import HELD_UP, UNSTEADY, Examiner, Failure, NotChecked, check
from tools.check.process import wait_for
from tools.check.reading import TIME, names, repeated_error, told_who
from tools.check.talking import ENDING, HEARD, NEWS, NOBODY_WAITS, ONE_ERROR, STEP1, STEP2

LATE = """
    late: Сервер замечает уход, только когда пытается отправить сообщение и получает ошибку. О
        конце соединения сообщает recv: он возвращает b"" или вызывает исключение.
    """
BY_ADDRESS = {"by_address": "названы адрес или номер"}

TOLD = 2.0  # seconds in which people learn who came and who went
STOPS = 2.0
WORDS = 15.0  # for words to leave with
SLACK = 0.4  # seconds that a busy machine may add
BUSY, VERY_BUSY = 0.35, 0.6  # of a processor: all the time; at first, until something blocks
FLOOD_OUTPUT = 8_000  # bytes a second, of a program that has nothing to tell
MANY = 30  # times that one line stands on a screen
USUAL = ["/quit", "exit", "/exit", "quit", "q", "bye"]  # a Russian one ends who writes in ascii
LEAVING = (
    r"[/\\!:.#{_]{0,2}(?:exit|quit|leave|bye|goodbye|stop|close|end|logout|disconnect|out|q|x|off"
    r"|выход|выйти|пока|стоп|конец|закрыть|отключиться)[}!]?(?:\(\))?"
    r"(?:[ _](?:the )?chat| из чата)?"
)
TO_LEAVE = re.compile(r"exit|quit|leave|log ?out|disconnect|выход|выйти|покин|заверш|отключ", re.I)
SHOWN = re.compile(r"[\"'`«<]([^\"'`»>]{1,20})[\"'`»>]|(?<!\S)([/\\!:]\w{1,15})")
COMPARED = re.compile(r"(?:==|\bin|equals\(|===|case)\s*[\[({]*\s*[\"']([^\"'\s{}%]{1,15})[\"']")


def told(
    ex: Examiner, about: str, before: dict[str, int], speaker: str, **values: str
) -> str | None:
    """Find out what the others were told; `speaker` then says something, lest it come late."""
    now, others = ex.now, list(before)

    def learnt() -> dict[str, str]:
        return {name: told_who(ex.telling(name, before[name], about), about) for name in others}

    wait_for(lambda: set(learnt().values()) == {"who"}, TOLD)
    first = learnt()
    deaf = next((name for name in others if first[name] != "who"), None)
    if deaf is None:
        return None
    if first[deaf] == "not_who" and not ex.named:
        lines = ex.telling(deaf, before[deaf], about)
        if any(re.search(r"\d", TIME.sub("", line)) for line in lines):
            return "by_address"
    screen = deaf, before[deaf]
    values |= {"who": about, "reader": deaf, "as_whom": ex.as_whom(about)}
    verdict = first[deaf] if now.server.alive() else "nothing"
    failure = Failure(verdict, screen, **values)
    ex.photograph(failure)  # before what follows causes errors of its own
    if first[deaf] == "nothing":
        now.calm()
        for _ in range(2):
            text, _ = ex.say(speaker)
            now.hear([n for n in others if n != speaker], text, before, 1.0)
            time.sleep(0.3)  # as people do: the server learns of a reset in between
            now.calm()
        if set(learnt().values()) == {"who"}:
            raise Failure("late", screen, **values)
    raise failure


@check(
    "остальные узнают, кто пришёл",
    "На экране {reader} должна появиться строка о том, что {who} теперь в чате, {as_whom}.",
    """
    nothing: Сервер добавляет участника в список, но ничего не рассылает остальным.
    not_who: Сервер сообщает о подключении до того, как узнал имя, или не вставляет имя в строку.
    late: Известие приходит только вместе с чьим-то сообщением: сервер рассылает его не при входе,
        а при следующей рассылке.
    """,
    NEWS,
    remarks=BY_ADDRESS,
)
def joined(ex: Examiner) -> str | None:
    """The others learn who came."""
    *others, newcomer = ex.crowd()
    before = ex.talk(*others).marks()
    ex.join(newcomer)
    return told(ex, newcomer, before, speaker=newcomer)


# Who is killed: one experiment for three checks


@dataclass
class Death:
    """What was seen when a client was killed."""

    measured: bool  # whether the system tells how much the server uses the processor
    failed: dict[str, Failure] = field(default_factory=dict)  # for each check what it found
    remark: str | None = None
    kept: int = 0  # connections of those who have left that the server has not closed


def deaths(ex: Examiner, name: str) -> list[Death]:
    """Kill a client in both ways, once: the system sends the end of the stream (FIN), or a reset.

    Raises what this check has found.
    """
    if ex.deaths is None:
        ex.deaths = [die(ex, reset=False)]
        if os.name == "posix":
            ex.close()
            ex.done.clear()
            ex.deaths.append(die(ex, reset=True))
        ex.close()
    for death in ex.deaths:
        if name in death.failed:
            raise death.failed[name]
    return ex.deaths


def die(ex: Examiner, reset: bool) -> Death:
    """Kill a client, measure at once, see what the others learn, and whether they still talk."""
    *others, victim = ex.crowd()
    now = ex.talk(*others, victim)
    pids = now.server.family()
    if reset:
        ex.note("клиент {} приостановлен (SIGSTOP), ему пишут, и он завершён: сервер получает "
                "сброс (RST), а не конец данных", victim)  # fmt: skip
        leaver = now.people[victim].program
        leaver.signal(signal.SIGSTOP)
        wait_for(lambda: system.is_held(leaver.process.pid), 2.0)
        text, marks = ex.say("ann")
        now.hear(others[1:], text, marks)
        time.sleep(0.3)
    load, output = [], []  # of a processor; bytes a second of all: before, then twice after
    for number in range(3):
        if number == 1:
            before = {name: at for name, at in now.marks().items() if name != victim}
            since = now.server.position
            if not reset:
                ex.note("окно клиента {} закрыто (процесс завершён без предупреждения)", victim)
            now.kill(victim)
            time.sleep(0.15)
        programs = [now.server, *(each.program for each in now.people.values())]
        written = sum(each.position for each in programs)
        used, began = system.processor_time(pids), time.monotonic()
        time.sleep(0.5)
        passed = time.monotonic() - began
        load.append(((system.processor_time(pids) or 0) - (used or 0)) / passed)
        output.append((sum(each.position for each in programs) - written) / passed)
    death = Death(measured=used is not None)
    for name in "idle", "left", "survives":
        try:
            if name == "idle":
                is_idle(load, output, *repeated_error(now.server.raw(since)))
            elif name == "left":
                death.remark = told(ex, victim, before, speaker="ann")
            elif "third" in ex.passed:
                ex.all_talk("killed")
        except Failure as failure:
            ex.photograph(failure)
            death.failed[name] = failure
    death.kept = sum(each.state == "left" for each in system.sockets(now.server.family()))
    return death


def is_idle(load: list[float], output: list[float], line: str, times: int) -> None:
    """Check that the server did nothing after a death; `line` is the error it told most often."""
    first, *later = load
    before, *after = output
    values = {"line": line, "load": round(100 * max(later)), "rate": round(min(after) / 1000)}
    again = "repeats" if times >= MANY else ""
    if min(first, *later) >= BUSY:
        raise Failure("always", ("server", 0), **values | {"load": round(100 * first)})
    if min(later) >= BUSY or later[0] >= VERY_BUSY:
        raise Failure(again or "spins", ("server", 0), **values)
    if min(after) >= FLOOD_OUTPUT > before:
        raise Failure(again or "prints", ("server", 0), **values)


@check(
    "остальные узнают, кто ушёл",
    "На экране {reader} должна появиться строка о том, что {who} больше не в чате, {as_whom}.",
    """
    nothing: После конца соединения (recv вернул b"") или исключения OSError остальным ничего не
        рассылают. Сообщайте об уходе в finally: тогда об этом узнают, как бы участник ни ушёл.
    not_who: Сервер сообщает об уходе, но не вставляет имя: запомните имя вместе с соединением.
    """
    + LATE,
    NEWS,
    remarks=BY_ADDRESS,
)
def left(ex: Examiner) -> str | None:
    """The others learn who went, also where the client was killed, in both ways."""
    return deaths(ex, "left")[0].remark


@check(
    "после ухода клиента сервер не занят",
    "Сервер ждёт и почти не занимает процессор. Сейчас он занимает {load} % процессорного ядра.",
    """
    spins: Цикл не заканчивается, когда клиент ушёл: recv снова и снова возвращает b"". Пустой
        результат означает конец соединения, здесь нужен break.
    repeats: Одно и то же исключение возникает снова и снова: «{line}». Цикл перехватывает его и
        продолжается. После такого исключения соединения больше нет: нужен break.
        => Сервер ждёт и ничего не выводит, когда клиент ушёл.
    always: Какой-то цикл повторяется без ожидания: снова и снова проверяет сокет
        (setblocking(False), пустой except), очередь или переменную. Пусть поток выполнения
        блокируется в accept, recv или queue.get.
        => Сервер ждёт и почти не занимает процессор. Он занимает {load} % процессорного ядра ещё
        до того, как кто-то ушёл.
    prints: Цикл печатает или рассылает одно и то же без конца: recv возвращает b"" или вызывает
        исключение, а цикл не заканчивается.
        => Сервер молчит, пока никто не пишет. Сейчас программы выводят {rate} КБ в секунду.
    """,
    NEWS,
    {"always": STEP2},
    explain=False,
)
def idle(ex: Examiner) -> None:
    """After a client was killed the server does nothing."""
    if not deaths(ex, "idle")[0].measured:
        raise NotChecked("no_processor_time", "эта система не сообщает время процессора")


@check(
    "чат переживает обрыв связи",
    HEARD,
    """
    killed: После ухода одного участника рассылка обрывается: send ушедшему вызывает исключение,
        которое не обработано, или ушедший остался в списке.
    closed: Соединение, которое сразу закрыли, мешает остальным: исключение в send или recv для
        него не обработано.
    closed_newcomer: Исключение из-за соединения, которое сразу закрыли, остановило цикл с accept:
        новых участников никто не принимает.
    """,
    ONE_ERROR,
    waits_for="third",
    remarks={
        "kept": "но соединения ушедших остаются открытыми: удаляйте ушедшего из списка и "
        "закрывайте его сокет, except с pass только скрывает ошибку",
        "changes": "но цикл изменяет список или словарь, который обходит: обходите копию, "
        "list(...)",
    },
)
def survives(ex: Examiner) -> str | None:
    """The others still talk after a client was killed, and after connect-and-close."""
    found = deaths(ex, "survives")
    now = ex.talk("ann", "bob")
    ex.note("кто-то дважды подключился и сразу закрыл соединение")
    for seconds in 0, 0.2:  # before the server has said anything, and after it
        if connection := now.connect():
            time.sleep(seconds)
            connection.close()
        time.sleep(0.2)
    ex.all_talk("closed")
    ex.newcomer_talks("closed_newcomer")
    if any(death.kept for death in found) or never_removes(ex):
        return "kept"
    return "changes" if changes_what_it_walks(ex.pair.server.source) else None


def never_removes(ex: Examiner) -> bool:
    """Return whether a server in Python hides errors and takes nobody out of its list."""
    source = ex.pair.server.source
    hides = re.search(r"except[^\n]*:\s*(?:#[^\n]*\s*)?(?:pass|continue)\b", source)
    keeps = re.search(r"\.append\(|\w\[\w+\] = ", source)
    removes = re.search(r"\.(?:remove|discard|pop|clear)\(|\bdel |-= |\bif \w+ not in", source)
    return bool(hides and keeps and not removes)


@check(
    "чат переживает сброс нового соединения",
    HEARD,
    """
    talk: ConnectionResetError одного соединения не обработан и мешает остальным.
    newcomer: ConnectionResetError остановил цикл с accept: новых участников никто не принимает.
    """,
    ONE_ERROR,
    waits_for="survives",
    graded=False,
)
def reset(ex: Examiner) -> None:
    """The others still talk after somebody has connected and reset the connection."""
    now = ex.talk("ann", "bob", fresh=True)
    ex.note("кто-то несколько раз подключился и сразу разорвал соединение (RST)")
    for _ in range(6):  # the server may be quicker than the reset, but not each time
        if connection := now.connect():
            now.reset(connection)
        time.sleep(0.1)
    ex.all_talk("talk")
    ex.newcomer_talks("newcomer")


def changes_what_it_walks(source: str) -> bool:
    """Return whether a loop in Python takes something out of the very list or dict it walks."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # another language
        return False
    for loop in (node for node in ast.walk(tree) if isinstance(node, ast.For)):
        walked = re.sub(r"\.(?:items|keys|values)\(\)$", "", ast.unparse(loop.iter))
        taken = re.escape(walked)
        body = ast.unparse(loop.body)
        if re.search(rf"\bdel {taken}\[|(?<![\w.]){taken}\.(?:remove|discard|pop)\(", body):
            return True
    return False


# Who says nothing


@check(
    "тот, кто не ввёл имя, никому не мешает",
    HEARD,
    """
    talk: Пока один участник молчит, стоят все: сервер ждёт его имени (recv) там, где обслуживает и
        других, или держит при этом блокировку.
    newcomer: Имя читается (recv) в том же цикле, что и accept: пока один участник не ввёл имя,
        новых никто не принимает. Читайте имя в потоке выполнения этого участника.
    """
    + HELD_UP,
    NOBODY_WAITS,
    waits_for="third",
)
def silent(ex: Examiner) -> None:
    """Somebody who has started a client and typed no name keeps nobody from talking."""
    ex.talk("ann", "bob", fresh="left" in ex.lost)
    ex.join("dora", say_name=False)
    nobody_is_held_up(ex)


@check(
    "соединение, которое молчит, никому не мешает",
    HEARD,
    """
    talk: Соединение, по которому ничего не приходит, останавливает сервер: он ждёт первых байтов
        (recv) там, где обслуживает и других.
    newcomer: Первое сообщение читается (recv) в том же цикле, что и accept: соединение, по
        которому ничего не приходит, не пускает в чат новых участников.
    """
    + HELD_UP,
    NOBODY_WAITS,
    waits_for="silent",
    graded=False,
)
def bare(ex: Examiner) -> None:
    """A connection that sends nothing keeps nobody from talking."""
    now = ex.talk("ann", "bob", fresh=True)
    ex.note("кто-то подключился без клиента (как telnet) и ничего не отправляет")
    if not now.connect():
        raise NotChecked(*UNSTEADY)
    time.sleep(0.2)
    nobody_is_held_up(ex)


def nobody_is_held_up(ex: Examiner) -> None:
    """Check that the people here still talk, and that a newcomer can."""
    try:
        ex.must_hear("talk", "ann", "bob")
        ex.must_hear("talk", "bob", "ann")
        ex.newcomer_talks("newcomer")
    except Failure as failure:
        raise ex.held_up(failure) from None


# Who leaves with a word


@check(
    "из чата можно выйти",
    "Клиент {who} должен завершиться сам после слова, пустой строки или Ctrl-D.",
    """
    none: Слово для выхода не найдено: клиент ни на одно из опробованных не завершился. Если слово
        есть, назовите его в приветствии клиента.
    crashes: Слово для выхода не найдено, а конец ввода не обработан: input вызывает исключение
        EOFError.
    hangs: Клиент больше ничего не отправляет, но процесс работает: поток выполнения ждёт в recv
        или input. close не прерывает recv в другом потоке: вызовите перед ним
        shutdown(socket.SHUT_RDWR) или создайте поток с daemon=True.
        => Клиент {who} должен завершиться: это для него знак выйти ({word}).
    nothing: Клиент завершается, но сервер не рассылает остальным известие об уходе.
        => {who} выходит ({word}): на экране {reader} должна появиться строка о том, что {who}
        больше не в чате, {as_whom}.
    """
    + LATE
    + """
        => {who} выходит ({word}): на экране {reader} должна сразу появиться строка о том, что {who}
        больше не в чате.
    """,
    ENDING,
    dict.fromkeys(["nothing", "late"], NEWS),
    remarks=BY_ADDRESS
    | {
        "error": 'но клиент заканчивает с traceback: после выхода recv возвращает b"" или вызывает '
        "исключение, проверьте это до разбора",
    },
)
def word(ex: Examiner) -> str | None:
    """There is a word, an empty line or Ctrl-D to leave with, and the others are told."""
    now = ex.talk(*ex.crowd(), fresh=True)
    leaver = list(now.people.values())[-1]
    done, tried = list(ex.done), []
    deadline = time.monotonic() + WORDS
    empty_line = [] if "empty" in ex.lost else [""]  # it is no wish to leave, but an error
    for way in [*words_to_leave(ex, leaver), *empty_line, None]:
        if way and time.monotonic() > deadline:
            continue
        ex.done[:] = done
        before = now.marks()
        shown = "Ctrl-D" if way is None else way or "пустая строка"
        tried.append(shown)
        outcome = leaves(ex, leaver, way)
        if outcome == "stays":
            continue
        if outcome != "leaves":
            screen = (leaver.name, before[leaver.name])
            raise Failure(outcome, screen, who=leaver.name, word=shown)
        ex.said += [way] if way else []  # as a message it may reach the others: that is no news
        untidy = "Traceback" in leaver.program.raw(before.pop(leaver.name))
        try:
            remark = told(ex, leaver.name, before, speaker="ann", word=shown)
            return remark or ("error" if untidy else None)
        except Failure as failure:
            if failure.verdict == "not_who":  # the check `left` is about that
                return None
            raise
    ex.done[:] = done
    ex.note("{} пробует выйти: {}", leaver.name, ", ".join(tried))
    raise Failure("none", (leaver.name, before[leaver.name]), who=leaver.name)


def words_to_leave(ex: Examiner, leaver: Participant) -> list[str]:
    """Return the words to try: first those that the program itself names, on the screen."""
    screen = leaver.program.raw()
    if help_ := re.search(r"(?<![\w/])[/!:]?(?:help|справка|помощь)\b", screen, re.IGNORECASE):
        since = leaver.program.position
        leaver.program.types(help_[0])
        leaver.program.quiet(0.4, 1.5)
        screen += leaver.program.raw(since)
    named = []
    for line in filter(TO_LEAVE.search, screen.splitlines()):
        named += [quoted or plain for quoted, plain in SHOWN.findall(line)]
    beside = re.findall(rf"[\"'`«<(\s]({LEAVING})[\"'`»>)\s,.]", screen, re.IGNORECASE)
    named += [each for each in beside if not re.fullmatch("x|off|end|close|out", each, re.I)]
    in_source = re.findall(rf"[\"']({LEAVING})[\"']", ex.pair.sources, re.IGNORECASE)
    compared = COMPARED.findall(ex.pair.client.source)
    return list(dict.fromkeys([*named, *in_source, *compared[:6], *USUAL]))[:18]


def leaves(ex: Examiner, leaver: Participant, way: str | None) -> str:
    """Try one way to leave: "leaves", "hangs", "crashes" or "stays"."""
    now, program = ex.now, leaver.program
    before = now.marks()
    if way is None:
        ex.note("{} нажимает Ctrl-D (конец ввода)", leaver.name)
        program.ends_input()
    else:
        doing = "{} набирает: {}" if way else "{} нажимает Enter, ничего не набрав"
        ex.note(doing, leaver.name, way)
        program.types(way)

    def others_were_told() -> bool:
        lines = ex.telling("ann", before["ann"], leaver.name)
        return any(names(line, leaver.name) and not (way and way in line) for line in lines)

    def is_a_message() -> bool:
        lines = now.people["ann"].program.lines(before["ann"])
        return bool(way) and any(way in line for line in lines)

    def crashed() -> bool:
        return way is None and "Traceback" in program.raw(before[leaver.name])

    wait_for(
        lambda: not program.alive() or is_a_message() or others_were_told(), 0.8 if way else 1.5
    )
    if program.ends(1.2 if others_were_told() else 0.35 if is_a_message() else 0.05):
        return "crashes" if crashed() else "leaves"
    if crashed():
        return "crashes"
    known = bool(way) and way in ex.pair.client.source
    if is_a_message() and not others_were_told() and not known:
        return "stays"
    # Not the end, nor only a message: does the client still send?
    text, marks = ex.say(leaver.name)
    if not now.hear(["ann"], text, marks):
        ex.done.pop()
        return "stays"
    return "leaves" if program.ends(1.5) else "hangs"


# The end of the server


@check(
    "Ctrl-C останавливает сервер",
    "Сервер должен завершиться за 2 секунды, хотя клиенты подключены.",
    """
    hangs: Процесс ждёт потоки выполнения участников, которые блокируются в recv. close в другом
        потоке recv не прерывает: создайте эти потоки с daemon=True или вызовите
        shutdown(socket.SHUT_RDWR) для их сокетов. Так же бывает, если KeyboardInterrupt перехвачен
        внутри цикла.
    """,
    ENDING,
    explain=False,
)
def stop(ex: Examiner) -> None:
    """Ctrl-C ends the server within 2 seconds with clients connected."""
    if os.name != "posix":
        raise NotChecked("no_ctrl_c", "на этой системе нажать Ctrl-C в другом окне нельзя")
    now = ex.talk("ann", "bob", fresh=True)
    ex.steady("ann", "bob")
    since = now.server.position
    ex.press_ctrl_c()
    if not now.server.ends(STOPS + SLACK):
        raise Failure("hangs", ("server", since))


@check(
    "сервер сразу запускается снова",
    "Сервер должен сразу занять порт {port} снова.",
    """
    busy: Порт ещё числится за старыми соединениями (TIME_WAIT): до bind нужен вызов
        setsockopt(SOL_SOCKET, SO_REUSEADDR, 1).
    """,
    STEP1,
    graded=False,
    explain=False,
)
def restart(ex: Examiner) -> None:
    """The server starts again at once on its port."""
    now = ex.now
    if not now or len(now.people) < 2 or not now.server:
        now = ex.talk("ann", "bob", fresh=True)
    if os.name == "posix":
        ex.press_ctrl_c()
    if not now.server.ends(STOPS if os.name == "posix" else 0):
        ex.note("сервер завершён принудительно")
        now.server.kill()
    port = now.port
    ex.note("сервер сразу запущен снова")
    try:
        now.start_server()
    except ServerEnded:
        raise Failure("busy", ("server", 0), port=port) from None
    if now.port != port:
        if len(ex.ports) > 1 and set(ex.ports) == {port}:  # it has always been this one
            raise Failure("busy", ("server", 0), port=port)
        raise NotChecked("port_changes", "порт каждый раз новый")
