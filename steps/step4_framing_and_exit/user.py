"""A user of step 4: a connection, and an outbox for what it does not take at once."""

import os
import select
import socket
import time
from collections import deque

from framing import CHUNK

RETRY = 0.01  # seconds until what waits in an outbox is offered again
PATIENCE = 1.0  # seconds: nobody waits longer for a peer, or for anything, that does not move
LINGER = 30.0  # seconds: nor longer than this for one that moves slowly
DONT_WAIT = getattr(socket, "MSG_DONTWAIT", None)  # for a `send` that never waits; not on Windows


class User:
    """One connection, the nickname of the person behind it, and what waits to be sent."""

    def __init__(self, connection: socket.socket, peer: str) -> None:
        self.connection = connection
        self.peer = peer  # the address of the other side, for the log
        self.nick = ""  # until the room has one for this user
        self.outbox: deque[bytes] = deque()  # what the system did not take at once
        self.waiting = 0  # bytes in the outbox
        self.gone = ""  # why this user is no longer in the room

    def send(self, data: bytes) -> None:
        """Send `data`; put into the outbox what the system does not take at once. Never waits."""
        # If older bytes wait, these go behind them.
        sent = 0 if self.outbox else send_now(self.connection, data)
        if sent < len(data):
            self.outbox.append(data[sent:])
            self.waiting += len(data) - sent

    def send_rest(self) -> None:
        """Send what the system takes by now of what is in the outbox. Never waits."""
        while self.outbox and (sent := send_now(self.connection, self.outbox[0])):
            self.waiting -= sent
            rest = self.outbox.popleft()[sent:]
            if rest:
                self.outbox.appendleft(rest)

    def wait_until_read(self, limit: int) -> None:
        """Wait until no more than `limit` bytes are in the outbox, as long as the peer reads on."""
        started = progress = time.monotonic()
        before = self.waiting
        while self.waiting > limit and time.monotonic() < min(
            progress + PATIENCE, started + LINGER
        ):
            time.sleep(RETRY)
            if self.waiting < before:
                progress = time.monotonic()
            before = self.waiting

    def cut_off(self, farewell: bytes) -> None:
        """Drop what waits; say farewell (not on Windows); wake this user's thread, so it ends."""
        # A part of the first piece may be sent already: without the rest, the farewell would be
        # read as its continuation.
        self.outbox = deque([self.outbox[0], farewell])
        self.waiting = len(self.outbox[0]) + len(farewell)
        shut_down(self.connection, socket.SHUT_RD)
        if os.name == "nt":  # there, nothing but the end of the connection wakes the thread
            self.outbox.clear()
            self.waiting = 0
            self.connection.close()

    def close(self) -> None:
        """End the stream, and close the connection when the peer has ended its own, too.

        Waits for about PATIENCE. Closed with bytes unread, a connection would be reset, and
        what is under way to the peer would be lost.
        """
        deadline = time.monotonic() + PATIENCE
        shut_down(self.connection, socket.SHUT_WR)
        try:
            self.connection.settimeout(PATIENCE)
            while self.connection.recv(CHUNK) and time.monotonic() < deadline:
                pass
        except OSError:  # it has gone, or takes too long
            pass
        self.connection.close()


def send_now(connection: socket.socket, data: bytes) -> int:
    """Send what the system takes without waiting; return how many bytes it has taken."""
    try:
        if DONT_WAIT is not None:
            return connection.send(data, DONT_WAIT)
        if select.select([], [connection], [], 0)[1]:  # there is room for a chunk
            return connection.send(data[:CHUNK])
    except BlockingIOError:  # no room
        pass
    except (OSError, ValueError):  # the user has gone (ValueError: `select` met a closed socket)
        return len(data)  # forget these bytes; `recv` tells the user's thread
    return 0


def shut_down(connection: socket.socket, how: int) -> None:
    """End one or both directions of a connection that may be broken already."""
    try:
        connection.shutdown(how)
    except OSError:
        pass
