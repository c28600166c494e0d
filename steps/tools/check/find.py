"""Which file of a folder is the server, which one the client, and how they are started."""

import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tools.check.reading import harmless

# How a source file is started.
RUNNERS = {".py": [sys.executable], ".ts": ["deno", "run", "-A"], ".go": ["go", "run"]}
RUNNERS |= {".js": ["node"], ".mjs": ["node"], ".rb": ["ruby"], ".pl": ["perl"], ".sh": ["sh"]}
RUNNERS |= {each: [each[1:]] for each in (".php", ".lua", ".java")}
SKIPPED = {
    *("__pycache__", "node_modules", "venv", ".venv", "env", ".git", "site-packages", ".idea"),
    *("__MACOSX", ".vscode", "build", "dist"),
}
LEAST = 1.0  # points of a file that may be the server or the client
MOST_FILES, MOST_DEPTH, MOST_BYTES = 400, 4, 200_000
MOST_COPIED = 40_000_000  # bytes of a submission
DOES = {  # what a file of this role does
    "server": re.compile(r"socketserver|start_server|create_server|ServerSocket|TCPServer"
                         r"|net\.Listen|reuse_port|\blisten\s*\("),
    "client": re.compile(r"create_connection|open_connection|new Socket\s*\(|net\.Dial|TCPSocket"
                         r"|IO::Socket::INET|connect(_ex)?\s*\("),
}  # fmt: skip
WINDOWS = re.compile(
    r"^[ \t]*(?:import|from)[ \t]+(tkinter|Tkinter|customtkinter|PyQt\d|PySide\d|kivy|pygame|wx|"
    r"easygui|flet|dearpygui|PySimpleGUI)\b",
    re.MULTILINE,
)
DOES_SOMETHING = re.compile(  # not only imports, functions and classes
    r"__main__|^(?:while |with |try:|for |if |\w[\w., ]* = [\w.]+\(|[\w.]+\(.*\)\s*(?:#.*)?$)",
    re.MULTILINE,
)
LITERAL = re.compile(r"[\"'](\d{1,3}(?:\.\d{1,3}){3})[\"']")


class CannotDrive(Exception):
    """The programs cannot be driven; `text` says why, `lines` are the last ones of a program."""

    def __init__(self, key: str, text: str, lines: Iterable[str] = ()) -> None:
        super().__init__(key)
        self.key, self.text, self.lines = key, harmless(text), list(lines)


@dataclass
class Side:
    """A server or a client: how it is started, and where."""

    command: list[str]
    folder: Path
    source: str = ""  # of its own file
    others: list[list[str]] = field(default_factory=list)  # client2.py, client3.py: as client1.py

    def command_of(self, number: int, name: str) -> list[str]:
        """Return how somebody's program is started; {name} in a command stands for the name."""
        commands = [self.command, *self.others]
        return [word.replace("{name}", name) for word in commands[number % len(commands)]]

    def shown(self) -> str:
        """Return the command as people would type it in its folder."""
        runner, *rest = self.command
        names = [Path(word).name if Path(word).is_file() else word for word in rest]
        return harmless(typed([Path(runner).name, *names]))


@dataclass
class Submission:
    """What is checked."""

    folder: Path
    server: Side
    client: Side
    sources: str = ""  # of all files of the submission

    def addresses(self) -> list[str]:
        """Return the addresses in the code that are not the loopback's: at most eight."""
        found = dict.fromkeys(LITERAL.findall(self.sources))
        foreign = [each for each in found if not each.startswith(("127.", "8.8.", "1.1.1."))]
        parts = {each: [int(part) for part in each.split(".")] for each in foreign}
        return [each for each in foreign if 0 < parts[each][0] < 224 and max(parts[each]) < 256][:8]


def find(
    folder: Path, server: list[str] | None = None, client: list[str] | None = None
) -> Submission:
    """Find a server and a client in a folder, or take the commands that the user names."""
    files = sources(folder)
    one = named(server, folder) if server else guessed("server", folder, files)
    near = Path(one.command[-1])
    other = named(client, folder) if client else guessed("client", folder, files, near)
    return Submission(folder, one, other, "\n".join(each.text for each in files.values()))


