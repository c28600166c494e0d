"""What the checks have in common: who asks, what was typed, how a check fails, and why."""

import itertools
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tools.check import reading, system
from tools.check.conversation import ClientEnded, Conversation, Participant, Recipe, ServerEnded
from tools.check.find import Submission
from tools.check.process import wait_for

HELD = 65.0  # seconds for which a system may keep a port from its next user


class Failure(Exception):
    """A check fails. `screens`: whose screens show it, and since when; `values` fill its words."""

    def __init__(self, verdict: str, *screens: tuple[str, int], **values: object) -> None:
        super().__init__(verdict)
        self.verdict, self.screens, self.values = verdict, screens, values
        # Taken by Examiner.photograph while the programs still run.
        self.pictures: list[tuple[str, str]] = []
        self.typed: list[str] | None = None
        self.server_said: list[str] = []
        self.reason = ""  # what the server's own error tells ...
        self.explained = False  # ... and whether that is all there is to say


class NotChecked(Exception):
    """A check cannot be made here; the text says why. It `costs` if it is the programs' fault."""

    def __init__(self, key: str, text: str, costs: bool = False) -> None:
        super().__init__(key)
        self.key, self.text, self.costs = key, text, costs


UNSTEADY = ("unsteady", "сообщения доходят не каждый раз", True)
NO_SIGNALS = ("no_stop", "на этой системе программу нельзя приостановить")


@dataclass
class Check:
    """A check, and all that is said of it.

    `words`: for each verdict a paragraph "verdict: the likely cause, in terms of the code", and
    behind "=>" what was expected, where that is another thing. `read`: a file below `steps` and a
    heading in it, under which the answer stands; `reads`: the same for single verdicts. `explain`:
    whether an error that the server tells of is a better cause.
    """

    title: str
    expected: str
    words: str
    read: tuple[str, str]
    reads: dict[str, tuple[str, str]] = field(default_factory=dict)
    waits_for: str = "talk"
    graded: bool = True
    explain: bool = True
    remarks: dict[str, str] = field(default_factory=dict)
    name: str = ""
    run: Callable[["Examiner"], str | None] | None = None

    def __post_init__(self) -> None:
        # For each verdict its cause, and what was expected.
        self.causes: dict[str, tuple[str, str]] = {}
        for paragraph in re.split(r"\n    (?=\w+: )", self.words)[1:]:
            verdict, _, text = " ".join(paragraph.split()).partition(": ")
            cause, _, expected = text.partition(" => ")
            self.causes[verdict] = cause, expected or self.expected

    def pointer(self, verdict: str) -> tuple[str, str]:
        """Return the file and the heading under which the answer to a verdict stands."""
        return self.reads.get(verdict, self.read)


CHECKS: dict[str, Check] = {}  # in the order in which they run


def check(*args: object, **kwargs: object) -> Callable:
    """Enter a function into the list of checks under its own name."""

    def enter(function: Callable[["Examiner"], str | None]) -> Callable:
        name = function.__name__
        CHECKS[name] = Check(*args, **kwargs, name=name, run=function)
        return function

    return enter


