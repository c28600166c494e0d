"""The room of step 4: one thread owns it, so it needs no lock, and all see one order of events.

The users' threads receive. What they have received they put into a queue. The room's thread takes
all that is there and sends it, to each user in one piece.
"""

import logging
import os
import queue
import re
import threading
import time
from collections.abc import Callable

from framing import FrameError, encode, safe
from user import PATIENCE, User

NICK = re.compile(r"[\w.-]{1,32}")  # letters and digits of many scripts, and _ . -
MOST_EVENTS = 30  # as many wait in the queue; a thread that brings one more has to wait
BATCH_PART = 8  # a batch fills 1/8 of an outbox at most: nobody is disconnected for one batch
SLOWEST = 1_000_000  # bytes a second: the room waits for readers that are this fast or faster
RETRY = 0.01  # seconds between two tries to send what is left
TICK = 0.25  # seconds: nobody sleeps longer, so that a stop is noticed
NAMES_A_FRAME = 400  # each has 32 letters of 4 bytes at most, and ", "
QUESTION = "* enter your nickname"
HELP = "* commands: /who (who is here), /quit (leave), /help (this line)"


class Room:
    """Who is here, and what they are told."""

    def __init__(self, max_clients: int, max_pending: int, login_timeout: float) -> None:
        self.max_pending = max_pending  # bytes that may wait for one user
        self.login_timeout = login_timeout  # seconds
        self.places = threading.Semaphore(max_clients)  # one for each open connection
        self.events: queue.Queue[tuple] = queue.Queue(MOST_EVENTS)
        self.flood = threading.Lock()  # held by the one user who may send much just now
        self.connected: set[User] = set()  # everybody, from `enter` to `forget`
        self.newcomers: dict[User, float] = {}  # those without a nickname, and their deadlines
        self.users: dict[str, User] = {}  # the registry: those who have joined, by nickname
        self.said: list[tuple[User, bytes]] = []  # authors and frames that wait to be sent
        self.size = 0  # bytes said and answered since the last `let_catch_up`: see there
        self.behind = 0  # bytes in the fullest outbox
        self.stopping = False

    # What other threads call.

    def post(self, action: Callable, *args: object) -> None:
        """Have the room's thread call `action`; wait while the queue is full."""
        self.events.put((action, args))

    def wait_until_done(self) -> None:
        """Wait until the room's thread has done all that was posted so far."""
        done = threading.Event()
        self.post(done.set)
        done.wait()

    def stop(self) -> None:
        """Ask the room to stop. It sees this within TICK seconds."""
        self.stopping = True

    def run(self) -> None:
        """Take events and send what comes of them. This is the room's thread."""
        while not self.stopping:
            self.take_events(RETRY if self.behind else TICK)
            self.do(self.send_out)
            self.do(self.turn_away_the_late)
        self.do(self.say_goodbye)
        os._exit(0)  # at once: other threads may wait for ever

    # All that follows is called by the room's thread only.

    def take_events(self, timeout: float) -> None:
        """Wait for an event. Then do it, and all others that are in the queue."""
        try:
            events = [self.events.get(timeout=timeout)]
        except queue.Empty:
            return
        events += [self.events.get() for _ in range(self.events.qsize())]
        for action, args in events:
            self.do(action, *args)

    def do(self, action: Callable, *args: object) -> None:
        """Call `action`. A mistake in our code costs one user the connection, not everybody."""
        try:
            action(*args)
        except Exception:
            logging.exception("internal error")
            if args and action != self.dismiss:  # the first argument is the user
                self.do(self.dismiss, args[0], "internal error")

    def enter(self, user: User) -> None:
        """Take in a connection that was accepted; it has no nickname yet."""
        self.connected.add(user)
        self.newcomers[user] = time.monotonic() + self.login_timeout
        self.tell(user, QUESTION)

    def hear(self, user: User, texts: list[str]) -> None:
        """Do what a user's texts say: a nickname, a command, a message to the others."""
        for text in texts:
            if user.reason or self.stopping:
                return
            if not user.nick:
                self.join(user, text)
            elif text.startswith("/"):
                self.obey(user, text)
            elif text.strip():  # a blank line is no message
                self.say(user, f"{user.nick}: {safe(text)}")
            if self.size > self.max_pending // BATCH_PART:
                self.send_out()

    def join(self, user: User, text: str) -> None:
        """Let a user in under this nickname and tell the others, or ask again."""
        nick = text.strip()
        if command(text) == "/quit":
            self.leave(user, "bye")
        elif not NICK.fullmatch(nick):
            self.tell(user, "* a nickname has 1 to 32 letters, digits, _ . or -", QUESTION)
        elif nick.casefold() in self.users:
            self.tell(user, "* this nickname is taken", QUESTION)
        else:
            del self.newcomers[user]
            self.users[nick.casefold()] = user
            user.nick = nick
            user.seen = len(self.said)  # what was said before is not for the new user
            self.tell(user, f"* welcome, {nick}", *self.online())
            self.say(user, f"* {nick} joined")

    def obey(self, user: User, text: str) -> None:
        """Do what a command says. The answer is for this user alone."""
        match command(text):
            case "/quit":
                self.leave(user, "bye")
            case "/who":
                self.tell(user, *self.online())
            case "/help":
                self.tell(user, HELP)
            case _:
                word = safe(text.split()[0][:100])
                self.tell(user, f"* unknown command: {word}, try /help")

    def online(self) -> list[str]:
        """Return the lines that name all users: one frame might be too small for so many."""
        nicks = [user.nick for user in self.users.values()]
        parts = [nicks[i : i + NAMES_A_FRAME] for i in range(0, len(nicks), NAMES_A_FRAME)]
        return [f"* online: {', '.join(part)}" for part in parts]

    def say(self, author: User, text: str) -> None:
        """Note a line for all users but its author; `send_said` sends it."""
        try:
            frame = encode(text)
        except FrameError as error:
            self.tell(author, f"* not sent: {error}")
            return
        self.said.append((author, frame))
        self.size += len(frame)

    def tell(self, user: User, *lines: str) -> None:
        """Send one user what others have said and it has not got yet, and then our own lines."""
        frames = []
        if user.nick:  # else what is said is not for this user
            frames = [frame for author, frame in self.said[user.seen :] if author is not user]
            user.seen = len(self.said)
        answer = b"".join(map(encode, lines))
        user.send(b"".join([*frames, answer]))
        self.size += len(answer)

    def leave(self, user: User, reason: str) -> None:
        """Let a user go, and tell the others. Its connection stays open until `forget`."""
        if user.reason:  # it has left already
            return
        user.reason = reason
        if user.nick:
            del self.users[user.nick.casefold()]
            self.say(user, f"* {user.nick} left")
        else:
            del self.newcomers[user]
        self.tell(user, f"* {reason}")
        user.send_rest()  # if nothing waits, the user's thread may go on

    def dismiss(self, user: User, reason: str) -> None:
        """Let a user go, and wake its thread, which may wait in `recv`."""
        self.leave(user, reason)
        user.wake()

    def forget(self, user: User) -> None:
        """Close the connection of a user whose thread is about to end."""
        self.connected.discard(user)
        user.connection.close()
        self.places.release()

    def send_out(self) -> None:
        """Send all users what was said; let those catch up who are behind."""
        if self.said:
            self.send_said()
        self.let_catch_up()

    def send_said(self) -> None:
        """Send each user what the others have said, in one piece."""
        everything = b"".join(frame for _, frame in self.said)
        authors = {author for author, _ in self.said}
        for user in self.users.values():
            if user in authors or user.seen:
                self.tell(user)
            else:  # most users: they all get the same bytes
                user.send(everything)
            user.seen = 0
        self.said.clear()

    def let_catch_up(self) -> None:
        """Send what waits in the outboxes; wait for those who are far behind.

        This takes no longer than `size` bytes take at SLOWEST. So a flood goes on at the pace of
        its readers. Who has stopped reading is soon over the limit, and is cut off.
        """
        deadline = time.monotonic() + self.size / SLOWEST
        self.size = 0
        self.send_rest()
        while self.behind > self.max_pending // 2 and time.monotonic() < deadline:
            if self.stopping:
                return
            time.sleep(RETRY)
            self.send_rest()
        for user in self.connected if self.behind > self.max_pending else ():
            if user.waiting > self.max_pending:
                user.disconnect()  # first: what waits is not sent any more
                self.leave(user, "does not read")

    def send_rest(self) -> None:
        """Try again to send all outboxes; note how much is left in the fullest one."""
        self.behind = 0
        for user in self.connected:
            if user.outbox:
                user.send_rest()
                self.behind = max(self.behind, user.waiting)

    def turn_away_the_late(self) -> None:
        """Let those go who have no nickname at their deadline."""
        while self.newcomers:
            user, deadline = next(iter(self.newcomers.items()))  # it has waited longest
            if time.monotonic() < deadline:
                return
            self.dismiss(user, f"no nickname within {self.login_timeout:g} seconds")

    def say_goodbye(self) -> None:
        """Tell all that the server stops; send what waits, but no longer than PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        self.take_events(RETRY)  # somebody may just have connected
        for user in self.connected:
            if not user.reason:
                self.tell(user, "* server is shutting down")
        self.send_rest()
        while self.behind and time.monotonic() < deadline:
            time.sleep(RETRY)
            self.send_rest()


def command(text: str) -> str:
    """Return the first word in lower case if the text is a command, else ""."""
    return text.split()[0].lower() if text.startswith("/") else ""
