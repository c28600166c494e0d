"""Step 3: a chat for many users, a thread for each.

Run:       python3 server.py [--host 127.0.0.1] [--port 8080]
New here:  nicknames, a registry of users behind a lock, broadcast to all others.
Cannot do: tell two messages apart when one `recv` returns both, put a character together
           that comes in two pieces, go on when one user stops reading, offer a command
           to leave, tell the users when it stops.
"""

import argparse
import os
import re
import signal
import socket
import sys
import threading
import time

CHUNK = 65_536  # the most bytes that one `recv` may return; it may return fewer
NICK = re.compile(r"[\w.-]{1,32}")  # \w: a letter or digit of any script, or _


def listen(listener: socket.socket, host: str, port: int) -> None:
    """Bind `listener` to host:port: clients can connect from now on. Raises OSError if not."""
    if os.name == "posix":
        # Old connections stay in TIME_WAIT for a minute and would keep the port taken.
        # (On Windows this option would let two servers share one port.)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(socket.SOMAXCONN)  # the backlog: clients that may wait for `accept`


def announce(listener: socket.socket) -> None:
    """Print the address at which the server listens."""
    try:
        print("listening on {}:{}".format(*listener.getsockname()), flush=True)
    except OSError:  # a closed pipe, a full disk: the server works without this line
        pass


class User:
    """One connection, and the nickname of the person behind it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.nick = ""  # until the room has one for this user
        self.sending = threading.RLock()  # `log_in` holds it and calls `send`, which takes it too

    def send(self, data: bytes) -> None:
        """Send all of `data`. Of two threads that send, one waits: bytes do not mix."""
        try:
            with self.sending:
                self.connection.sendall(data)  # `send` may take only a part; this takes all
        except OSError:  # this user has gone; the thread that receives from it notices
            pass

    def close(self) -> None:
        """Close the connection; a thread that waits in `send` gets an OSError."""
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # it was broken already
            pass
        with self.sending:  # now nobody is inside `sendall` any more
            self.connection.close()


class Room:
    """The registry of users, by nickname. Nobody sends while holding its lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users: dict[str, User] = {}

    def join(self, user: User, nick: str) -> bool:
        """Enter a user under this nickname; return False if it is taken."""
        with self.lock:
            if nick.casefold() in self.users:
                return False
            self.users[nick.casefold()] = user
            user.nick = nick
            return True

    def broadcast(self, author: User, data: bytes) -> None:
        """Send `data` to all users but its author."""
        with self.lock:
            others = [user for user in self.users.values() if user is not author]
        for user in others:
            user.send(data)

    def leave(self, user: User) -> None:
        """Tell the others that a user has left, and then remove it."""
        self.broadcast(user, f"* {user.nick} left\n".encode())
        with self.lock:  # last: nobody joins under this nickname before its owner has left
            del self.users[user.nick.casefold()]


def log_in(user: User, room: Room) -> bool:
    """Ask for a nickname until one fits; return False if the stream ends before."""
    user.send(b"* enter your nickname\n")
    while data := user.connection.recv(CHUNK):
        nick = data.decode(errors="replace").strip()
        problem = "a nickname has 1 to 32 letters, digits, _ . or -"
        if NICK.fullmatch(nick):
            with user.sending:  # what others say from now on has to wait for the welcome
                if room.join(user, nick):
                    user.send(f"* welcome, {nick}\n".encode())
                    return True
            problem = "this nickname is taken"
        user.send(f"* {problem}\n* enter your nickname\n".encode())
    return False


def talk(user: User, room: Room) -> None:
    """Pass on to the others what a user sends, until the end of the stream."""
    room.broadcast(user, f"* {user.nick} joined\n".encode())
    while data := user.connection.recv(CHUNK):
        room.broadcast(user, f"{user.nick}: ".encode() + data)


def handle(connection: socket.socket, room: Room) -> None:
    """Serve one user from the first byte to the last. Runs in a thread of its own."""
    user = User(connection)
    try:
        # Send small messages at once, do not collect them (Nagle's algorithm).
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if log_in(user, room):
            talk(user, room)
    except OSError:  # a reset ends the stream, too
        pass
    finally:
        user.close()
        if user.nick:
            room.leave(user)


def serve(listener: socket.socket, room: Room) -> None:
    """Accept clients for ever, and give each a thread."""
    while True:
        try:
            connection, _ = listener.accept()
        except ConnectionError:  # this client has gone: continue with the next one
            continue
        except OSError:  # out of file descriptors, until somebody leaves
            time.sleep(0.1)
            continue
        try:
            threading.Thread(target=handle, args=(connection, room), daemon=True).start()
        except RuntimeError:  # out of threads
            connection.close()


def main() -> int:
    """Read the command line and serve; return the exit status if that is impossible."""
    # Ctrl-C ends the program at once: no traceback, and on Windows no wait until `recv` returns.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="port; 0 takes any free one")
    args = parser.parse_args()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        try:
            listen(listener, args.host, args.port)
        except (OSError, OverflowError, TypeError) as error:
            print(f"cannot listen on {args.host}:{args.port}: {error}", file=sys.stderr)
            return 1
        announce(listener)
        serve(listener, Room())


if __name__ == "__main__":
    sys.exit(main())
