"""What foreign code cannot reach, and how much it may take.

On Linux the process that runs a submission lives in namespaces of its own: its processes end with
it, its network has no way out, and fixed ports do not collide. Each program that it starts loses
what is left between fork and exec: it has no capabilities and a file system that it can only
read, but for its copy and a temporary folder. The checker's own process keeps its rights and is
closed to the others (not dumpable): nobody can read its memory or write into its files.
"""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tools.check.system import LINUX, family, memory, processes

STEPS = Path(os.path.abspath(__file__)).parents[2]  # or the file that --pack has written
PYTHON = [sys.executable, "-P"]  # no module out of the current folder: it may be a submission
LOAD = f"import sys; sys.path.insert(0, {str(STEPS)!r}); from tools.check import"
MOST_PROCESSES = 200
MOST_MEMORY = 1 << 30  # bytes, of one process
MOST_MEMORY_OF_ALL = 3 << 29
MOST_FILE = 20_000_000  # bytes, of one file
MOST_DISK = 64_000_000  # bytes, of all that a submission writes
BUFFERS = "4096 16384 16384"  # bytes: least, default and most of a socket's buffer
MARK = "CHAT_CHECK_NAMESPACES"  # set in the environment inside of the namespaces
KINDS = ["--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]

NEW_MOUNTS, NEW_NETWORK = 0x2_0000, 0x4000_0000  # for unshare
BIND, RECURSIVE = 0x1000, 0x8000  # for mount; for mount_setattr
READ_ONLY, NO_SETUID = 1, 2
MOUNT_SETATTR = 442  # the number of the system call, on every processor
DUMPABLE, DROP_BOUND, NO_NEW_RIGHTS = 4, 24, 38  # for prctl
WRITABLE = ("/tmp", "/var/tmp", "/dev/shm")  # the temporary folder has these names, too
HIDDEN = ("/tmp", "/var/tmp", "/run")  # the sockets of other programs are there
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
SECRET = re.compile("key|token|secret|passw|auth|credential", re.IGNORECASE)  # a variable's name
LIBC = ctypes.CDLL(None, use_errno=True) if LINUX else None


def wrapper() -> list[str]:
    """Return the command that puts another one into namespaces; empty if none can be had."""
    if not LINUX or not shutil.which("unshare") or os.environ.get("CHAT_CHECK_NO_NAMESPACES"):
        return []
    program = [*PYTHON, "-c", f"{LOAD} guard; guard.read_only()"]
    for user in [], ["--user", "--map-root-user"]:
        command = ["unshare", *user, *KINDS, "--"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if subprocess.run([*command, *program], timeout=20, **quiet).returncode == 0:
                return command
    return []


def inside() -> bool:
    """Return whether this process lives in namespaces of its own."""
    return LINUX and os.environ.get(MARK) == "1"


def outer_environment(protected: bool) -> dict[str, str]:
    """Return the environment of the process that runs a submission."""
    return {**os.environ, MARK: "1" if protected else "0", "PYTHONIOENCODING": "utf-8"}


def environment(terminal: bool, temporary: Path) -> dict[str, str]:
    """Return the environment of the programs under check: no passwords are in it."""
    unwanted = {MARK, "PYTHONUNBUFFERED", "PYTHONPATH", "COLUMNS", "LINES", "PROMPT_TOOLKIT_NO_CPR"}
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in unwanted and not SECRET.search(name)
    }
    clean |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
    clean |= dict.fromkeys(["TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME"], str(temporary))
    if os.name == "posix":
        clean |= {"LC_ALL": "C.UTF-8", "TERM": "xterm"}
    if not terminal:
        clean["PYTHONUNBUFFERED"] = "1"
    return clean


def apart() -> dict[str, object]:
    """Return how to start a process that no Ctrl-C in this window reaches; see subprocess.Popen."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


# The process that runs a submission


def close_self() -> None:
    """Let no other process look into this one; let no Ctrl-C end it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if LINUX:
        checked(LIBC.prctl(DUMPABLE, 0, 0, 0, 0))


def hide(place: Path, hidden: list[str], needed: list[Path], fill: Callable[[], None]) -> None:
    """Put a bounded disk in memory at `place`, fill it, and hide what belongs to others.

    What is `needed`, as Python itself, can still be read where it is.
    """
    above = set(map(Path, hidden))
    under = [path for path in [place, *needed] if path.exists() and above & set(path.parents)]
    mount("tmpfs", place, "tmpfs", 0, f"size={MOST_DISK},mode=700")
    temporary = place / "tmp"
    temporary.mkdir()
    fill()
    kept = {path: os.open(path, os.O_PATH) for path in under}
    devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in DEVICES}
    kept_temporary = os.open(temporary, os.O_PATH)
    for name in hidden:
        if os.path.isdir(name) and not os.path.islink(name):
            if name in WRITABLE:
                mount(f"/proc/self/fd/{kept_temporary}", name, "", BIND)
            else:
                mount("tmpfs", name, "tmpfs", 0, "mode=755")
    mount("tmpfs", "/dev", "tmpfs", 0, "mode=755")
    for name, number in devices.items():
        Path("/dev", name).touch()
        mount(f"/proc/self/fd/{number}", f"/dev/{name}", "", BIND)
    Path("/dev/pts").mkdir()
    mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=600")
    Path("/dev/shm").mkdir()
    mount("/tmp", "/dev/shm", "", BIND)
    for name, target in {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0"}.items():
        Path("/dev", name).symlink_to(target)
    for path, number in kept.items():
        path.mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{number}", path, "", BIND)
    for number in [*kept.values(), *devices.values()]:
        os.close(number)


def checked(result: int) -> None:
    """Raise OSError if a call of the system has failed."""
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source: str | Path, target: str | Path, kind: str, flags: int, data: str = "") -> None:
    """Mount a file system; raises OSError."""
    checked(LIBC.mount(*map(os.fsencode, (source, target, kind)), flags, data.encode()))