def typed(words: list[str]) -> str:
    """Return a command as people type it on this system."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def copy(folder: Path, target: Path) -> None:
    """Copy a submission; what is no file, as a named pipe, stays behind. Raises CannotDrive."""
    size = 0
    try:
        for place, folders, files in os.walk(folder):
            folders[:] = set(folders) - uncopied(place, folders)
            size += sum(Path(place, each).lstat().st_size for each in files)
        if size > MOST_COPIED:
            megabytes = f"Папка слишком велика: {size // 1_000_000} МБ."
            text = f"{megabytes} Назовите папку, в которой лежат только сервер и клиент."
            raise CannotDrive("too_big", text)
        shutil.copytree(folder, target, symlinks=True, ignore=uncopied, copy_function=shutil.copy)
    except OSError as error:
        if isinstance(error, shutil.Error):  # copytree has a list of them
            file, _, reason = error.args[0][0]
        else:
            file, reason = error.filename or "", error.strerror
        text = f"Папку {folder.name} не удалось прочитать целиком ({Path(file).name}: {reason})."
        raise CannotDrive("unreadable", text) from None


def uncopied(folder: str, names: list[str]) -> set[str]:
    """Return what is left out of a copy of a submission; see shutil.copytree."""
    paths = [Path(folder, name) for name in names]
    plain = {each.name for each in paths if each.is_symlink() or each.is_file() or each.is_dir()}
    return set(names) - plain | set(names) & SKIPPED - {"env", "build", "dist"}


def sources(folder: Path) -> dict[Path, "Source"]:
    """Return the source files below a folder, those on top first; links may lead anywhere."""
    found = []
    for place, folders, files in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = [name for name in folders if name not in SKIPPED and depth + 1 < MOST_DEPTH]
        named = [name for name in files if not name.startswith("._")]
        paths = [Path(place, name) for name in named if Path(name).suffix in RUNNERS]
        found += [each for each in paths if each.is_file() and not each.is_symlink()]
    found.sort(key=lambda path: (len(path.parts), path))
    return {path: Source(path) for path in found[:MOST_FILES]}


class Source:
    """A source file, and what its text says of it. (Each pattern reads it once: it may be long.)"""

    def __init__(self, path: Path) -> None:
        self.path, self.text = path, read(path)
        self.does = {role for role, fits in DOES.items() if fits.search(self.text)}
        window = WINDOWS.search(self.text)
        self.window = window[1] if window else ""
        self.threads = bool(re.search("thread|async", self.text, re.I))
        self.chats = bool(re.search("chat|чат|nick|broadcast", self.text + path.name, re.I))
        modules = re.findall(r"^[ \t]*(?:from|import)[ \t]+([\w.]+)", self.text, re.MULTILINE)
        self.modules = {part for module in modules for part in module.split(".")}

    def is_named(self, role: str) -> bool:
        """Return whether the name of the file says that it is a server, or a client."""
        words = {"server": r"serv|сервер|host\b", "client": r"client|klient|клиент|user\b"}
        return bool(re.search(words[role], self.path.stem, re.IGNORECASE))

    def task(self) -> str:
        """Return what is left of the name without the role: "task4" of "task4_client1.py"."""
        plain = re.sub(r"(?i)server|client|сервер|клиент|serv|cli", " ", self.path.stem)
        return re.sub(r"[\W_]+\d*$|^[\W_]+", "", plain).strip().lower()


def read(path: Path) -> str:
    """Return the beginning of a file; "" if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def words_of(command: str, folder: Path) -> list[str]:
    """Return the words of a command that a user names; source files get their whole path."""
    try:
        words = shlex.split(command, posix=os.name != "nt")
    except ValueError:
        words = []
    if not words:
        raise CannotDrive("bad_command", f"Команда не читается: {command}")
    if os.name == "nt":
        words = [word.strip('"') for word in words]
    for number, word in enumerate(words):
        for path in folder / word, Path(word):
            if path.suffix in RUNNERS and path.is_file():
                words[number] = str(path.resolve())
                break
    if len(words) == 1 and Path(words[0]).suffix in RUNNERS:
        words = started(Path(words[0]))
    if words[0] in ("python", "python3", "py"):  # Windows starts them by a launcher, if at all
        here = None if os.name == "nt" else shutil.which(words[0])
        words[0] = here or sys.executable
    check_installed(words[0], folder)
    return words