# What an error of the server means. The first pattern that fits decides.
ERRORS = [
    (r"changed size during iteration", "Список или словарь изменяется, пока его обходит цикл: "
     "обходите копию (for c in list(clients)) или собирайте ушедших и удаляйте после цикла."),
    (r"x not in list|\.remove\(|KeyError", "Того, кого удаляют или ищут, там уже (или ещё) нет: "
     "проверьте, кто добавляет и кто удаляет, и делайте это в одном месте (finally)."),
    (r"Bad file descriptor|descriptor cannot be a negative|WinError 10038|not a socket",
     "Сокет закрыт, но остался в списке или его ещё читают: удаляйте его из списка вместе с "
     "close, а после ошибки выходите из цикла."),
    (r"Broken pipe|BrokenPipe|ConnectionReset|ConnectionAborted|WinError 1005[34]|reset by peer",
     "Соединение с ушедшим оборвано (сброс, RST). Перехватите исключение (except OSError) вокруг "
     "recv и вокруг каждого send: рассылка идёт дальше, а удаляет и закрывает ушедшего его "
     "собственный поток, в finally."),
    (r"release un(locked|-acquired) lock", "Блокировку освобождает тот, кто её не захватывал: "
     "пишите with lock."),
    (r"Expecting value: line 1 column 1", 'json.loads получил пустые данные: recv вернул b"", '
     "соединение закончилось. Проверьте это до разбора и закройте это соединение."),
    (r"Extra data", "Несколько сообщений пришли одним recv: нужна граница сообщения."),
    (r"UnicodeDecodeError", "recv вернул часть символа: декодируйте только целое сообщение."),
]  # fmt: skip
LOCKED = (
    "После этого поток выполнения ждёт блокировку, которую никто не освободит: её захватили второй "
    "раз в том же потоке (lock внутри функции, которую вызвали с захваченным lock) или не "
    "освободили после исключения. Пишите with lock и не вызывайте под ним того, кто захватывает "
    "его снова."
)
HELD_UP = """
    pool: Похоже, пул потоков заполнен: каждое соединение занимает поток выполнения, пока не
        закончится, а следующие ждут. Создайте поток на каждого участника (threading.Thread).
    locked: Сервер ждёт первых байтов (recv) с захваченной блокировкой или захватывает её второй
        раз, и остальные ждут её. Под блокировкой только читайте и изменяйте общий список, а recv
        вызывайте без неё.
    """  # what keeps others from being served: see Examiner.held_up


