"""Step 3: a chat for many users, a thread for each.

Run:       python3 server.py [--host 127.0.0.1] [--port 8080]
New here:  nicknames, a registry of users behind a lock, broadcast to all others.
Cannot do: tell two messages apart when one `recv` returns both, put a character together
           that comes in two pieces, go on when one user stops reading, let a user leave
           with a word, tell the users when it stops.
"""

import argparse
import os
import re
import signal
import socket
import sys
import threading
from dataclasses import dataclass, field

CHUNK = 65_536  # the most bytes that one `recv` may return; it may return fewer
MAX_NICK = 32  # characters

# What could move the cursor, colour the screen or turn the direction of writing: the control
# characters C0, DEL and C1, the separators U+2028 and U+2029, Unicode's Bidi_Control.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens on host:port; raise OSError where that is impossible."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":
        # Connections of the last run linger in TIME_WAIT and would keep the port taken for a
        # minute. (On Windows this option means something else: two servers on one port.)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(socket.SOMAXCONN)
    listener.settimeout(0.5)  # Windows notices Ctrl-C only between two calls of `accept`
    return listener


@dataclass(eq=False)
class User:
    """One connection, and the nickname of the person behind it."""

    connection: socket.socket
    nick: str = ""
    sending: threading.Lock = field(default_factory=threading.Lock)

    def send(self, data: bytes) -> None:
        """Send all of `data`. Of two threads that send, one waits: nothing mingles."""
        with self.sending:
            self.connection.sendall(data)  # `send` may take only a part; this takes all

    def disconnect(self) -> None:
        """Close the connection; a thread that is stuck in `send` gets an OSError."""
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # it was broken already
            pass
        with self.sending:
            self.connection.close()


class Room:
    """The registry of users, by nickname. Nobody sends while holding its lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users: dict[str, User] = {}

    def add(self, user: User) -> list[User] | None:
        """Enter a user and return the others; None where the nickname is taken."""
        with self.lock:
            others = list(self.users.values())
            if self.users.setdefault(user.nick.casefold(), user) is not user:
                return None
            return others

    def remove(self, user: User) -> list[User]:
        """Strike a user off and return the others; [] for somebody who was not in the room."""
        with self.lock:
            if self.users.get(user.nick.casefold()) is not user:
                return []
            del self.users[user.nick.casefold()]
            return list(self.users.values())

    def others(self, user: User) -> list[User]:
        """Return all users but one."""
        with self.lock:
            return [other for other in self.users.values() if other is not user]


def broadcast(users: list[User], data: bytes) -> None:
    """Send `data` to each of `users`. The list is a copy: the room's lock is not held."""
    for user in users:
        try:
            user.send(data)
        except OSError:  # this user has gone; the thread that receives from it says so
            pass


def fault(nick: str) -> str | None:
    """Return what is wrong with a nickname, or None."""
    if not 1 <= len(nick) <= MAX_NICK:
        return f"a nickname has 1 to {MAX_NICK} characters"
    if nick[0] in "*/":
        return "a nickname does not start with * or /"
    if ":" in nick or any(map(str.isspace, nick)) or UNSAFE.search(nick):
        return "a nickname has no white space, no colon and no control characters"
    return None


def join(user: User, room: Room) -> list[User] | None:
    """Ask for a nickname until one fits; return the others, None if the stream ends before."""
    user.send(b"* enter your nickname\n")
    while data := user.connection.recv(CHUNK):
        user.nick = data.decode(errors="replace").strip()
        problem = fault(user.nick)
        with user.sending:  # what the others say from now on has to wait for the welcome
            others = None if problem else room.add(user)
            if others is not None:
                try:
                    user.connection.sendall(f"* welcome, {user.nick}\n".encode())
                except OSError:  # has gone already: `recv` will notice
                    pass
                return others
        problem = problem or "this nickname is taken"
        user.send(f"* {problem}\n* enter your nickname\n".encode())
    return None


def handle(connection: socket.socket, room: Room, freed: threading.Event) -> None:
    """Serve one user from the nickname to the end of the stream. Runs in its own thread."""
    user = User(connection)
    try:
        # Send small messages at once, do not collect them (Nagle's algorithm).
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        others = join(user, room)
        if others is not None:
            broadcast(others, f"* {user.nick} joined\n".encode())
            while data := connection.recv(CHUNK):
                broadcast(room.others(user), f"{user.nick}: ".encode() + data)
    except OSError:  # a reset ends the stream, too
        pass
    finally:
        others = room.remove(user)
        user.disconnect()
        freed.set()
        broadcast(others, f"* {user.nick} left\n".encode())


def serve(listener: socket.socket) -> None:
    """Accept clients for ever, and give each a thread."""
    room = Room()
    freed = threading.Event()  # set when a connection is closed
    while True:
        freed.clear()
        try:
            connection, _ = listener.accept()
        except (TimeoutError, ConnectionError):  # nobody came, or left before it was accepted
            continue
        except OSError:  # out of file descriptors, until somebody leaves
            freed.wait(1)
            continue
        try:
            threading.Thread(target=handle, args=(connection, room, freed), daemon=True).start()
        except RuntimeError:  # out of threads
            connection.close()


def stop(signum: int, frame: object) -> None:
    """Turn the first Ctrl-C or SIGTERM into KeyboardInterrupt; further ones do nothing."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # of one ignored at this moment, Python complains
    raise KeyboardInterrupt


def main() -> int:
    """Read the command line, serve until Ctrl-C; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="port; 0 takes any free one")
    args = parser.parse_args()
    try:
        listener = open_listener(args.host, args.port)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        print(f"cannot listen on {args.host}:{args.port}: {reason}", file=sys.stderr)
        return 1
    with listener:
        try:
            signal.signal(signal.SIGINT, stop)
            signal.signal(signal.SIGTERM, stop)
            host, port = listener.getsockname()
            print(f"listening on {host}:{port}", flush=True)
            serve(listener)
        except KeyboardInterrupt:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # also while Python itself ends
    return 0


if __name__ == "__main__":
    sys.exit(main())
