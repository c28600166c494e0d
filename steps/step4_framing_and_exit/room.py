"""The room of step 4: who is here, what happens in which order, and how it reaches everybody.

A message goes to all users, and nobody who stops reading may stop the others: a `sendall` to such
a user would wait for ever. So the room only sends what the socket takes at once. The rest waits in
the user's queue for a writer, a thread that is started when it is first needed.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from framing import CHUNK, FrameError, encode, safe

BATCH = 131_072  # bytes: a batch of this size is sent, whatever else waits
INBOX = 64  # events that may wait; who posts more of them waits, too
SMALL = 200  # users: for more, whoever posts does not send, but wakes the room's thread
EVENT = 16_384  # bytes: what a user says is posted in events of about this size
PATIENCE = 0.75  # seconds in which what waits for one user may grow by half of its limit;
SHORT_PATIENCE = 0.2  # only so many where another user keeps up: then the machine is not to blame
LINGER = 1.0  # seconds for the last bytes of a connection to arrive
SEND_NOW = getattr(socket, "MSG_DONTWAIT", None)  # send what fits, never wait; not on Windows
HELP = "* commands: /who (who is here), /quit (leave), /help (this line)"


class User:
    """One connection, the nickname behind it, and what waits to be sent to it."""

    def __init__(self, connection: socket.socket, peer: str) -> None:
        self.connection = connection
        self.peer = peer  # the address of the other side, for the log
        self.nick = ""
        self.left = False  # nothing more will be sent
        self.pending: deque[bytes] = deque()  # what the socket did not take at once
        self.waiting = 0  # bytes in `pending` and in the hands of the writer
        self.changed = threading.Condition()  # guards and announces the three above
        self.writer: threading.Thread | None = None

    def send(self, data: bytes) -> None:
        """Send what the socket takes at once, leave the rest to the writer. In the room's turn.

        Raises RuntimeError where a writer is needed and the system is out of threads.
        """
        if not self.waiting and SEND_NOW is not None:
            try:
                data = data[self.connection.send(data, SEND_NOW) :]
            except OSError:  # the socket is full; or broken, which `recv` will report
                pass
        if not data:
            return
        with self.changed:
            self.pending.append(data)
            self.waiting += len(data)
            self.changed.notify_all()
        if self.writer is None:
            writer = threading.Thread(target=self.write, daemon=True)
            writer.start()
            self.writer = writer

    def write(self) -> None:
        """Send what waits, and wait for a peer who reads slowly: the writer's thread."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.pending or self.left)
                if not self.pending:
                    shut_down(self.connection, socket.SHUT_WR)
                    return
                data = self.pending.popleft()
            try:
                self.connection.sendall(data)
            except OSError:  # the user has gone, which `recv` will report
                pass
            with self.changed:
                self.waiting -= len(data)
                self.changed.notify_all()

    def catch_up(self, most: int, deadline: float) -> None:
        """Wait until no more than `most` bytes wait to be sent, or until the deadline."""
        with self.changed:
            patience = max(deadline - time.monotonic(), 0)
            self.changed.wait_for(lambda: self.waiting <= most, patience)

    def close(self) -> None:
        """Give the last bytes time to arrive, then close the connection."""
        deadline = time.monotonic() + LINGER
        self.catch_up(0, deadline)
        try:  # closed with bytes unread, a connection is reset, and what is under way is lost
            while (patience := deadline - time.monotonic()) > 0:
                self.connection.settimeout(patience)
                if not self.connection.recv(CHUNK):
                    break
        except OSError:
            pass
        shut_down(self.connection, socket.SHUT_RDWR)  # a writer that still waits gets an OSError
        if self.writer:
            self.writer.join()
        self.connection.close()


def shut_down(connection: socket.socket, how: int) -> None:
    """End one or both directions of a connection that may be broken already."""
    try:
        connection.shutdown(how)
    except OSError:
        pass


