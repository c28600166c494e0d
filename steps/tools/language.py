"""Russian or English: what a tool says, and how it reads its command line.

Texts stand in pairs beside the code that says them: tr("по-русски", "in English").
"""

import argparse
import os
from typing import NoReturn

LANGUAGES = ("ru", "en")
RUSSIAN = 0x19  # Windows' number of the language
spoken = "ru"  # the one that is used, out of LANGUAGES

# What argparse says by itself. (Before Python 3.12 "argument" has no translation.)
ARGPARSE = {
    "usage: ": "запуск: ",
    "options": "параметры",
    "positional arguments": "аргументы",
    "show this help message and exit": "показать эту справку",
    "the following arguments are required: %s": "не хватает: %s",
    "unrecognized arguments: %s": "лишнее в команде: %s",
    "argument %(argument_name)s: %(message)s": "%(argument_name)s: %(message)s",
    "expected one argument": "нет значения",
    "ignored explicit argument %r": "здесь не нужно значение %r",
    "invalid choice: %(value)r (choose from %(choices)s)": "%(value)s — возможны: %(choices)s",
}


def tr(russian: str, english: str) -> str:
    """Return the text in the language that is used."""
    return russian if spoken == "ru" else english


def of_the_system() -> str:
    """Return "en" where the system certainly speaks another language than Russian, else "ru"."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        tongue = os.environ.get(name, "").partition(".")[0].partition("_")[0].lower()
        if tongue:
            return "ru" if tongue in ("c", "posix") or tongue.startswith("ru") else "en"
    if os.name == "nt":
        import ctypes

        number = ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF
        return "ru" if number in (0, RUSSIAN) else "en"
    return "ru"


def whole_number(text: str) -> int:
    """Read a whole number above 0."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 1_000_000):
        wanted = tr("нужно целое число", "must be a whole number")
        raise argparse.ArgumentTypeError(f"{text!r} — {wanted}, 1…1000000")
    return int(text)


class Parser(argparse.ArgumentParser):
    """A command line, with --lang if there is a choice; what is wrong is said in one line."""

    def __init__(self, program: str, about: str, choice: bool = True) -> None:
        super().__init__(f"python3 {program}", description=about, allow_abbrev=False)
        said = tr("язык (без него — язык системы)", "language (else the system's)")
        if choice:
            self.add_argument("--lang", choices=LANGUAGES, help=said)

    def error(self, message: str) -> NoReturn:
        """End the program with one line and status 2."""
        message = message.removeprefix("argument ")
        more = tr("справка", "help")
        self.exit(2, f"{self.prog}: {message} ({more}: {self.prog} --help)\n")


def choose(arguments: list[str]) -> None:
    """Use the language that --lang names among the arguments, or the system's."""
    global spoken
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--lang", nargs="?")
    asked = first.parse_known_args(arguments)[0].lang
    spoken = asked if asked in LANGUAGES else of_the_system()
    if spoken == "ru":
        argparse._ = lambda text: ARGPARSE.get(text, text)
