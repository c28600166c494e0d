"""What the system tells about processes: who started whom, what they use, which sockets they have.

Only Linux tells it, in /proc. Elsewhere the checks that need it are not made.
"""

import contextlib
import ctypes
import ipaddress
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
                fields = fields_of(folder / "stat")
                found[int(folder.name)] = int(fields[1]), int(fields[3])
    return found


def fields_of(file: Path) -> list[str]:
    """Return the fields of a file in /proc; of "stat" those after the name: state, parent, ..."""
    return file.read_text("utf-8", "replace").rpartition(")")[2].split()


def of_threads(pids: Iterable[int], name: str) -> Iterable[list[str]]:
    """Yield the fields of such a file in /proc of each thread of these (elsewhere: nothing)."""
    for pid in pids if LINUX else ():
        with contextlib.suppress(*GONE):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(*GONE):
                    yield fields_of(thread / name)


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
    times = of_threads(pids, "schedstat")
    return sum(int(each) for fields in times for each in fields[:2]) / 1e9 if LINUX else None


def memory(pids: Iterable[int]) -> int:
    """Return the bytes of memory that these processes have to themselves, about (Linux)."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(*GONE):
            fields = fields_of(Path(f"/proc/{pid}/statm"))
            pages += int(fields[1]) - int(fields[2])
    return pages * 4096


def waiting_for_locks(pids: list[int]) -> int:
    """Return how many threads of these processes wait for a lock: now, and a moment later."""
    counts = []
    for _ in range(3):
        counts.append(sum(fields[:1] == [FUTEX] for fields in of_threads(pids, "syscall")))
        time.sleep(0.02)
    return min(counts)


def is_held(pid: int) -> bool:
    """Return whether all threads of a process have stopped after SIGSTOP (elsewhere: unknown)."""
    states = {fields[0] for fields in of_threads([pid], "stat")}
    return bool(states) and states <= {"T", "t"}


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
    rows = [*table(pid, "tcp"), *table(pid, "tcp6")]
    here = [row for row in rows if port_of(row[1]) == port and row[3] in CLOSED_HERE]
    return {port_of(row[2]) for row in here}


def address_of(hexadecimal: str) -> str:
    """Return an own address out of /proc/net/tcp as text; any address is the loopback's."""
    data = bytes.fromhex(hexadecimal)
    swapped = b"".join(data[n : n + 4][::-1] for n in range(0, len(data), 4))
    address = ipaddress.ip_address(swapped)
    address = getattr(address, "ipv4_mapped", None) or address
    return "127.0.0.1" if address.is_unspecified else str(address)


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
