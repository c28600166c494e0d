"""Which file of a folder is the server, which one the client, and how they are started."""

import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

RUNNERS = {  # how a source file is started
    ".py": [sys.executable],
    ".js": ["node"],
    ".mjs": ["node"],
    ".ts": ["deno", "run", "-A"],
    ".rb": ["ruby"],
    ".pl": ["perl"],
    ".php": ["php"],
    ".lua": ["lua"],
    ".java": ["java"],
    ".go": ["go", "run"],
    ".sh": ["sh"],
}
SKIPPED = {
    *("__pycache__", "node_modules", "venv", ".venv", "env", ".git", "site-packages", ".idea"),
    *("__MACOSX", ".vscode", "build", "dist"),
}
LEAST = 1.0  # points of a file that may be the server or the client
MOST_FILES, MOST_DEPTH, MOST_BYTES = 400, 4, 200_000
MOST_COPIED = 40_000_000  # bytes of a submission
LISTENS = re.compile(
    r"\.listen\s*\(|socketserver|start_server|create_server|ServerSocket|TCPServer|net\.Listen"
    r"|reuse_port|\blisten\s*\("
)
CONNECTS = re.compile(
    r"\.connect(_ex)?\s*\(|create_connection|open_connection|new Socket\s*\(|net\.Dial|TCPSocket"
    r"|IO::Socket::INET|connect\s*\("
)
WINDOWS = re.compile(
    r"^\s*(?:import|from)\s+(tkinter|Tkinter|customtkinter|PyQt\d|PySide\d|kivy|pygame|wx|"
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
        self.key, self.text, self.lines = key, text, list(lines)


@dataclass
class Side:
    """A server or a client: how it is started, and where."""

    command: list[str]
    folder: Path
    source: str = ""  # of its own file
    others: list[list[str]] = field(default_factory=list)  # client2.py, client3.py: as client1.py

    def command_of(self, number: int, name: str) -> list[str]:
        """Return how the program of somebody is started: the first one is number 0.

        In a command of the user {name} stands for the name.
        """
        commands = [self.command, *self.others]
        return [word.replace("{name}", name) for word in commands[number % len(commands)]]

    def moved(self, old: Path, new: Path) -> "Side":
        """Return the same side in a copy of the folder."""

        def word_in_copy(word: str) -> str:
            inside = Path(word).is_absolute() and Path(word).is_relative_to(old)
            return str(new / Path(word).relative_to(old)) if inside else word

        return replace(
            self,
            command=[word_in_copy(word) for word in self.command],
            others=[[word_in_copy(word) for word in each] for each in self.others],
            folder=Path(word_in_copy(str(self.folder))),
        )

    def shown(self) -> str:
        """Return the command as people would type it in its folder."""
        runner, *rest = self.command
        names = [Path(word).name if Path(word).is_file() else word for word in rest]
        return typed([Path(runner).name, *names])


@dataclass
class Submission:
    """What is checked."""

    folder: Path
    server: Side
    client: Side
    sources: str = ""  # of all files of the submission

    def moved(self, new: Path) -> "Submission":
        """Return the same submission in a copy of its folder."""
        sides = [side.moved(self.folder, new) for side in (self.server, self.client)]
        return Submission(new, *sides, sources=self.sources)

    def shown(self) -> str:
        """Return both commands as people would type them."""
        return f"Сервер: {self.server.shown()}\nКлиент: {self.client.shown()}"

    def addresses(self) -> list[str]:
        """Return the addresses in the code that are not the loopback's: at most eight."""
        found = dict.fromkeys(LITERAL.findall(self.sources))
        usable = [
            each
            for each in found
            if all(int(part) < 256 for part in each.split("."))
            and 0 < int(each.split(".")[0]) < 224
            and not each.startswith(("127.", "8.8.", "1.1.1.", "255."))
        ]
        return usable[:8]


def find(folder: Path, server: str | None = None, client: str | None = None) -> Submission:
    """Find a server and a client in a folder, or take those that the user names."""
    files = sources(folder)
    texts = {path: read(path) for path in files}
    sides = {}
    for role, given in ("server", server), ("client", client):
        if given:
            sides[role] = named(given, folder)
    for role in "server", "client":
        if role not in sides:
            near = Path(sides["server"].command[-1]) if role == "client" else None
            sides[role] = guessed(role, folder, texts, near)
    return Submission(folder, sides["server"], sides["client"], "\n".join(texts.values()))


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
            raise CannotDrive(
                "too_big",
                f"Папка слишком велика: {size // 1_000_000} МБ. Назовите папку, в которой лежат "
                "только сервер и клиент.",
            )
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
    special = {name for name in names if not is_plain(Path(folder, name))}
    return special | {name for name in names if name in SKIPPED - {"env", "build", "dist"}}


def is_plain(path: Path) -> bool:
    """Return whether this is a file, a folder or a link: no pipe, no device."""
    return path.is_symlink() or path.is_file() or path.is_dir()


def sources(folder: Path) -> list[Path]:
    """Return the source files below a folder, those on top first."""
    found: list[Path] = []
    level = [folder]
    for _ in range(MOST_DEPTH):
        below = []
        for each in level:
            try:
                entries = sorted(each.iterdir())
            except OSError:
                continue
            for entry in entries:
                if entry.name in SKIPPED or entry.name.startswith("._"):
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    below.append(entry)
                elif entry.suffix in RUNNERS and entry.is_file():
                    found.append(entry)
        level = below
        if len(found) > MOST_FILES:
            break
    return found[:MOST_FILES]


def read(path: Path) -> str:
    """Return the text of a file, or of its beginning; "" if it cannot be read."""
    try:
        return path.read_bytes()[:MOST_BYTES].decode("utf-8", "replace")
    except OSError:
        return ""


def named(command: str, folder: Path) -> Side:
    """Return the side that a command of the user starts."""
    try:
        words = shlex.split(command, posix=os.name != "nt")
    except ValueError:
        words = []
    if not words:
        raise CannotDrive("bad_command", f"Команда не читается: {command}")
    if os.name == "nt":
        words = [word.strip('"') for word in words]
    files = [word for word in words if Path(word).suffix in RUNNERS]
    places = [Path(word) for word in files]
    path = next((each for each in [*(folder / p for p in places), *places] if each.is_file()), None)
    if len(words) == 1 and path:
        words = started(path)
    elif path:
        words = [str(path.resolve()) if word == files[0] else word for word in words]
    check_installed(words[0], folder)
    if words[0] in ("python", "python3") and os.name != "nt":
        words[0] = shutil.which(words[0]) or words[0]
    inside = path and folder.resolve() in path.resolve().parents
    place = path.resolve().parent if inside else folder.resolve()
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
    return [*runner, str(path.resolve())]


def guessed(role: str, folder: Path, texts: dict[Path, str], near: Path | None) -> Side:
    """Return the side that a file of the folder most likely is."""
    points = {path: score(role, path, texts, near) for path in texts}
    ranked = sorted(texts, key=lambda path: -points[path])
    if not ranked or (points[ranked[0]] < LEAST and not is_named(role, ranked[0])):
        who = "Сервер" if role == "server" else "Клиент"
        text = f'{who} не найден в {folder.name}: назовите файл, --{role} "python3 {role}.py".'
        raise CannotDrive(f"no_{role}", text)
    best = ranked[0]
    source = texts[best]
    if role == "client" and (window := WINDOWS.search(source + imported(best, texts))):
        raise has_windows(window.group(1), best.name)
    others = [] if role == "server" else numbered(best, texts)
    return Side(started(best), best.resolve().parent, source, others)


def has_windows(module: str, file: str) -> CannotDrive:
    """Return why a client with windows cannot be driven."""
    return CannotDrive(
        "window",
        f"Клиент с окнами ({module}, {file}): проверка видит только программы в терминале.",
    )


def numbered(path: Path, texts: dict[Path, str]) -> list[list[str]]:
    """Return how client2.py, client3.py are started, if they are client1.py once more."""
    stem = re.sub(r"[_-]?\d+$", "", path.stem)
    found = []
    for other in sorted(texts):
        same_place = other.parent == path.parent and other != path
        is_next = re.fullmatch(rf"{re.escape(stem)}[_-]?\d*", other.stem)
        if same_place and is_next and other.suffix == path.suffix:
            likeness = difflib.SequenceMatcher(None, texts[path], texts[other]).quick_ratio()
            if likeness > 0.9:
                found.append(started(other))
    return found


def imported(path: Path, texts: dict[Path, str]) -> str:
    """Return the text of the neighbours that a Python file imports."""
    names = imports(path, texts)
    return "\n".join(text for other, text in texts.items() if other != path and other.stem in names)


def is_named(role: str, path: Path) -> bool:
    """Return whether the name of a file says that it is a server, or a client."""
    words = {"server": r"serv|сервер|host\b", "client": r"client|klient|клиент|user\b"}
    return bool(re.search(words[role], path.stem, re.IGNORECASE))


def score(role: str, path: Path, texts: dict[Path, str], near: Path | None) -> float:
    """Return how much a file looks like the server, or like the client, that people start."""
    own = texts[path]
    text = own + imported(path, texts)
    listens, connects = bool(LISTENS.search(own)), bool(CONNECTS.search(own))
    other = "client" if role == "server" else "server"
    points = 4.0 * is_named(role, path) - 3.0 * is_named(other, path)
    wanted, unwanted = (LISTENS, CONNECTS) if role == "server" else (CONNECTS, LISTENS)
    if wanted.search(own):
        points += 4
    elif wanted.search(text):
        points += 3
    else:
        points -= 2
    has_unwanted = connects if role == "server" else listens
    if has_unwanted and unwanted.search(own):
        points -= 2
    if "SOCK_DGRAM" in own and "SOCK_STREAM" not in own:
        points -= 4
    if re.search(r"udp", str(path.name), re.IGNORECASE):
        points -= 2
    if path.suffix == ".py":
        points += 1 if DOES_SOMETHING.search(own) else -5
        if any(path.stem in imports(each, texts) for each in texts if each != path):
            points -= 2
    if WINDOWS.search(text):
        points -= 1.5
    if re.search(r"test|example|old|backup|copy|копия", str(path.name), re.IGNORECASE):
        points -= 2
    if role == "server":
        points += 1.5 * bool(re.search("thread|async", text, re.I))
        points += bool(re.search("chat|чат|nick|broadcast", text + path.name, re.I))
    if near is not None:
        points += 1.5 * (path.resolve().parent == near.parent)
        points += 2 * (subject(path) == subject(near))
    return points


def subject(path: Path) -> str:
    """Return what is left of a file's name without its role: "task4" of "task4_client1.py"."""
    plain = re.sub(r"(?i)server|client|сервер|клиент|serv|cli", " ", path.stem)
    return re.sub(r"[\W_]+\d*$|^[\W_]+", "", plain).strip().lower()


def imports(path: Path, texts: dict[Path, str]) -> set[str]:
    """Return the names of the modules that a Python file imports, and of their packages."""
    modules = re.findall(r"^\s*(?:from|import)\s+([\w.]+)", texts[path], re.MULTILINE)
    return {part for module in modules for part in module.split(".")}
