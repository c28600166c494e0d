"""Starts a server with one thing changed in its process, and its program untouched.

Run:       python3 launch.py CHANGE SERVER.py [ARGUMENTS]

| CHANGE | what is changed |
|---|---|
| `without-nodelay` | `TCP_NODELAY` is ignored: Nagle's algorithm stays on |
| `one-by-one` | step 4 sends each message by itself: batches of one |
| `uvloop` | asyncio has the event loop of uvloop |
| `record-sends FILE` | the beginning and the end of every `send` are noted on the clock |
| | `time.perf_counter_ns`, with what the noting costs, and written to FILE as JSON at the end |
"""

import atexit
import json
import os
import runpy
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

TRIALS = 1000  # calls by which the cost of noting is found
ROUNDS = 20  # the cheapest counts: nothing else ran in between


def without_nodelay() -> None:
    """Leave Nagle's algorithm on, whatever the server asks for."""
    original = socket.socket.setsockopt

    def setsockopt(self, level: int, option: int, *value) -> None:
        if (level, option) != (socket.IPPROTO_TCP, socket.TCP_NODELAY):
            original(self, level, option, *value)

    socket.socket.setsockopt = setsockopt


def one_by_one() -> None:
    """Have step 4 send each message at once, where it would collect what else is there."""
    from room import Room  # of the server's folder

    say = Room.say

    def say_and_send(self: Room, *message) -> None:
        say(self, *message)
        self.send_said()

    Room.say = say_and_send


def use_uvloop() -> None:
    """Give asyncio another event loop."""
    import asyncio

    import uvloop

    asyncio.run = uvloop.run


def noting(function: Callable, calls: list[tuple[int, int]]) -> Callable:
    """Return a function that does the same and notes when it began and ended."""
    clock = time.perf_counter_ns

    def noted(*arguments):
        start = clock()
        try:
            return function(*arguments)
        finally:
            calls.append((start, clock()))

    return noted


def cost_of_noting() -> dict[str, float]:
    """Return what noting costs a call at least: all of it, and what looks like the call's own."""
    bare, noted, insides = [], [], []
    for _ in range(ROUNDS):
        calls: list[tuple[int, int]] = []
        bare.append(time_of(len))
        noted.append(time_of(noting(len, calls)))
        insides.append(sorted(end - start for start, end in calls)[TRIALS // 2])
    return {"cost_ns": (min(noted) - min(bare)) / TRIALS, "inside_ns": min(insides)}


def time_of(function: Callable) -> int:
    """Return the nanoseconds that TRIALS calls take."""
    start = time.perf_counter_ns()
    for _ in range(TRIALS):
        function(b"")
    return time.perf_counter_ns() - start


def record_sends(file: Path) -> None:
    """Note every `send` and `sendall`; write the notes when the server ends."""
    cost = cost_of_noting()
    calls: list[tuple[int, int]] = []
    socket.socket.send = noting(socket.socket.send, calls)
    socket.socket.sendall = noting(socket.socket.sendall, calls)
    at_the_end(lambda: file.write_text(json.dumps(cost | {"calls": list(calls)}), "utf-8"))


def at_the_end(action: Callable[[], object]) -> None:
    """Have `action` done when the process ends, in whatever way it does.

    Step 3 ends by the signal itself, step 4 by `os._exit`, the others return from `main`.
    """
    leave = os._exit

    def leave_after_action(status: int) -> None:
        action()
        leave(status)

    os._exit = leave_after_action
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # step 4 and others set their own
    atexit.register(action)


CHANGES: dict[str, Callable[[], None]] = {
    "without-nodelay": without_nodelay,
    "one-by-one": one_by_one,
    "uvloop": use_uvloop,
    "record-sends": lambda: record_sends(Path(sys.argv.pop(2))),
}


def main() -> None:
    """Make the change, then run the server as its own command would."""
    change = sys.argv[1]
    script = sys.argv[3 if change == "record-sends" else 2]
    sys.path[0] = str(Path(script).parent)
    CHANGES[change]()
    del sys.argv[:2]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
