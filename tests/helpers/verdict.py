"""The verdict on somebody else's server or client, in Russian, the first cause first."""

import ast
import contextlib
import re
import sys

import pytest

from marks import TOPICS
from tools.harness import STEPS, NotAsTold, Story, shown, wait_until

STORY = pytest.StashKey[Story]()
GIVEN_UP = "прервано: слишком много проверок подряд не прошли"
EVERY_STEP = "test_every_step.py"  # each of its tests runs once for each step
A_MOMENT = 1.0  # seconds in which a program that has failed has said why
SILENT = "to standard error ''"
NOT_STARTED = "to print 'listening on '"  # what is expected of a server that starts
MOST_EVENTS = 12  # lines of the story of a failure

VERBS = {
    "sends": "отправляет",
    "sends bytes": "отправляет байты",
    "gets": "получает",
    "types": "вводит",
    "closes": "закрывает соединение",
    "half-closes": "закрывает передачу (FIN)",
    "resets": "обрывает соединение (RST)",
    "floods with": "отправляет без остановки",
    "connects": "подключается",
    "connects and does not read": "подключается и ничего не читает",
}
MESSAGES = ("sends", "gets", "types")  # of these, an empty one is shown, too
LONG = re.compile(r"\((\d+) long\)$")
WHO = {"everybody": "тест", "server": "сервер", "client": "клиент"}
# How the harness puts it, and what a student reads. What is not here stays as it is.
WORDS = [
    (r"nothing came within ([\d.]+) s", r"за \1 с ничего не пришло"),
    (r"not a whole message: ", "неполное сообщение: "),
    (r"the connection was closed", "соединение закрыто"),
    (r"the connection was lost", "соединение оборвано"),
    (r"to end within ([\d.]+) s", r"завершение за \1 с"),
    (r"it runs on", "программа продолжает работать"),
    (r"the end of the stream", "конец данных (FIN)"),
    (r"it goes on", "соединение остаётся открытым"),
    (r"to print ", "строку "),
    (r"it printed ", "напечатано "),
    (r"a line of the server's, ", "служебную строку сервера "),
    (r"to be connected", "соединение"),
    (r"to be heard by the server", "что сервер примет данные"),
    (r"^got ''$", "пришла пустая строка, ''"),
    (r"^got ", "пришло "),
    (r"(\d+) bytes", r"\1 байт"),
    (r"\((\d+) long\)", r"(длина \1)"),
    (r"it did not come true", "этого не произошло"),
    (r"to rest", "отсутствие нагрузки, когда никто не пишет"),
    (r"it burnt ([\d.]+) s of processor time in a second: does `recv` return b''\?",
     r"за секунду израсходовано \1 с процессорного времени: recv возвращает b''?"),
]  # fmt: skip


def russian(text: str) -> str:
    for english, translation in WORDS:
        text = re.sub(english, translation, text)
    return text


def step_of(item: pytest.Item) -> int | None:
    """Return the step that a test is about; None if it is about no step."""
    if item.path.name == EVERY_STEP:
        return item.callspec.params["step"]
    return getattr(item.module, "STEP", None)


def contract_of(item: pytest.Item) -> tuple[str, str]:
    """Return the topic and the sentence of a test."""
    mark = item.get_closest_marker("contract")
    topic, sentence = mark.args if mark else ("start", item.name)
    return "exercise" if exercise_of(item) else topic, sentence  # it may use a test of its step


def exercise_of(item: pytest.Item) -> str:
    """Return the number of the exercise that a test belongs to, such as 3.2; else ""."""
    name = item.path.stem.removeprefix("test_").replace("_", ".")
    return name if item.path.parent.name == "exercises" else ""


def task(exercise: str, guide: str) -> str:
    """Return the heading of an exercise in the guide of its step."""
    text = (STEPS[1].parent.parent / guide).read_text("utf-8")
    return re.search(rf"^##+ (?:Упражнение )?({re.escape(exercise)}\. .+)$", text, re.M)[1]


def order(item: pytest.Item) -> int:
    """Return the place of a test in a verdict."""
    return list(TOPICS).index(contract_of(item)[0])


def of(item: pytest.Item, call: pytest.CallInfo) -> dict:
    """Return what a verdict says of one test: JSON, for it may come from another process."""
    topic, sentence = contract_of(item)
    case = item.callspec.id if hasattr(item, "callspec") and "prop" not in item.fixturenames else ""
    case = re.sub(r"^step\d-?|-step\d$", "", case)
    told: list[str] = []
    story = item.stash.get(STORY, None)
    if call.excinfo:
        told = tell(story, call.excinfo) if story else [first_line(call.excinfo)]
    return {
        "step": step_of(item),
        "topic": topic,
        "exercise": exercise_of(item),
        "sentence": sentence,
        "case": case,
        "told": told,
        "not started": bool(story) and story.end[1] == NOT_STARTED and SILENT not in story.end[2],
    }


def first_line(excinfo: pytest.ExceptionInfo) -> str:
    return f"{excinfo.typename}: {str(excinfo.value).partition(chr(10))[0]}"


