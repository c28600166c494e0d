"""The three kinds of tests of the steps, and the topics of a verdict.

contract   what steps/PROTOCOL.md says: every server, every client has to do it, whoever wrote it
own        what this project has chosen by itself: a wording, a number of threads, a line of a log
limit      what a step is shown to lack

`--server` and `--client` run tests of the first kind alone, and end with a verdict in Russian: so
a contract is marked with its topic and with the sentence that the verdict says of it.
"""

import os

import pytest

contract, own, limit = pytest.mark.contract, pytest.mark.own, pytest.mark.limit


def exercise(sentence: str) -> pytest.MarkDecorator:
    """Return the mark of a test of an exercise: a contract beyond steps/PROTOCOL.md."""
    return contract("exercise", sentence)


KINDS = ("contract", "own", "limit")
posix_only = pytest.mark.skipif(
    os.name != "posix", reason="needs what POSIX alone has: signals, pseudo-terminals, limits"
)

# In the order of a verdict: what fails further up is the cause of much further down. The second
# item says whether it is what the step is about (True), or what a good server has beyond that.
TOPICS = {
    "start": ("Запуск сервера", True),
    "talk": ("Разговор: сообщения доходят до остальных", True),
    "names": ("Имена участников", True),
    "news": ("Вход и выход участников видны остальным", True),
    "frames": ("Кадры: границы сообщений", True),
    "commands": ("Команды", True),
    "leave": ("Уход: ничего не теряется, сервер готов работать дальше", True),
    "stop": ("Остановка сервера", True),
    "client": ("Клиент", True),
    "exercise": ("Упражнение", True),
    "faults": ("Сбои: один участник не мешает остальным", False),
    "text": ("Безопасный текст", False),
    "slow": ("Клиент, который перестал читать или читает медленно", False),
    "limits": ("Пределы: место, время, ресурсы", False),
}