class Room:
    """The users, and all that happens to them in one order.

    Any thread may `post` an event. In a small room, a thread that finds the turn free handles it
    itself; what comes meanwhile waits, and is handled as one batch by the room's own thread. Only
    the holder of the turn touches the registry and sends, so all users see one order. It sends
    without waiting; only when somebody is far behind, a turn is longer (see `let_catch_up`).
    """

    def __init__(self, max_pending: int, log: Callable[[str], None]) -> None:
        self.log = log
        self.max_pending = max_pending
        self.max_batch = min(BATCH, max_pending // 4)
        self.connections: set[User] = set()  # everybody, with a nickname or without
        self.nicks: dict[str, User] = {}  # the nicknames taken, in lower case
        # The registry: who has joined, in this order. By connection, because a broadcast then
        # touches nothing else of a user: that leaves more of the cache to the system's `send`.
        self.users: dict[socket.socket, User] = {}
        self.behind: set[socket.socket] = set()  # those of them for whom something waits
        self.pace = 0.0  # when those behind have had their time for all that was sent
        self.stopping = False  # the server will not wait for anybody
        self.closed = False
        self.batch: list[bytes] = []  # what is to be sent to everybody,
        self.apart: dict[User, list[bytes]] = {}  # but to these something else
        self.size = 0  # bytes in `batch`
        self.inbox: deque[tuple] = deque()  # events
        self.turn = threading.Lock()
        self.busy = threading.Event()  # something was posted while another had the turn
        threading.Thread(target=self.keep_up, name="room", daemon=True).start()

    def reserve(self, user: User, nick: str) -> str | None:
        """Give a nickname to `user`, or return why not. Atomic, hence for any thread."""
        if self.nicks.setdefault(nick.casefold(), user) is not user:
            return "this nickname is taken"
        user.nick = nick
        return None

    def post(self, event: Callable, *args) -> None:
        """Have `event(*args)` called in its turn, and what it tells sent.

        With a free turn this thread does it, and saves the time that it takes to wake another.
        In a large room that time is little: one thread that always sends has its data at hand.
        """
        self.inbox.append((event, args))
        # Talkers are faster than the room: if much waits already, they have to wait, too.
        too_much = len(self.inbox) > INBOX
        if len(self.users) > SMALL and not too_much:
            self.busy.set()
        elif self.turn.acquire(blocking=too_much):
            try:
                self.handle_inbox()
            finally:
                self.turn.release()
            if self.inbox:
                self.busy.set()

    def post_and_wait(self, event: Callable, *args) -> None:
        """Post an event and return when it has been handled, whoever has the turn by then."""
        handled = threading.Event()
        self.post(event, *args)
        self.post(handled.set)
        handled.wait()

    def keep_up(self) -> None:
        """Handle what is posted while a batch is sent: the room's thread."""
        while self.busy.wait():
            self.busy.clear()
            while self.inbox:
                with self.turn:
                    self.handle_inbox()

    def handle_inbox(self) -> None:
        """Handle all events that wait, and send what they tell."""
        for _ in range(len(self.inbox)):
            event, args = self.inbox.popleft()
            event(*args)
        self.send_batch()

    def join(self, user: User) -> None:
        """A user with a nickname comes."""
        if not user.left:  # else the server has stopped in the meantime
            self.tell_others(user, encode(f"* {user.nick} joined"))
            self.users[user.connection] = user
            # In place of what was said before:
            self.apart[user] = [encode(f"* welcome, {user.nick}")]
            self.answer(user, "/who")
            self.log(f"{user.nick} joined from {user.peer}")

    def say(self, user: User, frames: bytes | bytearray) -> None:
        """A user says something."""
        if frames and not user.left:
            self.tell_others(user, frames)

    def answer(self, user: User, word: str) -> None:
        """A user gives a command."""
        if word == "/who":
            self.tell(user, *names_of(list(self.users.values())))
        elif word == "/help":
            self.tell(user, encode(HELP))
        else:
            self.tell(user, encode(f"* unknown command: {safe(word[:16_000])}"))

    def leave(self, user: User, why: str, farewell: str = "") -> None:
        """A connection ends, whoever ended it; only the first time counts."""
        if user.left:
            return
        joined = self.users.pop(user.connection, None)
        last = self.apart.pop(user, self.batch) if joined else []
        try:
            user.send(b"".join([*last, encode(farewell) if farewell else b""]))
        except RuntimeError:  # no thread is left to write the last words
            pass
        with user.changed:
            user.left = True
            user.changed.notify_all()
        if not user.waiting:  # else the writer does this: end the stream behind the last words
            shut_down(user.connection, socket.SHUT_WR)
        self.connections.discard(user)
        self.behind.discard(user.connection)
        if self.nicks.get(user.nick.casefold()) is user:
            del self.nicks[user.nick.casefold()]
        if joined and not self.closed:
            self.tell_others(user, encode(f"* {user.nick} left"))
        refused = not joined and farewell not in ("", "* bye")
        self.log(f"{user.nick or user.peer} {'refused' if refused else 'left'}: {why}")

    def close(self) -> None:
        """The server stops: everybody leaves."""
        self.closed = True
        for user in [*self.users.values(), *self.connections]:  # in the order of joining
            self.leave(user, "the server stops", "* server is shutting down")

    def tell(self, user: User, *frames: bytes) -> None:
        """Add to the batch what one user gets."""
        self.apart.setdefault(user, self.batch.copy()).extend(frames)

    def tell_others(self, author: User, frames: bytes | bytearray) -> None:
        """Add to the batch what everybody gets but its author."""
        self.apart.setdefault(author, self.batch.copy())
        for user, theirs in self.apart.items():
            if user is not author:
                theirs.append(frames)
        self.batch.append(frames)
        self.size += len(frames)
        if self.size > self.max_batch:
            self.send_batch()

    def send_batch(self) -> None:
        """Send to everybody what the batch has for them, as one piece."""
        whole, size = b"".join(self.batch), self.size
        slow = self.users if SEND_NOW is None else self.behind
        others = {connection: [whole] for connection in slow}
        others |= {user.connection: theirs for user, theirs in self.apart.items()}
        self.batch, self.apart, self.size = [], {}, 0
        for connection in self.users if whole else ():
            if connection not in others:
                try:
                    sent = connection.send(whole, SEND_NOW)
                except OSError:  # the socket is full; or broken, which `recv` will report
                    sent = 0
                if sent < size:
                    others[connection] = [whole[sent:]]
        for connection, theirs in others.items():
            if theirs and connection in self.users:
                self.send_apart(self.users[connection], b"".join(theirs))
        if self.behind:
            heard = (user for c, user in self.users.items() if others.get(c, whole))
            kept_up = any(user.waiting <= size for user in heard)
            self.let_catch_up(size, SHORT_PATIENCE if kept_up else PATIENCE)

    def send_apart(self, user: User, data: bytes) -> None:
        """Send to one who gets something else than most, or for whom something waits."""
        try:
            user.send(data)
        except RuntimeError:
            self.cut_off(user, "no thread is left to write to this user")
        if user.waiting:
            self.behind.add(user.connection)

    def let_catch_up(self, size: int, patience: float) -> None:
        """Wait for users who are far behind, so that talkers get no faster than readers.

        Who has stopped reading stops nobody. Until too much waits for this user, who then is cut
        off, a flood waits for the patience in all; talk that anyway needs as long, not at all.
        """
        if self.stopping:  # there is no time, and not much more to come
            return
        now = time.monotonic()
        self.pace = min(max(self.pace, now - patience), now)
        self.pace += patience * min(1, 2 * size / self.max_pending)
        for connection in list(self.behind):
            user = self.users[connection]
            if user.waiting > self.max_pending:
                self.cut_off(user, "does not read")
            else:
                user.catch_up(self.max_pending // 2, self.pace)
            if not user.waiting:
                self.behind.discard(connection)

    def cut_off(self, user: User, why: str) -> None:
        """Disconnect a user, without regard to what waits."""
        self.inbox.append((self.leave, (user, why)))  # before the reader wakes and posts its own
        shut_down(user.connection, socket.SHUT_RDWR)  # wakes the reader and the writer


def names_of(users: list[User]) -> list[bytes]:
    """Return the frame that names these users; several, where one would be too long."""
    try:
        return [encode("* online: " + ", ".join(user.nick for user in users))]
    except FrameError:
        half = len(users) // 2
        return names_of(users[:half]) + names_of(users[half:])
