"""A processor of its own for the server and for the load generator, where the system can do that.

Two processes that wander between the processors of a machine meet on one of them now and then,
and a figure says more about the scheduler than about a server. And how busy the processors were.
"""

import os
import time
from pathlib import Path

import psutil

SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
SHORT = 0.3  # seconds: in less, the system's hundredths say nothing about processes


def pair() -> tuple[int, int] | None:
    """Return a processor for the server and one for the generator; None where that is impossible.

    They are of two cores, if this process may run on two.
    """
    if not hasattr(os, "sched_setaffinity"):  # macOS, Windows
        return None
    first, *others = sorted(os.sched_getaffinity(0))
    apart = [other for other in others if other not in siblings(first)]
    others = apart or others
    return (others[0], first) if others else None


def siblings(processor: int) -> set[int]:
    """Return the processors that share a core with this one, as far as the system tells."""
    try:
        text = Path(SIBLINGS.format(processor)).read_text("ascii")
    except OSError:
        return set()
    found = set()
    for part in text.split(","):
        start, _, end = part.partition("-")
        found |= set(range(int(start), int(end or start) + 1))
    return found


def pin(pid: int, processor: int) -> None:
    """Keep a process, and the threads that it starts from now on, on one processor."""
    os.sched_setaffinity(pid, {processor})


class Meter:
    """The processor time of the server, of this process and of all others, as shares of a core."""

    def __init__(self, pid: int | None) -> None:
        self.server = psutil.Process(pid) if pid else None
        self.start = self.read()

    def read(self) -> tuple[float, float, float, float]:
        """Return the time, and the processor seconds of the server, this process and all."""
        used = self.server.cpu_times() if self.server else None
        server = used.user + used.system if used else float("nan")
        every = psutil.cpu_times()
        total = every.user + every.system + getattr(every, "nice", 0)
        return time.perf_counter(), server, time.process_time(), total

    def percent(self) -> dict[str, float]:
        """Return how busy each was since the start; 100 is one core."""
        elapsed, server, own, total = (b - a for a, b in zip(self.start, self.read(), strict=True))
        result = {"generator_cpu_percent": 100 * own / elapsed}
        if elapsed > SHORT:
            result["server_cpu_percent"] = 100 * server / elapsed
            result["others_cpu_percent"] = max(100 * (total - server - own) / elapsed, 0.0)
        return result
