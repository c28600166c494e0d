"""What the system tells about processes: who started whom, what they use, which sockets they have.

Only Linux tells it, in /proc. Elsewhere the checks that need it are not made.
"""

import contextlib
import ctypes
import os
import platform
import signal
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

LINUX = sys.platform.startswith("linux")
STATES = {"0A": "listen", "01": "connected", "08": "left"}  # left: the other side has ended
CLOSED_HERE = ("04", "05", "06")  # FIN_WAIT1, FIN_WAIT2, TIME_WAIT: this side has closed first
# A process that has just ended, or that is closed. Any other error stops the check: a program may
# have bounded how many files the checker can open, to hide what it does.
GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
FUTEX = {"x86_64": "202", "aarch64": "98"}.get(platform.machine(), "")  # waits for a lock


class Socket(NamedTuple):
    """A TCP socket; the state is "listen", "connected", "left", "udp" or another word."""

    state: str
    port: int
    address: str
    other_port: int


def processes() -> dict[int, tuple[int, int]]:
    """Return parent and session of all processes that can be seen (Linux)."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(*GONE):
                fields = state_of(folder)
                found[int(folder.name)] = int(fields[1]), int(fields[3])
    return found


def state_of(folder: Path) -> list[str]:
    """Return the fields of a process or a thread after its name: its state, its parent, ..."""
    return (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def threads(pids: Iterable[int]) -> Iterable[Path]:
    """Yield the folders in /proc of all threads of these processes (elsewhere: none)."""
    for pid in pids if LINUX else ():
        with contextlib.suppress(*GONE):
            yield from Path(f"/proc/{pid}/task").iterdir()


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
    """Return the seconds in which these processes ran or wanted to (Linux)."""
    if LINUX:
        total = 0
        for thread in threads(pids):
            with contextlib.suppress(*GONE):
                total += sum(map(int, (thread / "schedstat").read_text().split()[:2]))
        return total / 1e9
    return None


def memory(pids: Iterable[int]) -> int:
    """Return the bytes of memory that these processes have to themselves, about (Linux)."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(*GONE):
            fields = Path(f"/proc/{pid}/statm").read_text().split()
            pages += int(fields[1]) - int(fields[2])
    return pages * 4096


def waiting_for_locks(pids: list[int]) -> int:
    """Return how many threads of these processes wait for a lock: now, and a moment later."""
    least = None
    for _ in range(3):
        count = 0
        for thread in threads(pids):
            with contextlib.suppress(*GONE):
                count += (thread / "syscall").read_text().partition(" ")[0] == (FUTEX or None)
        least = count if least is None else min(least, count)
        time.sleep(0.02)
    return least


def is_held(pid: int) -> bool:
    """Return whether all threads of a process have stopped after SIGSTOP (elsewhere: unknown)."""
    states = []
    for thread in threads([pid]):
        with contextlib.suppress(*GONE):
            states.append(state_of(thread)[0])
    return bool(states) and set(states) <= {"T", "t"}


# Sockets


def table(pid: int, name: str) -> Iterable[list[str]]:
    """Yield the fields of the rows of /proc/PID/net/tcp, tcp6 or udp."""
    with contextlib.suppress(*GONE):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            yield line.split()


def port_of(field: str) -> int:
    """Return the port of an address in such a row."""
    return int(field.rpartition(":")[2], 16)


def sockets(pids: list[int]) -> list[Socket]:
    """Return the sockets that these processes have open (elsewhere: none, it does not tell)."""
    numbers = set()
    for pid in pids if LINUX else ():
        with contextlib.suppress(*GONE):
            for descriptor in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(*GONE):
                    target = os.readlink(descriptor.path)
                    if target.startswith("socket:["):
                        numbers.add(target[8:-1])
    found = set()
    for name in ("tcp", "tcp6", "udp") if numbers else ():
        for fields in table(pids[0], name):
            if fields[9] in numbers:
                state = "udp" if name == "udp" else STATES.get(fields[3], fields[3])
                address = address_of(fields[1].rpartition(":")[0])
                found.add(Socket(state, port_of(fields[1]), address, port_of(fields[2])))
    return sorted(found)


def closed_here(pid: int, port: int) -> set[int]:
    """Return the other ports of the connections that the one who listens closed first (Linux)."""
    rows = [fields for name in ("tcp", "tcp6") for fields in table(pid, name)]
    here = [fields for fields in rows if port_of(fields[1]) == port and fields[3] in CLOSED_HERE]
    return {port_of(fields[2]) for fields in here}


def address_of(hexadecimal: str) -> str:
    """Return an own address out of /proc/net/tcp as text; any address is the loopback's."""
    data = bytes.fromhex(hexadecimal)
    swapped = b"".join(data[n : n + 4][::-1] for n in range(0, len(data), 4))
    if len(swapped) == 16 and swapped[:12] == bytes(10) + b"\xff\xff":
        swapped = swapped[12:]
    if not any(swapped):
        return "127.0.0.1"
    return socket.inet_ntop(socket.AF_INET if len(swapped) == 4 else socket.AF_INET6, swapped)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_taken(port: int) -> bool:
    """Return whether nobody else can have this port now."""
    if not 1024 <= port <= 65_535:
        return False
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


# The end


def adopt_orphans() -> None:
    """Become the parent of what double-forks away (Linux): then it can be ended."""
    if LINUX:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def end_descendants(everybody: bool) -> None:
    """End all processes that descend from this one (Linux); in namespaces all that are seen."""
    for _ in range(20 if LINUX else 0):
        seen = processes() if everybody else family(os.getpid())
        children = [pid for pid in seen if pid != os.getpid()]
        for pid in children:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not children:
            return
        time.sleep(0.02)
