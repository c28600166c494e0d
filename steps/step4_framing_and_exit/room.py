"""The room of step 4: who is here, what happens in which order, and how it reaches everybody.

A message goes to all users, and nobody who stops reading may stop the others: a `sendall` to such
a user would wait for ever. So the room only sends what the socket takes at once. The rest waits in
the user's queue for a writer, a thread that is started when it is first needed.
"""

import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from framing import CHUNK, FrameError, encode, safe

BATCH = 131_072  # bytes: a batch of this size is sent, whatever else waits
INBOX = 64  # events that may wait; who posts more of them waits, too
PATIENCE = 0.75  # seconds that a user far behind has for half of what may wait for it
MOST_PATIENCE = 5.0  # seconds after which nobody waits for it any longer, progress or not
LINGER = 1.0  # seconds for the last bytes of a connection to arrive
SEND_NOW = getattr(socket, "MSG_DONTWAIT", None)  # send what fits, never wait; not on Windows
HELP = "* commands: /who (who is here), /quit (leave), /help (this line)"


class User:
    """One connection, the nickname behind it, and what waits to be sent to it."""

    # Closer together in memory than in a dict, and the broadcast looks at every user.
    __slots__ = ("behind_since", "changed", "connection", "last", "left", "nick", "peer")
    __slots__ += ("pending", "progress", "waiting", "writer")

    def __init__(self, connection: socket.socket, peer: str) -> None:
        self.connection = connection
        self.peer = peer  # the address of the other side, for the log
        self.nick = ""
        self.left = False
        self.pending: deque[bytes] = deque()  # what the socket did not take at once
        self.waiting = 0  # bytes in `pending` and in the hands of the writer
        self.last = False  # nothing more will be sent
        self.changed = threading.Condition()  # guards and announces the three above
        self.writer: threading.Thread | None = None
        self.behind_since = 0.0  # when the first of the waiting bytes came
        self.progress = 0.0  # when that was, or when the writer last got some sent

    def send(self, data: bytes) -> bool:
        """Send without waiting; return False if some of it was left to the writer."""
        if not self.waiting and SEND_NOW is not None:
            try:
                sent = self.connection.send(data, SEND_NOW)
                if sent == len(data):
                    return True
                data = memoryview(data)[sent:]
            except OSError:  # the socket is full; or broken, which `receive` will report
                pass
        with self.changed:
            if self.writer is None:
                writer = threading.Thread(target=self.write, daemon=True)
                writer.start()
                self.writer = writer
            if not self.waiting:
                self.behind_since = self.progress = time.monotonic()
            self.pending.append(data)
            self.waiting += len(data)
            self.changed.notify_all()
        return False

    def write(self) -> None:
        """Send what waits, and wait for a peer who reads slowly: the writer's thread."""
        while data := self.next_pending():
            try:
                self.connection.sendall(data)
            except OSError:  # the user has gone, which `receive` will report
                pass
            with self.changed:
                self.waiting -= len(data)
                self.progress = time.monotonic()
                self.changed.notify_all()
        shut_down(self.connection, socket.SHUT_WR)

    def next_pending(self) -> bytes:
        """Wait for bytes to send and return about one CHUNK of them; b"" after the last."""
        with self.changed:
            self.changed.wait_for(lambda: self.pending or self.last)
            parts, size = [], 0
            while self.pending and size < CHUNK:
                parts.append(self.pending.popleft())
                size += len(parts[-1])
            return b"".join(parts)

    def catch_up(self, started: float, patience: float) -> None:
        """Wait until nothing waits to be sent, but not for so many seconds without progress."""
        with self.changed:
            while self.waiting:
                ends = max(started, self.progress) + patience
                ends = min(ends, self.behind_since + MOST_PATIENCE)
                if not self.changed.wait(max(ends - time.monotonic(), 0)):
                    return

    def finish(self) -> None:
        """End the stream (send FIN) behind all that has been sent."""
        with self.changed:
            self.last = True
            self.changed.notify_all()
            if self.writer is None:
                shut_down(self.connection, socket.SHUT_WR)

    def close(self) -> None:
        """Wait for `finish`, give the last bytes time to arrive, close the connection."""
        with self.changed:
            self.changed.wait_for(lambda: self.last)
            self.changed.wait_for(lambda: not self.waiting, LINGER)
        deadline = time.monotonic() + LINGER
        try:  # closed with bytes unread, a connection is reset, and what is under way is lost
            while time.monotonic() < deadline:
                self.connection.settimeout(max(deadline - time.monotonic(), 1e-3))
                if not self.connection.recv(CHUNK):
                    break
        except OSError:
            pass
        shut_down(self.connection, socket.SHUT_RDWR)
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

    Any thread may `post` an event. A thread that finds the turn free handles the event itself;
    what comes meanwhile waits, and is then handled as one batch by the room's own thread. Only
    the holder of the turn touches the registry and sends, and it sends without waiting: so a
    turn is short, and all users see one order.
    """

    def __init__(self, max_pending: int, log: Callable[[str], None]) -> None:
        self.log = log
        self.max_pending = max_pending
        self.max_batch = min(BATCH, max_pending // 4)
        self.connections: set[User] = set()  # everybody, with a nickname or without
        self.nicks: dict[str, User] = {}  # the nicknames taken, in lower case
        self.users: dict[User, str] = {}  # the registry: who has joined, in this order
        self.online: list[bytes] = []  # the frames that name them; [] after a change
        self.closed = False
        self.inbox: deque[tuple] = deque()
        self.turn = threading.Lock()
        self.busy = threading.Event()  # somebody has posted while another had the turn
        self.new_batch()
        self.thread = threading.Thread(target=self.keep_up, daemon=True)
        self.thread.start()

    def reserve(self, user: User, nick: str) -> str | None:
        """Give a nickname to `user`, or return why not. Atomic, hence for any thread."""
        if self.nicks.setdefault(nick.casefold(), user) is not user:
            return "this nickname is taken"
        user.nick = nick
        return None

    def post(self, handler: Callable, *args) -> None:
        """Have `handler(*args)` called in its turn, and what it tells sent."""
        self.inbox.append((handler, args))
        # With a free turn, this thread saves the time that it takes to wake another one. It
        # waits for the turn only if too much waits already: talkers are faster than the room.
        if self.turn.acquire(blocking=len(self.inbox) > INBOX):
            try:
                self.handle_batch()
            finally:
                self.turn.release()
        if self.inbox:  # came while somebody had the turn
            self.busy.set()

    def keep_up(self) -> None:
        """Handle what is posted while a batch is handled: the room's thread."""
        while True:
            self.busy.wait()
            self.busy.clear()
            while self.inbox:
                with self.turn:
                    self.handle_batch()

    def handle_batch(self) -> None:
        """Handle all events that wait, and send what they tell."""
        for _ in range(len(self.inbox)):
            handler, args = self.inbox.popleft()
            handler(*args)
        self.send_batch()

    def join(self, user: User) -> None:
        """A user with a nickname comes."""
        if user.left:  # the server has stopped in the meantime
            return
        self.users[user] = user.nick
        self.online = []
        welcome = b"".join([encode(f"* welcome, {user.nick}"), *self.who()])
        self.cuts[user] = [(0, self.size, welcome)]  # in place of what was said before
        self.tell_others(user, f"* {user.nick} joined")
        self.log(f"{user.nick} joined from {user.peer}")

    def say(self, user: User, texts: list[str]) -> None:
        """A user says something, or gives commands."""
        for text in texts:
            if user.left:
                return
            if text.startswith("/"):
                self.answer(user, text.split()[0])
            elif text and not text.isspace():
                try:
                    self.tell_others(user, f"{user.nick}: {safe(text)}")
                except FrameError as error:
                    self.tell(user, encode(f"* not sent: {error}"))

    def answer(self, user: User, word: str) -> None:
        """A user gives a command."""
        if word == "/who":
            self.tell(user, *self.who())
        elif word == "/help":
            self.tell(user, encode(HELP))
        else:
            self.tell(user, encode(f"* unknown command: {safe(word[:1000])}"))

    def leave(self, user: User, why: str, farewell: str = "") -> None:
        """A connection ends, whoever ended it; only the first time counts."""
        if user.left:
            return
        user.left = True
        joined = user in self.users
        cut = (self.size if joined else 0, sys.maxsize, encode(farewell) if farewell else b"")
        self.cuts.setdefault(user, []).append(cut)
        self.leavers.append(user)
        self.connections.discard(user)
        if self.nicks.get(user.nick.casefold()) is user:
            del self.nicks[user.nick.casefold()]
        if joined:
            del self.users[user]
            self.online = []
            if not self.closed:
                self.tell_others(user, f"* {user.nick} left")
        refused = not joined and farewell not in ("", "* bye")
        self.log(f"{user.nick or user.peer} {'refused' if refused else 'left'}: {why}")

    def close(self) -> None:
        """The server stops: everybody leaves."""
        self.closed = True
        for user in [*self.users, *self.connections]:  # who has joined: in the order of joining
            self.leave(user, "the server stops", "* server is shutting down")

    def who(self) -> list[bytes]:
        """Return the frame that names all users (several, if one would be too long)."""
        self.online = self.online or frames_of_names(list(self.users.values()))
        return self.online

    def tell(self, user: User, *frames: bytes) -> None:
        """Add frames for one user to the batch."""
        data = b"".join(frames)
        self.cuts.setdefault(user, []).append((self.size, self.size, data))
        self.private += len(data)
        if self.private > self.max_batch:
            self.send_batch()

    def tell_others(self, author: User, text: str) -> None:
        """Add a frame for everybody but its author to the batch; FrameError if it is too long."""
        frame = encode(text)
        start, self.size = self.size, self.size + len(frame)
        self.frames.append(frame)
        if not author.left:
            cuts = self.cuts.setdefault(author, [])
            if cuts and cuts[-1][1:] == (start, b""):  # two messages in a row: one longer cut
                start = cuts.pop()[0]
            cuts.append((start, self.size, b""))
        if self.size > self.max_batch:
            self.send_batch()

    def new_batch(self) -> None:
        """Start collecting what is to be sent."""
        self.frames: list[bytes] = []  # what everybody gets
        self.size = 0  # bytes of it
        self.cuts: dict[User, list[tuple]] = {}  # (start, end, what this user gets instead)
        self.private = 0  # bytes of that
        self.leavers: list[User] = []  # who get the last bytes of their lives

    def send_batch(self) -> None:
        """Send to everybody what the batch has for them, as one piece."""
        whole, cuts, leavers = b"".join(self.frames), self.cuts, self.leavers
        size = self.size  # without the answers: they are the affair of those who asked
        self.new_batch()
        behind = []
        for user in [*self.users, *leavers]:
            data = cut_out(whole, cuts[user]) if user in cuts else whole
            try:
                if data and not user.send(data):
                    behind.append(user)
            except RuntimeError:  # the system has no thread for a writer
                self.cut_off(user, "no thread is left to write to this user")
        for user in leavers:
            user.finish()
        if behind:
            self.wait_for(behind, size)

    def wait_for(self, behind: list[User], size: int) -> None:
        """Let users catch up who are far behind, so that talkers get no faster than readers.

        Who has stopped reading stops nobody: the wait is in proportion to the size of the batch,
        one for all, and the user is cut off when too much waits. A slow one slows down the talk.
        """
        started = time.monotonic()
        patience = PATIENCE * min(1, size / (self.max_pending // 2 + 1))
        for user in behind:
            if user.waiting > self.max_pending:
                self.cut_off(user, "does not read")
            elif user.waiting > self.max_pending // 2:
                user.catch_up(started, patience)

    def cut_off(self, user: User, why: str) -> None:
        """Disconnect a user, without regard to what waits."""
        self.inbox.append((self.leave, (user, why)))  # before the reader wakes and posts its own
        shut_down(user.connection, socket.SHUT_RDWR)  # wakes the reader and the writer


def cut_out(whole: bytes, cuts: list[tuple]) -> bytes:
    """Return what one user gets of the bytes that are for everybody.

    Each cut is (start, end, instead). The author of the message in whole[10:30] does not get
    it: (10, 30, b""). Who asked a question after it gets the answer there: (30, 30, answer).
    """
    parts, position = [], 0
    for start, end, instead in cuts:
        parts += (whole[position:start], instead)
        position = end
    parts.append(whole[position:])
    return b"".join(parts)


def frames_of_names(nicks: list[str]) -> list[bytes]:
    """Return the nicknames as one frame, or as several where one would be too long."""
    try:
        return [encode("* online: " + ", ".join(nicks))]
    except FrameError:
        half = len(nicks) // 2
        return frames_of_names(nicks[:half]) + frames_of_names(nicks[half:])