def change_mounts(path: str | Path, flags: int, on: int = 0, off: int = 0) -> None:
    """Turn attributes of a mounted file system on or off; raises OSError."""
    attributes = struct.pack("4Q", on, off, 0, 0)
    result = LIBC.syscall(MOUNT_SETATTR, -100, os.fsencode(path), flags, attributes, 32)
    checked(result)


def read_only() -> None:
    """Make all that this process sees read-only."""
    change_mounts("/", RECURSIVE, on=READ_ONLY | NO_SETUID)


# The programs under check


def before_start(place: Path) -> None:
    """Prepare the new process: its terminal is its own, what it may take and reach is bounded."""
    import fcntl
    import resource
    import termios

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for what, most in (
        (resource.RLIMIT_FSIZE, MOST_FILE),
        (resource.RLIMIT_DATA, MOST_MEMORY),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))
    if inside():
        checked(LIBC.unshare(NEW_MOUNTS))
        read_only()
        change_mounts(place, 0, off=READ_ONLY)
        for path in WRITABLE:
            with contextlib.suppress(OSError):  # it is not there: a program does without it
                change_mounts(path, 0, off=READ_ONLY)
        drop_rights()


def drop_rights() -> None:
    """Give up all capabilities, for this process and for all that it starts, whoever owns them."""
    capability = 0
    while LIBC.prctl(DROP_BOUND, capability, 0, 0, 0) == 0:
        capability += 1
    checked(LIBC.prctl(NO_NEW_RIGHTS, 1, 0, 0, 0))
    header = struct.pack("Ii", 0x2008_0522, 0)  # the third version of the call, this process
    checked(LIBC.capset(header, bytes(24)))


# The network


def new_network(addresses: list[str]) -> bool:
    """Move this thread, and what it starts from now on, to a network without a way out.

    `addresses` are those that the programs have in their code: they are made this machine's own.
    """
    if not inside() or LIBC.unshare(NEW_NETWORK) != 0:
        return False
    with contextlib.suppress(OSError):
        socket.sethostname("localhost")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        configure(control, 0x8914, struct.pack("16sh14x", b"lo", 0x49))  # up, loopback, running
        for number, address in enumerate(addresses):
            for command, value in (0x8916, address), (0x891C, "255.255.255.255"):
                name = f"lo:{number}".encode()
                value = socket.inet_aton(value)
                configure(control, command, struct.pack("16sHH4s8x", name, 2, 0, value))
        route_everything_home(control)
    return True


def configure(control: socket.socket, command: int, request: bytes) -> None:
    """Change a network interface."""
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.ioctl(control, command, request)


def route_everything_home(control: socket.socket) -> None:
    """Add a default route by way of "lo": `connect` to find one's own address works then."""
    device = ctypes.create_string_buffer(b"lo")
    anywhere = struct.pack("=HH12x", socket.AF_INET, 0)
    # struct rtentry: destination, gateway, mask, flags ("up"), the name of the device
    route = struct.pack("@L48sHhLPhP3L", 0, anywhere + bytes(16) + anywhere, 1, 0, 0, 0, 0,
                        ctypes.addressof(device), 0, 0, 0)  # fmt: skip
    LIBC.ioctl(control.fileno(), 0x890B, route)


def small_buffers() -> bool:
    """Make the buffers of new sockets small: then a reader who stalls is noticed early."""
    if not inside():
        return False
    try:
        for name in "tcp_wmem", "tcp_rmem":
            Path("/proc/sys/net/ipv4", name).write_text(BUFFERS)
    except OSError:
        return False
    return True


# Bounds


def watch(stop: Callable[[str], None], deadline: float) -> None:
    """Start a thread that calls `stop` with a word when a bound is passed."""

    def look() -> None:
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            time.sleep(0.1)
            try:
                mine = processes() if inside() else family(os.getpid())
                taken = memory(mine)
            except OSError:  # a program has bounded how many files this process can open
                stop("broken")
            if len(mine) > MOST_PROCESSES:
                stop("processes")
            if taken > MOST_MEMORY_OF_ALL:
                stop("memory")
        stop("time")

    threading.Thread(target=look, daemon=True).start()