class Examiner:
    """The submission under check, the conversation that is open, and what has been learnt."""

    def __init__(self, pair: Submission, place: Path) -> None:
        self.pair, self.place = pair, place
        self.recipe = Recipe()
        self.now: Conversation | None = None
        self.numbers = itertools.count(101)
        self.said: list[str] = []  # all messages
        self.done: list[tuple[str, ...]] = []  # what happened in this check: see told()
        self.passed: set[str] = set()  # checks
        self.lost: set[str] = set()  # checks that failed, and what waits for them
        self.named = False  # whether people have names in this chat
        self.marks: dict[str, str] = {}  # how messages name their authors
        self.deaths: list | None = None  # see coming.py
        self.ports: list[int] = []  # of the conversations so far
        self.began = 0  # where the server's screen was when the check began
        self.locks = 0  # threads of the server that waited for a lock then

    # Conversations

    def talk(self, *people: str, fresh: bool = False, small: bool = False) -> Conversation:
        """Return a conversation with exactly these people; the open one, if it fits."""
        now = self.now
        if now and (fresh or small != now.small or not self.fits(now, people)):
            self.close()
        if not self.now:
            self.open(small)
        if self.now.people:
            self.note("в чате: {}", ", ".join(self.now.people))
        for name in people:
            if name not in self.now.people:
                self.join(name)
        self.now.calm()
        self.mark_beginning()
        return self.now

    def crowd(self, most: int = 3) -> list[str]:
        """Return who takes part: fewer where the chat is one for two."""
        return ["ann", "bob", "carl"][: most if "third" in self.passed else 2]

    def open(self, small: bool = False) -> None:
        """Start a server. In the system's own network its port may be held for a minute."""
        self.began = 0
        self.now = Conversation(self.pair, self.place, self.recipe, small)
        try:
            self.now.start_server()
        except ServerEnded:
            if self.now.alone or not self.ports or not system.is_taken(self.ports[0]):
                raise
            wait_for(lambda: not system.is_taken(self.ports[0]), HELD)
            self.now.start_server()
        self.ports.append(self.now.port)

    def fits(self, now: Conversation, people: tuple[str, ...]) -> bool:
        """Return whether these people can go on in a conversation: others must not sit there."""
        alive = now.server is not None and now.server.alive()
        sitting = all(each.program.alive() for each in now.people.values())
        return alive and sitting and set(now.people) <= set(people)

    def close(self) -> None:
        """Leave the open conversation: the next check gets one of its own."""
        if self.now:
            self.now.close()
        self.now = None

    # What people do

    def note(self, pattern: str, *values: str) -> None:
        """Write down what happens, for the story."""
        self.done.append((pattern, *values))

    def join(self, name: str, say_name: bool = True, key: str = "", **options) -> Participant:
        """Let somebody start a client and enter the chat."""
        somebody = self.now.join(name, say_name, key, **options)
        with_name = " и вводят имя" if somebody.named else ""
        silent = "{} запускает клиент и ничего не вводит"
        self.note(f"запускают клиент{with_name}: {{}}" if say_name else silent, name)
        return somebody

    def text(self) -> str:
        """Return a message that nobody has typed yet."""
        return f"hello{next(self.numbers)}"

    def say(self, name: str, text: str = "") -> tuple[str, dict[str, int]]:
        """Let somebody type a message; return it, and where all screens were before."""
        text = text or self.text()
        before = self.now.marks()
        self.note("набирают: {}", f"{name}: {text}")
        self.said.append(text)
        self.now.people[name].program.types(text)
        return text, before

    def must_hear(
        self, verdict: str, speaker: str, *readers: str, text: str = "", **values: object
    ) -> str:
        """Let somebody type a message that these people have to see; return it."""
        text, before = self.say(speaker, text)
        if deaf := self.now.hear(list(readers), text, before):
            values |= {"speaker": speaker, "reader": deaf, "text": text}
            raise Failure(verdict, (deaf, before[deaf]), since=before[speaker], **values)
        return text

    def steady(self, speaker: str, reader: str) -> tuple[str, int]:
        """Let somebody be heard once more; return the message, and where the screen was before."""
        text, before = self.say(speaker)
        if self.now.hear([reader], text, before):
            raise NotChecked(*UNSTEADY)
        return text, before[reader]

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C in the server's window."""
        self.note("в окне сервера нажато Ctrl-C")
        self.now.server.signal(signal.SIGINT)

    def all_talk(self, verdict: str) -> None:
        """Check that ann and bob talk: several times, for the first `send` may still succeed."""
        for speaker, reader in ("ann", "bob"), ("bob", "ann"), ("ann", "bob"), ("bob", "ann"):
            self.must_hear(verdict, speaker, reader)
            time.sleep(0.2)

    def newcomer_talks(
        self, ended: str, unheard: str = "", deaf: str = "", others=("ann",)
    ) -> None:
        """Let carl join: he is heard and hears, at the second attempt at the latest."""
        try:
            self.join("carl")
        except ClientEnded:
            values = {"speaker": "carl", "reader": "ann", "text": self.text()}
            raise Failure(ended, ("carl", 0), **values) from None
        self.now.calm()
        for attempt in range(2):
            try:
                self.must_hear(unheard or ended, "carl", *others)
                self.must_hear(deaf or ended, "ann", "carl", *others[1:])
                return
            except Failure:
                if attempt:
                    raise

    # What they see

    def mark_of(self, reader: str, text: str, since: int) -> str | None:
        """Return how a message on somebody's screen names its author."""
        program = self.now.people[reader].program
        program.quiet(0.15, 1.0)
        return reading.mark(program.lines(since), text)

    def telling(self, reader: str, since: int, about: str) -> list[str]:
        """Return the lines that tell somebody news about a person: no messages, no prompts."""
        told = []
        form = self.mark_for(about)
        for line in self.now.news(reader, since):
            if messages := [text for text in self.said if text in line]:
                line = self.without_messages(line, messages, about)
            if re.search(r"[^\W\d_]{2}", line) and not reading.is_empty_message(line, form, about):
                told.append(line)
        return told

    def without_messages(self, line: str, messages: list[str], about: str) -> str:
        """Return what a line tells besides messages: glued to them, there may be news."""
        for text in messages:
            line = line.replace(text, " ")
        people = {*self.now.people, about, "ann", "bob", "carl"}
        forms = {*(self.mark_for(each) for each in people), *self.marks.values()} - {""}
        for form in sorted(forms, key=len, reverse=True):
            if form in line:
                line = line.replace(form, " ", 1)
                break
        rest = reading.bare(line)
        return rest if re.search(r"[^\W\d_]{2}", re.sub(re.escape(about), "", rest)) else ""

    def mark_for(self, author: str) -> str:
        """Return how messages name this author, as far as that is known."""
        return self.marks.get(author) or self.marks.get("*", "").replace("*", author)

    def learn_mark(self, author: str, found: str) -> None:
        """Keep how messages name this author, and so how they name others."""
        self.marks[author] = found
        if reading.names(found, author):
            self.marks["*"] = re.sub(re.escape(author), "*", found, flags=re.IGNORECASE)

    def as_whom(self, who: str) -> str:
        """Return by what people know each other here."""
        by_address = f"с адресом или номером, по которому узнают {who}"
        return f"с именем {who}" if self.named else by_address

    # How a check fails

    def mark_beginning(self) -> None:
        """Remember how the server was before the check did anything to it."""
        server = self.now.server
        self.began, self.locks = server.position, system.waiting_for_locks(server.family())

    def photograph(self, failure: Failure) -> None:
        """Keep what is on the screens, what was typed, and what the server said: once."""
        if failure.typed is not None:
            return
        now, failure.typed = self.now, self.typed()
        if not now or not now.server:
            return
        programs = {who: each.program for who, each in now.people.items()} | {"server": now.server}
        shown = {who: since for who, since in failure.screens if who in programs}
        for who, since in shown.items():
            programs[who].quiet(0.1, 0.5)
            failure.pictures.append((who, programs[who].raw(since)))
        raw = now.server.raw(min(self.began, now.server.position))
        said, folder = reading.traceback_of(raw), str(self.pair.folder)
        # Whose client has an error that was not handled sees nothing from then on.
        screens = [programs[who].raw() for who in shown if who != "server"]
        traces = [*map(reading.traceback_of, screens), said]
        error = next(filter(None, (reading.own_error(each, folder) for each in traces)), {})
        failure.reason, failure.explained = self.reason(error, reading.told_error(raw))
        if "server" not in dict(failure.pictures):
            failure.server_said = reading.visible(said or reading.told_error(raw), folder=folder)

    def reason(self, error: dict[str, str], told: str) -> tuple[str, bool]:
        """Return what the server's own error tells or "", and whether its meaning is known."""
        found, line = f"Сервер сообщает: {told}." if told else "", told
        if error:
            line = "{code} {error}".format(**error)
            found = (
                "В {file}, строка {line} ({code}), возникает {error}, и исключение не обработано: "
                "поток выполнения, в котором оно возникло, на этом завершается."
            ).format(**error)
        meaning = next((text for fits, text in ERRORS if re.search(fits, line)), "")
        parts = [found, meaning if found else "", LOCKED if self.a_lock_was_kept() else ""]
        return " ".join(part for part in parts if part), bool(meaning or parts[2])

    def held_up(self, failure: Failure) -> Failure:
        """Return a failure with the verdict that tells what keeps others from being served."""
        sitting = len(self.now.people) + len(self.now.bare)
        full = 0 < self.pool() < sitting
        verdict = "pool" if full else "locked" if self.a_lock_was_kept() else failure.verdict
        return Failure(verdict, *failure.screens, **failure.values)

    def pool(self) -> int:
        """Return how many threads a pool in the submission has, or 0: none, or one that grows."""
        found = re.search(r"Pool\w*\((?:\w+\s*=\s*)?(\w+)", self.pair.sources)
        if not found or not self.has(r"\.(?:submit|apply_async|execute|map\w*)\("):
            return 0
        named = re.search(rf"^\s*{found[1]}\s*=\s*(\d+)", self.pair.sources, re.M)
        number = named[1] if named else found[1]
        return int(number) if number.isdigit() else 0

    def a_lock_was_kept(self) -> bool:
        """Return whether more of the server's threads wait for a lock than before the check."""
        locks = self.has(r"lock|mutex|synchronized|acquire")
        if not locks or self.has(r"queue\.|asyncio") or self.pool():  # idle threads wait, too
            return False
        return system.waiting_for_locks(self.now.server.family()) > self.locks

    def has(self, pattern: str) -> bool:
        """Return whether this stands anywhere in the submission."""
        return bool(re.search(pattern, self.pair.sources, re.IGNORECASE))

    def typed(self) -> list[str]:
        """Return what happened, in words; what several people do in turn is one line."""
        told: list[str] = []
        for pattern, run in itertools.groupby(self.done, key=lambda each: each[0]):
            values = [each[1:] for each in run]
            if pattern.endswith(": {}") and pattern.count("{") == 1:
                between = "; " if "набирают" in pattern else ", "
                told.append(pattern.format(between.join(each[0] for each in values)))
            else:
                told += dict.fromkeys(pattern.format(*each) for each in values)
        return told
