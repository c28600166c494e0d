"""Simulated users: connects them, has them join, and reads until each has seen what it awaits."""

import selectors
import socket
import time

import numpy as np

from bench.dialects import Raw

QUIET = 0.1  # seconds without a byte after which nothing more is under way
BUFFER = 262_144  # bytes that one `recv` may return


class LoadError(Exception):
    """The server did not do what was asked of it, or not in time."""


class SimulatedUser:
    """One connection to the server, and the nickname that it uses."""

    def __init__(self, index: int, nick: str, connection: socket.socket) -> None:
        self.index = index
        self.nick = nick
        self.connection = connection

    def receive(self, buffer: bytearray | memoryview) -> int:
        """Read what is there into `buffer`, return the number of bytes; LoadError at the end."""
        try:
            size = self.connection.recv_into(buffer)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise LoadError(f"{self.nick} was disconnected: {error.strerror}") from None
        if not size:
            raise LoadError(f"{self.nick} was disconnected")
        return size


def send(user: SimulatedUser, data: bytes | bytearray | memoryview) -> int:
    """Send what the socket takes; return the number of bytes. LoadError if it is broken."""
    try:
        return user.connection.send(data)
    except BlockingIOError:
        return 0
    except OSError as error:
        raise LoadError(f"{user.nick} was disconnected: {error.strerror}") from None


def count_newlines(data: np.ndarray) -> int:
    """Return how many newlines are in an array of bytes."""
    return int(np.count_nonzero(data == ord("\n")))


def nickname(index: int, letter: str) -> str:
    """Return a nickname; all have one length, so that messages have, too."""
    return f"{letter}{index:05d}"


class Gathering:
    """Users, and the bytes that each of them is still to see."""

    def __init__(
        self, address: tuple[str, int], dialect: Raw, seconds: float, letter: str = "u"
    ) -> None:
        self.address = address
        self.dialect = dialect
        self.letter = letter  # with which their nicknames begin
        self.deadline = time.monotonic() + seconds
        self.users: list[SimulatedUser] = []
        self.awaited: dict[SimulatedUser, bytes] = {}
        self.tails: dict[
            SimulatedUser, bytes
        ] = {}  # the last bytes read: what is awaited may come in two
        self.buffer = bytearray(BUFFER)
        self.selector = selectors.DefaultSelector()
        self.awake = False  # True: `wait` asks again and again, it never sleeps

    def join(self, count: int) -> None:
        """Have `count` users join, several at once; LoadError when that takes too long."""
        for index in range(count):
            self.read_until(self.dialect.joins_at_once - 1)
            user = self.connect(index)
            if welcome := self.dialect.welcome(user.nick):
                self.awaited[user] = welcome
        self.read_until(0)

    def connect(self, index: int) -> SimulatedUser:
        """Connect one user and send what a newcomer sends."""
        seconds = max(self.deadline - time.monotonic(), 1e-3)
        nick = nickname(index, self.letter)
        try:
            connection = socket.create_connection(self.address, seconds)
        except OSError as error:
            raise LoadError(f"{nick} cannot connect: {error}") from None
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        user = SimulatedUser(index, nick, connection)
        self.users.append(user)
        self.selector.register(connection, selectors.EVENT_READ, user)
        if hello := self.dialect.hello(user.nick):
            connection.send(hello)
        return user

    def say_something(self, author: SimulatedUser) -> None:
        """Send one message, read until all others have it and no byte is under way any more."""
        payload = self.dialect.payload(0)
        author.connection.send(self.dialect.message(payload))
        delivered = self.dialect.delivered(author.nick, payload)
        self.awaited = {user: delivered for user in self.users if user is not author}
        self.read_until(0)
        while self.pump(QUIET):
            pass

    def read_until(self, left: int) -> None:
        """Read until no more than `left` users wait for something."""
        while len(self.awaited) > left:
            if time.monotonic() > self.deadline:
                users, waiting = len(self.users), len(self.awaited)
                raise LoadError(f"{waiting} of {users} users got no answer in time")
            self.pump(1)

    def pump(self, timeout: float) -> int:
        """Read what has arrived; wait for it `timeout` seconds at most. Return the bytes."""
        received = 0
        for key, _ in self.selector.select(timeout):
            user = key.data
            size = user.receive(self.buffer)
            received += size
            if awaited := self.awaited.get(user):
                self.look_for(awaited, user, bytes(self.buffer[:size]))
        return received

    def wait(self, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
        """Return who has something to read, nobody after `seconds`.

        To wake a process that sleeps costs the one who sends to it some microseconds, now and
        then: in a small room for each message, in a large one for a few.
        """
        if not self.awake:
            return self.selector.select(seconds)
        end = time.monotonic() + seconds
        while not (events := self.selector.select(0)) and time.monotonic() < end:
            pass
        return events

    def look_for(self, awaited: bytes, user: SimulatedUser, data: bytes) -> None:
        """Note that a user need not wait any more if `data` has what it waits for."""
        data = self.tails.pop(user, b"") + data
        if awaited in data:
            del self.awaited[user]
        else:
            self.tails[user] = data[-len(awaited) :]

    def close(self) -> None:
        """Close all connections."""
        self.selector.close()
        for user in self.users:
            user.connection.close()


def gather(address: tuple[str, int], dialect: Raw, count: int, seconds: float) -> Gathering:
    """Return `count` users who have joined and have nothing left to read.

    The last one says something: servers accept in the order in which clients connect, so
    when everybody has it, all are in.
    """
    gathering = Gathering(address, dialect, seconds)
    gathering.join(count)
    gathering.say_something(gathering.users[-1])
    return gathering