def tell(story: Story, excinfo: pytest.ExceptionInfo) -> list[str]:
    """Return the story of a failure in Russian."""
    who, expected, instead = story.end
    events = story.last(who)
    lines = ["..."] if len(events) > MOST_EVENTS else []
    for name, verb, what in events[-MOST_EVENTS:]:
        message = shown(what) if what or verb in MESSAGES else ""
        words = (WHO.get(name, name), VERBS.get(verb, verb), LONG.sub(r"(длина \1)", message))
        lines.append(" ".join(words).rstrip())
    if who:
        printed, _, error = instead.partition(", and to standard error ")
        lines += [f"{WHO.get(who, who)} ожидает {russian(expected)}", f"но: {russian(printed)}"]
        if error and "Traceback" not in error:  # a traceback stands among the complaints
            # Of how the program is used, only the line that says what is wrong.
            text = re.sub(r"usage: .*\n(?=\S+: error: )", "", ast.literal_eval(error), flags=re.S)
            lines += ["а в stderr:", *text.splitlines()]
    else:
        lines.append(first_line(excinfo))
    if "was closed" in instead or story.complaints():  # an error may not be written to its end
        with contextlib.suppress(NotAsTold):
            wait_until(lambda: has_ended(story.complaints()), "", Story(A_MOMENT))
    for line in story.complaints():
        name, space, rest = line.partition(" ")
        rest = re.sub("^has ended with status", "завершился с кодом", rest)
        rest = rest.replace("wrote to standard error:", "написал в stderr:")
        lines.append(f"{WHO.get(name, name)}{space}{rest}")
    return lines


def has_ended(complaints: list[str]) -> bool:
    """Return whether a traceback is there with its last line, the only one without a margin."""
    return bool(complaints) and not re.match(r" |Traceback|.* wrote to", complaints[-1])


class Verdict:
    """Collects the reports of all tests, and sums them up at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.results: list[tuple[str, dict]] = []  # ("passed", "failed"), and what `of` returns
        self.given_up = 0
        self.left_out: set[str] = set()  # programs that an exercise changes and nobody has named

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        for item in filter(exercise_of, items):
            program = "client" if "run_client" in item.fixturenames else "server"
            if not self.config.getoption(program):
                self.left_out.add(program)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        said = dict(report.user_properties).get("verdict")
        if said and (report.when == "call" or report.failed) and not report.skipped:
            self.results.append((report.outcome, said))
        elif report.skipped and GIVEN_UP in str(report.longrepr):
            self.given_up += 1

    def pytest_terminal_summary(self, terminalreporter) -> None:
        if hasattr(self.config, "workerinput") or not self.results:
            return
        sys.stdout.flush()
        terminalreporter.section("вердикт")
        for line in self.lines():
            terminalreporter.write_line(line)

    def lines(self) -> list[str]:
        """Return the verdict as lines."""
        lines = []
        for core, heading in ((True, "То, о чём этот шаг"), (False, "Сверх этого: надёжность")):
            here = [
                line
                for topic, (title, is_core) in TOPICS.items()
                if is_core == core
                for line in self.topic(topic, title)
            ]
            lines += ["", f"{heading}:", *here] if here else []
        failed = self.failures()
        lines.append("")
        for program in sorted(self.left_out):
            file = f'--{program} "python3 my/.../{program}.py"'
            lines.append(f"Не проверен {WHO[program]}: добавьте в команду {file}.")
        if self.given_up:
            lines.append(f"Не выполнялось проверок: {self.given_up} ({GIVEN_UP}).")
        if not failed:
            return [*lines, f"Итог: все проверки пройдены ({len(self.results)})."]
        lines.append(f"Итог: пройдено {len(self.results) - len(failed)} из {len(self.results)}.")
        first = min(failed, key=lambda one: list(TOPICS).index(one["topic"]))
        if first["not started"]:
            lines.append("Исправьте сначала: сервер не запустился, проверьте команду в --server.")
        else:
            lines.append(f"Исправьте сначала: {first['sentence']}.")
        guide = f"steps/{STEPS[first['step']].name}/README.md"
        if first["topic"] == "exercise":
            lines.append(f"Задание и подсказки: {guide}, «{task(first['exercise'], guide)}».")
        else:
            lines.append("Что должен делать сервер каждого шага, описано в steps/PROTOCOL.md,")
            lines.append(f"как это устроено — в {guide}.")
        return [*lines, "Все истории целиком: та же команда с ключом --tb=short."]

    def failures(self) -> list[dict]:
        return [said for outcome, said in self.results if outcome == "failed"]

    def topic(self, topic: str, title: str) -> list[str]:
        """Return the lines for one topic: its failures, the first one with its story."""
        here = [(outcome, said) for outcome, said in self.results if said["topic"] == topic]
        failed = [said for outcome, said in here if outcome == "failed"]
        if not here:
            return []
        lines = [f"  {'✗' if failed else '✓'} {title}: {len(here) - len(failed)} из {len(here)}"]
        sentences: dict[str, list[dict]] = {}
        for said in failed:
            sentences.setdefault(said["sentence"], []).append(said)
        for sentence, cases in sentences.items():
            which = ", ".join(said["case"] for said in cases if said["case"])
            lines.append(f"      не выполнено: {sentence}" + (f" [{which}]" if which else ""))
            if sentence == next(iter(sentences)):
                lines += [f"          {line}" for line in cases[0]["told"]]
        return lines
