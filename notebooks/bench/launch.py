"""Starts a server with one thing changed in its process, and its program untouched.

Run:       python3 launch.py CHANGE SERVER.py [ARGUMENTS]

| CHANGE | what is changed |
|---|---|
| `without-nodelay` | `TCP_NODELAY` is ignored: Nagle's algorithm stays on |
| `one-by-one` | step 4 sends each message by itself: batches of one |
| `uvloop` | asyncio has the event loop of uvloop |
| `queue=N` | step 4: N events wait for the room's thread; a user's thread with one more waits |
"""

import runpy
import socket
import sys
from collections.abc import Callable
from pathlib import Path


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


def queue_of(length: int) -> None:
    """Give the room of step 4 another bound for its queue."""
    import room  # of the server's folder

    room.MOST_EVENTS = length


CHANGES: dict[str, Callable[[], None]] = {
    "without-nodelay": without_nodelay,
    "one-by-one": one_by_one,
    "uvloop": use_uvloop,
}


def main() -> None:
    """Make the change, then run the server as its own command would."""
    _, change, script, *_ = sys.argv
    sys.path[0] = str(Path(script).parent)
    name, _, value = change.partition("=")
    if name == "queue":
        queue_of(int(value))
    else:
        CHANGES[name]()
    del sys.argv[:2]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
