"""A user of step 4: a connection, and an outbox for the bytes that it cannot take yet."""

import os
import select
import socket
import threading
import time
from collections import deque

PIECE = 16_384  # bytes for one `send` where a system cannot say how much it takes (Windows)
PATIENCE = 1.0  # seconds: for so long one waits for a peer that takes nothing
LINGER = 30.0  # seconds: for so long one waits for a leaver that takes its last bytes slowly
DONT_WAIT = getattr(socket, "MSG_DONTWAIT", None)  # for a `send` that never waits; not on Windows


class User:
    """One connection, the nickname of the person behind it, and what waits to be sent.

    The room's thread sends and closes; the user's own thread receives, and waits in `finish`.
    """

    def __init__(self, connection: socket.socket, peer: str) -> None:
        self.connection = connection
        self.peer = peer  # the address of the other side, for the log
        self.nick = ""  # until the room has one for this user
        self.outbox: deque[memoryview] = deque()  # what the system did not take at once
        self.waiting = 0  # bytes in the outbox
        self.seen = 0  # how much of the room's `said` this user has got already
        self.reason = ""  # why this user has left the room
        self.done = threading.Event()  # set when the user has left and has got everything

    def send(self, data: bytes) -> None:
        """Send `data` without waiting; what the system does not take waits in the outbox."""
        rest = memoryview(data)  # a slice of it is no copy: all outboxes share these bytes
        if rest and not self.outbox:  # else older bytes go first
            rest = rest[self.send_now(rest) :]
        if rest:
            self.outbox.append(rest)
            self.waiting += len(rest)

    def send_rest(self) -> None:
        """Try again to send the outbox. Stop when the system takes no more."""
        while self.outbox:
            sent = self.send_now(self.outbox[0])
            if not sent or not self.outbox:  # no room; or broken, and so the outbox is empty now
                break
            self.waiting -= sent
            self.outbox[0] = self.outbox[0][sent:]
            if not self.outbox[0]:
                self.outbox.popleft()
        if self.reason and not self.outbox:
            self.done.set()

    def send_now(self, data: memoryview) -> int:
        """Send what the system takes without waiting; return how many bytes these are."""
        try:
            if DONT_WAIT is not None:
                return self.connection.send(data, DONT_WAIT)
            _, writable, _ = select.select([], [self.connection], [], 0)
            if writable:  # there is room for a piece
                return self.connection.send(data[:PIECE])
        except BlockingIOError:  # there is no room
            pass
        except (OSError, ValueError):  # it is broken (ValueError: `select` met a closed socket)
            self.disconnect()
            return len(data)  # forget these bytes
        return 0

    def disconnect(self) -> None:
        """Drop what waits, and end the connection."""
        self.outbox.clear()
        self.waiting = 0
        self.wake(socket.SHUT_RDWR)

    def wake(self, how: int = socket.SHUT_RD) -> None:
        """Let the user's thread, which waits in `recv`, see the end of the stream."""
        shut_down(self.connection, how)
        if os.name == "nt":  # on Windows, only this wakes the thread
            self.connection.close()

    def finish(self) -> None:
        """Wait until this user has got everything and has ended the stream. For its own thread.

        If we close with unread bytes, the system sends a reset, and the last bytes may be lost.
        """
        deadline = time.monotonic() + LINGER
        before = None  # how much has waited a moment ago; None until the room knows of the end
        while not self.done.wait(PATIENCE):
            if self.waiting == before or time.monotonic() > deadline:
                return  # the peer has taken nothing since; or it takes too long
            before = self.waiting if self.reason else None
        end = time.monotonic() + PATIENCE
        try:
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(PATIENCE)
            while self.connection.recv(PIECE) and time.monotonic() < end:
                pass
        except OSError:  # it has gone, or takes too long
            pass


def shut_down(connection: socket.socket, how: int) -> None:
    """End one or both directions of a connection that may be broken already."""
    try:
        connection.shutdown(how)
    except OSError:
        pass
