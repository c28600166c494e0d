"""What foreign code cannot reach, and how much it may take.

On Linux the process that runs a pair lives in namespaces of its own: its processes end with it,
its network has no way out, and fixed ports do not collide. Each chat room gets a network anew.
Where the system has no namespaces, `protected` says what is missing.
"""

import contextlib
import ctypes
import os
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

LINUX = sys.platform.startswith("linux")
MOST_PROCESSES = 200
MOST_MEMORY = 1 << 30  # bytes, of one process
MOST_MEMORY_OF_ALL = 3 << 29
MOST_FILE = 20_000_000  # bytes, of one file
MOST_DISK = 64_000_000  # bytes, of all that a submission writes into its folder
BIND = 0x1000  # MS_BIND
BUFFERS = "4096 16384 16384"  # bytes: least, default and most of a socket's buffer
NEW_NETWORK = 0x4000_0000  # CLONE_NEWNET
MARK = "CHAT_CHECK_NAMESPACES"  # set in the environment inside of the namespaces
KINDS = ["--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]


def wrapper() -> list[str]:
    """Return the command that puts another one into namespaces; empty if none can be had."""
    if not LINUX or not shutil.which("unshare") or os.environ.get("CHAT_CHECK_NO_NAMESPACES"):
        return []
    for user in [], ["--user", "--map-root-user"]:
        command = ["unshare", *user, *KINDS, "--"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if subprocess.run([*command, "true"], timeout=10, **quiet).returncode == 0:
                return command
    return []


def inside() -> bool:
    """Return whether this process lives in namespaces of its own."""
    return LINUX and os.environ.get(MARK) == "1"


def outer_environment(protected: bool) -> dict[str, str]:
    """Return the environment of the process that runs a pair."""
    return {**os.environ, MARK: "1" if protected else "0", "PYTHONIOENCODING": "utf-8"}


def environment(terminal: bool) -> dict[str, str]:
    """Return the environment of the programs under check."""
    unwanted = {MARK, "PYTHONUNBUFFERED", "PYTHONPATH", "COLUMNS", "LINES", "PROMPT_TOOLKIT_NO_CPR"}
    clean = {name: value for name, value in os.environ.items() if name not in unwanted}
    clean |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"}
    if os.name == "posix":
        clean |= {"LC_ALL": "C.UTF-8", "TERM": "xterm"}
    if not terminal:
        clean["PYTHONUNBUFFERED"] = "1"
    return clean


def before_start() -> None:
    """Prepare the new process: its terminal is its own, what it may take is bounded."""
    import fcntl
    import resource
    import termios

    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for what, most in (
        (resource.RLIMIT_FSIZE, MOST_FILE),
        (resource.RLIMIT_DATA, MOST_MEMORY),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))


def own_copy(folder: Path, place: Path, ignored: Callable) -> None:
    """Put a copy of a folder into memory, bounded, and let it stand in the folder's place.

    Only for this process and what it starts: the folder itself is not touched.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for source, target, kind, flags, data in (
        (b"tmpfs", place, b"tmpfs", 0, f"size={MOST_DISK}".encode()),
        (os.fsencode(place), folder, None, BIND, None),
    ):
        if flags == BIND:
            shutil.copytree(folder, place, ignore=ignored, symlinks=True, dirs_exist_ok=True)
        if libc.mount(source, os.fsencode(target), kind, flags, data) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(target))


def apart() -> dict[str, object]:
    """Return how to start a process that no Ctrl-C in this window reaches; see subprocess.Popen."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def take_signals() -> None:
    """Let Ctrl-C have its usual meaning for the programs, whoever has started the checker."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


# The network


def new_network(addresses: list[str]) -> bool:
    """Move this thread, and what it starts from now on, to a network without a way out.

    `addresses` are those that the programs have in their code: they are made this machine's own.
    """
    if not inside() or ctypes.CDLL(None, use_errno=True).unshare(NEW_NETWORK) != 0:
        return False
    with contextlib.suppress(OSError):
        socket.sethostname("localhost")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _configure(control, 0x8914, struct.pack("16sh14x", b"lo", 0x49))  # up, loopback, running
        for number, address in enumerate(addresses):
            for command, value in (0x8916, address), (0x891C, "255.255.255.255"):
                name = f"lo:{number}".encode()
                value = socket.inet_aton(value)
                _configure(control, command, struct.pack("16sHH4s8x", name, 2, 0, value))
        _route_everything_home(control)
    return True


def _configure(control: socket.socket, command: int, request: bytes) -> None:
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.ioctl(control, command, request)


def _route_everything_home(control: socket.socket) -> None:
    """Add a default route by way of "lo": `connect` to find one's own address works then."""

    class Route(ctypes.Structure):  # struct rtentry
        _fields_ = [
            ("pad1", ctypes.c_ulong),
            ("addresses", ctypes.c_ubyte * 48),
            ("flags", ctypes.c_ushort),
            ("pad2", ctypes.c_short),
            ("pad3", ctypes.c_ulong),
            ("pad4", ctypes.c_void_p),
            ("metric", ctypes.c_short),
            ("device", ctypes.c_char_p),
            ("rest", ctypes.c_ulong * 3),
        ]

    route = Route(flags=1, device=b"lo")
    anywhere = struct.pack("=HH12x", socket.AF_INET, 0)
    route.addresses[:] = list(anywhere + bytes(16) + anywhere)
    ctypes.CDLL(None).ioctl(control.fileno(), 0x890B, ctypes.byref(route))


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


# Processes


def processes() -> dict[int, tuple[int, int]]:
    """Return parent and session of all processes that can be seen (Linux)."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
                found[int(folder.name)] = int(fields[1]), int(fields[3])
    return found


def family(leader: int) -> list[int]:
    """Return the processes of a program: its session, and what descends from it."""
    if not LINUX:
        return [leader]
    everybody = processes()
    members = {pid for pid, (_, session) in everybody.items() if session == leader} | {leader}
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in everybody.items() if parent in members} - members
        members |= more
        grown = bool(more)
    return sorted(members)


def processor_time(pids: list[int]) -> float | None:
    """Return the seconds in which these processes ran or wanted to (Linux, macOS: ran)."""
    if LINUX:
        total = 0
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").glob("*"):
                with contextlib.suppress(OSError, ValueError):
                    ran, waited = (task / "schedstat").read_text().split()[:2]
                    total += int(ran) + int(waited)
        return total / 1e9
    if os.name == "posix":
        told = subprocess.run(
            ["ps", "-o", "time=", "-p", ",".join(map(str, pids))], capture_output=True, text=True
        )
        total = 0.0
        for line in told.stdout.split():
            for part in line.split(":"):
                total = total * 60 + float(part.replace(",", "."))
        return total
    return None


def sockets(pids: list[int]) -> list[tuple[str, int, str, int]]:
    """Return the TCP sockets of these processes: state, own port, other address, its port.

    The state is "listen", "connected" or another word. Empty where the system does not tell.
    """
    if LINUX:
        return _sockets_of_linux(pids)
    if os.name == "posix":
        command = ["lsof", "-nP", "-a", "-iTCP", "-F", "nT", "-p", ",".join(map(str, pids))]
    else:
        command = ["netstat", "-ano", "-p", "TCP"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return _sockets_of_netstat(told, pids) if os.name == "nt" else _sockets_of_lsof(told)


def _sockets_of_linux(pids: list[int]) -> list[tuple[str, int, str, int]]:
    numbers = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for descriptor in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    target = os.readlink(descriptor.path)
                    if target.startswith("socket:["):
                        numbers.add(target[8:-1])
    states = {"0A": "listen", "01": "connected"}
    found = set()
    for table in {f"/proc/{pid}/net/{name}" for pid in pids[:1] for name in ("tcp", "tcp6", "udp")}:
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[9] in numbers:
                    state = "udp" if table.endswith("udp") else states.get(fields[3], fields[3])
                    own, other = (int(fields[n].rpartition(":")[2], 16) for n in (1, 2))
                    found.add((state, own, _address(fields[1].rpartition(":")[0]), other))
    return sorted(found)


def _address(hexadecimal: str) -> str:
    """Return an own address out of /proc/net/tcp as text; any address is the loopback's."""
    data = bytes.fromhex(hexadecimal)
    swapped = b"".join(data[n : n + 4][::-1] for n in range(0, len(data), 4))
    if len(swapped) == 16 and swapped[:12] == bytes(10) + b"\xff\xff":
        swapped = swapped[12:]
    if not any(swapped):
        return "127.0.0.1"
    return socket.inet_ntop(socket.AF_INET if len(swapped) == 4 else socket.AF_INET6, swapped)


def _sockets_of_lsof(told: str) -> list[tuple[str, int, str, int]]:
    found, name = [], ""
    for line in told.splitlines():
        if line.startswith("n"):
            name = line[1:]
        elif line.startswith("TST="):
            state = {"LISTEN": "listen", "ESTABLISHED": "connected"}.get(line[4:], line[4:])
            own, _, other = name.partition("->")
            address, _, port = own.rpartition(":")
            address = "127.0.0.1" if address == "*" else address.strip("[]")
            remote = other.rpartition(":")[2]
            if port.isdigit():
                found.append((state, int(port), address, int(remote) if remote else 0))
    return found


def _sockets_of_netstat(told: str, pids: list[int]) -> list[tuple[str, int, str, int]]:
    found = []
    for line in told.splitlines():
        fields = line.split()
        if len(fields) == 5 and fields[0] == "TCP" and fields[4] in map(str, pids):
            address, _, port = fields[1].rpartition(":")
            remote = fields[2].rpartition(":")[2]
            state = "listen" if remote == "0" else "connected"
            address = "127.0.0.1" if address in ("0.0.0.0", "[::]") else address.strip("[]")
            found.append((state, int(port), address, int(remote)))
    return found


def adopt_orphans() -> None:
    """Become the parent of what double-forks away (Linux): then it can be ended."""
    if LINUX:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def end_descendants() -> None:
    """End all processes that descend from this one (Linux), until there are none."""
    if not LINUX:
        return
    for _ in range(20):
        children = [pid for pid in family(os.getpid()) if pid != os.getpid()]
        if inside():
            children = [pid for pid in processes() if pid != os.getpid()]
        for pid in children:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not children:
            return
        time.sleep(0.02)


def end_strays() -> None:
    """End what has double-forked away from a room that is over (Linux)."""
    if inside():
        end_descendants()


def watch(stop: Callable[[str], None], deadline: float) -> None:
    """Start a thread that calls `stop` with a word when a bound is passed."""

    def look() -> None:
        started = time.monotonic()
        while True:
            time.sleep(0.1)
            if time.monotonic() - started > deadline:
                stop("time")
            if LINUX:
                mine = processes() if inside() else family(os.getpid())
                if len(mine) > MOST_PROCESSES:
                    stop("processes")
                if _memory(mine) > MOST_MEMORY_OF_ALL:
                    stop("memory")

    threading.Thread(target=look, daemon=True).start()


def _memory(pids) -> int:
    """Return the bytes of memory that these processes have to themselves, about."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{pid}/statm").read_text().split()
            pages += int(fields[1]) - int(fields[2])
    return pages * 4096