def moved(words: list[str], old: Path, new: Path) -> list[str]:
    """Return a command with the files of one folder in the place of those of another."""
    return [
        str(new / Path(word).relative_to(old)) if Path(word).is_relative_to(old) else word
        for word in words
    ]


def named(words: list[str], folder: Path) -> Side:
    """Return the side that a command of the user starts."""
    path = next((Path(word) for word in words if Path(word).suffix in RUNNERS), None)
    place = path.parent if path and path.is_relative_to(folder) else folder
    return Side(words, place, read(path) if path else "")


def check_installed(program: str, folder: Path) -> None:
    """Raise CannotDrive if there is no such program."""
    if not shutil.which(program) and not (folder / program).exists():
        text = f"Программа {program} не установлена на этом компьютере."
        raise CannotDrive("no_program", text)


def started(path: Path) -> list[str]:
    """Return the command that starts a source file."""
    runner = RUNNERS[path.suffix]
    check_installed(runner[0], path.parent)
    return [*runner, str(path)]


def guessed(role: str, folder: Path, files: dict[Path, Source], near: Path | None = None) -> Side:
    """Return the side that a file of the folder most likely is."""
    points = {path: score(role, files[path], files, near) for path in files}
    best = files[max(points, key=points.get)] if points else None
    if not best or (points[best.path] < LEAST and not best.is_named(role)):
        who = "Сервер" if role == "server" else "Клиент"
        text = f'{who} не найден в {folder.name}: назовите файл, --{role} "python3 {role}.py".'
        raise CannotDrive(f"no_{role}", text)
    if role == "client":
        for each in [best, *neighbours(best, files)]:
            if each.window:
                raise has_windows(each.window, best.path.name)
    others = [] if role == "server" else numbered(best, files)
    return Side(started(best.path), best.path.parent, best.text, others)


def has_windows(module: str, file: str) -> CannotDrive:
    """Return why a client with windows cannot be driven."""
    text = f"Клиент с окнами ({module}, {file}): проверка видит только программы в терминале."
    return CannotDrive("window", text)


def numbered(first: Source, files: dict[Path, Source]) -> list[list[str]]:
    """Return how client2.py, client3.py are started, if they are client1.py once more."""
    stem = re.sub(r"[_-]?\d+$", "", first.path.stem)
    name = re.compile(rf"{re.escape(stem)}[_-]?\d*{re.escape(first.path.suffix)}")
    return [
        started(path)
        for path, other in sorted(files.items())
        if path != first.path and path.parent == first.path.parent and name.fullmatch(path.name)
        and difflib.SequenceMatcher(None, first.text, other.text).quick_ratio() > 0.9
    ]  # fmt: skip


def neighbours(source: Source, files: dict[Path, Source]) -> list[Source]:
    """Return the files that a Python file imports."""
    return [each for each in files.values() if each != source and each.path.stem in source.modules]


def score(role: str, file: Source, files: dict[Path, Source], near: Path | None) -> float:
    """Return how much a file looks like the server, or like the client, that people start."""
    group, other = [file, *neighbours(file, files)], "client" if role == "server" else "server"
    imported = any(role in each.does for each in group)
    points = 4.0 if role in file.does else 3.0 if imported else -2.0
    points += 4 * file.is_named(role) - 3 * file.is_named(other) - 2 * (other in file.does)
    points -= 4 * ("SOCK_DGRAM" in file.text and "SOCK_STREAM" not in file.text)
    points -= 2 * bool(re.search("udp", file.path.name, re.I))
    points -= 2 * bool(re.search("test|example|old|backup|copy|копия", file.path.name, re.I))
    points -= 1.5 * any(each.window for each in group)
    if file.path.suffix == ".py":
        points += 1 if DOES_SOMETHING.search(file.text) else -5
        others = [each for each in files.values() if each is not file]
        points -= 2 * any(file.path.stem in each.modules for each in others)
    if role == "server":
        points += 1.5 * any(each.threads for each in group) + any(each.chats for each in group)
    if near:
        points += 1.5 * (file.path.parent == near.parent)
        points += 2 * (near in files and file.task() == files[near].task())
    return points
