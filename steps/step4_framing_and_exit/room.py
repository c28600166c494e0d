"""The room of step 4: who is here, what is said in which order, and how it reaches everybody.

There is one lock, and whoever sends to users in the room holds it: so all see one order. This is
possible because no send waits for a reader. What the system does not take at once goes into the
user's outbox, and the room's thread offers it again, a hundred times a second.
"""

import socket
import threading
import time
from collections import deque

from framing import FrameError, encode
from user import PATIENCE, RETRY, User, shut_down

MANY = 100  # messages in `said`: with more than this, every author waits for the lock
PAUSE = 0.0005  # seconds after a batch of several messages
BATCH_PART = 8  # a batch takes a small part of an outbox: nobody is cut off for one batch
SLOWEST = 1_000_000  # bytes a second: a flood waits for readers who are at least as fast


class Room:
    """The users, and all that happens to them in one order."""

    def __init__(self, max_clients: int, max_pending: int) -> None:
        self.max_clients = max_clients
        self.max_pending = max_pending
        self.counting = threading.Lock()  # guards these two, always for a moment only:
        self.connections: set[User] = set()  # everybody who is here, with a nickname or without
        self.leaving: set[User] = set()  # those who still get their last bytes
        self.next_sender = threading.Lock()  # held by the one thread that waits for `lock` to send
        self.lock = threading.Lock()  # guards every send to a user in the room, and these:
        self.users: dict[str, User] = {}  # those who have joined, in this order, by nickname
        self.behind: set[User] = set()  # those for whom something waits in the outbox
        self.somebody_behind = threading.Event()
        # The queue of what is not sent yet: (author, frame), or (user, None): this user joins.
        # Anybody may append to it, without the lock; only who has the lock takes out of it.
        self.said: deque[tuple[User, bytes | None]] = deque()
        self.stopping = False  # this and the next one are changed by `stop` alone
        self.deadline = 0.0  # until when a stopping server waits for those who leave
        threading.Thread(target=self.keep_sending, daemon=True).start()

    def enter(self, user: User) -> bool:
        """Let a connection in that has no nickname yet; return False if the room is full."""
        with self.counting:
            if len(self.connections) >= self.max_clients:
                return False
            # Those who leave take no place, but each still has a thread: these are bounded, too.
            if len(self.leaving) >= self.max_clients:
                return False
            self.connections.add(user)
            return True

    def join(self, user: User, nick: str) -> str | None:
        """Let a user in and tell the others; return why not, if the nickname is taken."""
        user.nick = nick  # `admit` takes it away again if somebody has it
        self.said.append((user, None))  # in the queue: so many who come at once are one batch
        with self.lock:
            self.send_said()
        return None if user.nick else "this nickname is taken"

    def say(self, author: User, frame: bytes) -> None:
        """Queue a frame for the others; `deliver` sends it."""
        self.said.append((author, frame))

    def deliver(self) -> None:
        """Send all that is queued, or leave it to the thread that waits for the lock already.

        So one thread sends, one waits, and the others go on receiving. Nothing is forgotten:
        who waits has not begun to send, and takes what is queued when it begins.
        """
        crowded = len(self.said) > MANY
        if self.next_sender.acquire(blocking=crowded):
            with self.lock:
                self.next_sender.release()  # from now on another thread may be the next
                busy = len(self.said) > 1
                self.send_said()
                if busy:
                    time.sleep(PAUSE)  # the others receive meanwhile: the next batch is bigger

    def answer(self, user: User, frames: bytes | None) -> None:
        """Send frames to one user (None: the list of all users); wait until most is read."""
        with self.lock:
            self.send_said()
            if not user.gone:
                self.send(user, frames or self.online())
        user.wait_until_read(self.max_pending // 2)

    def leave(self, user: User, why: str) -> None:
        """Let a user go, tell the others, and say goodbye to the user."""
        with self.lock:
            self.send_said()
            if not user.gone:
                self.dismiss(user, why)
                self.send(user, encode(f"* {why}"))

    def forget(self, user: User) -> None:
        """Let go of a connection that is closed."""
        with self.counting:
            self.connections.discard(user)
            self.leaving.discard(user)
        with self.lock:
            self.behind.discard(user)

    def stop(self) -> None:
        """Pass on nothing more. Does not need the lock, so a signal may call it at any moment."""
        if not self.stopping:  # whoever is impatient and sends more signals does not prolong it
            self.deadline = time.monotonic() + PATIENCE
        self.stopping = True

    def close(self) -> None:
        """Tell everybody that the server stops; wait until all have gone, but not for long."""
        with self.counting:
            here = list(self.connections)
        with self.lock:
            for user in here:
                if not user.gone:
                    self.dismiss(user, "the server stops")
                    self.send(user, encode("* server is shutting down"))
        while self.leaving and time.monotonic() < self.deadline:
            with self.lock:
                self.send_rest()
                for user in here:
                    if not user.outbox:
                        shut_down(user.connection, socket.SHUT_WR)
            time.sleep(RETRY)

    # The following is for a thread that has the lock.

    def online(self) -> bytes:
        """Return the frame that names all users; several frames, if one would be too long."""
        return encode_online([user.nick for user in self.users.values()])

    def admit(self, user: User) -> bytes | None:
        """Enter a user into the registry; return what to tell the others, None if that failed."""
        if user.nick.casefold() in self.users:
            user.nick = ""
            return None
        self.users[user.nick.casefold()] = user
        self.send(user, encode(f"* welcome, {user.nick}") + self.online())
        return encode(f"* {user.nick} joined")

    def dismiss(self, user: User, why: str) -> None:
        """Take a user out of the registry and tell the others, unless the server stops."""
        user.gone = why
        with self.counting:
            self.connections.discard(user)
            self.leaving.add(user)
        if self.users.get(user.nick.casefold()) is user:
            del self.users[user.nick.casefold()]
            # At once: somebody may wait already to join under this nickname.
            if not self.stopping:
                self.tell(encode(f"* {user.nick} left"))

    def send(self, user: User, data: bytes) -> None:
        """Send to one user, now or as soon as there is room."""
        user.send(data)
        if user.outbox:
            self.behind.add(user)
            self.somebody_behind.set()

    def tell(self, frame: bytes) -> None:
        """Send to everybody what the server itself has to say."""
        for user in self.users.values():
            self.send(user, frame)

    def send_said(self) -> None:
        """Send each user what the others have said by now: one piece, or a few if it is much."""
        # Only what is queued by now: this thread has to return to its own user.
        said = deque(self.said.popleft() for _ in range(len(self.said)))
        while said and not self.stopping:
            batch, newcomers = self.take_batch(said)
            everything = b"".join(frame for _, frame in batch)
            authors = {author for author, _ in batch}
            for user in self.users.values():
                if user not in authors:
                    self.send(user, everything)
                    continue
                since = newcomers.get(user, 0)
                frames = [frame for author, frame in batch[since:] if author is not user]
                if frames:
                    self.send(user, b"".join(frames))
            self.let_catch_up(len(everything))

    def take_batch(self, said: deque) -> tuple[list[tuple[User, bytes]], dict[User, int]]:
        """Take out of `said` what is sent next, but not too much at a time.

        Returns authors and frames, and for each user who joins: how many frames come before.
        """
        batch, newcomers, size = [], {}, 0
        while said and size <= self.max_pending // BATCH_PART:
            author, frame = said.popleft()
            if author.gone:  # too late: the others know that the author has left
                continue
            if frame is None:
                frame = self.admit(author)
                newcomers[author] = len(batch)
            if frame:
                batch.append((author, frame))
                size += len(frame)
        return batch, newcomers

    def let_catch_up(self, size: int) -> None:
        """Wait for those who are far behind, but no longer than `size` bytes take at SLOWEST.

        So a flood slows down to the pace of its readers. A reader who has stopped costs the
        others half a second in all (half of `max_pending` at SLOWEST); then it is cut off.
        """
        deadline = time.monotonic() + size / SLOWEST
        while self.behind and self.send_rest() > self.max_pending // 2 and not self.stopping:
            time_left = deadline - time.monotonic()
            if time_left <= 0:
                return
            time.sleep(min(time_left, 0.001))

    def send_rest(self) -> int:
        """Offer what waits in the outboxes; return how many bytes wait in the fullest one."""
        most = 0
        for user in list(self.behind):
            user.send_rest()
            if not user.outbox:
                self.behind.discard(user)
            elif user.waiting > self.max_pending and not user.gone:
                self.cut_off(user)
            elif not user.gone:
                most = max(most, user.waiting)
        return most

    def cut_off(self, user: User) -> None:
        """Disconnect a user for whom too much waits."""
        self.dismiss(user, "does not read")
        user.cut_off(encode("* disconnected: you did not read what others said"))

    def keep_sending(self) -> None:
        """Offer what waits in the outboxes, again and again. Runs in the room's thread."""
        while self.somebody_behind.wait():
            with self.lock:
                self.send_rest()
                if not self.behind:
                    self.somebody_behind.clear()
            time.sleep(RETRY)


def encode_online(nicks: list[str]) -> bytes:
    """Return the frame that names these users; two or more, if one would be too long."""
    try:
        return encode("* online: " + ", ".join(nicks))
    except FrameError:
        half = len(nicks) // 2
        return encode_online(nicks[:half]) + encode_online(nicks[half:])
