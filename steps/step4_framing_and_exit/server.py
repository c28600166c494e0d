"""Step 4: a chat of whole messages, in which one user cannot stop the others.

Run:       python3 server.py [--host 127.0.0.1] [--port 8080]
New here:  frames, commands, one order of events for all, an outbox for each user, a last message
           when the server stops.
Cannot do: remember what was said before you came, check who you are, run on two machines.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # until `main` knows what to do at Ctrl-C

import argparse
import os
import re
import socket
import sys
import threading
import time
from collections import deque

from framing import FrameError, FrameReader, encode, safe, send_frame
from room import Room
from user import PATIENCE, User, shut_down

NICK = re.compile(r"[\w.-]{1,32}")  # \w: a letter or digit of any script, or _
ATTEMPTS = 3  # nicknames that a newcomer may try
HELP = "* commands: /who (who is here), /quit (leave), /help (this line)"
DAY = 86_400  # seconds
REFUSED = 100  # refused connections that stay open, so that the peer can read why
LOGGING = threading.Lock()  # one line at a time

# A peer that has vanished does not answer: notice it within a minute. (The last line also ends the
# connection of a peer that is there, but reads nothing for 50 seconds.)
KEEPALIVE = {
    "TCP_KEEPIDLE": 20,  # seconds of silence, then the system asks: are you there?
    "TCP_KEEPALIVE": 20,  # the same on macOS
    "TCP_KEEPINTVL": 10,  # seconds between two questions
    "TCP_KEEPCNT": 3,  # questions without an answer
    "TCP_USER_TIMEOUT": 50_000,  # milliseconds in which sent bytes have to be taken
}


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


def log(line: str) -> None:
    """Print a line on standard error. It may have to wait: never do this with the room's lock."""
    if sys.stderr and LOGGING.acquire(timeout=PATIENCE):  # else another thread is stuck in here
        try:
            print(line, file=sys.stderr, flush=True)
        except OSError:  # as in `announce`
            pass
        LOGGING.release()


def set_options(connection: socket.socket) -> None:
    """Ask the system to send at once, and to notice a peer that has vanished."""
    # Send small messages at once, do not collect them (Nagle's algorithm).
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        try:
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        except (AttributeError, OSError):  # this system does not have it
            pass


def log_in(user: User, reader: FrameReader, room: Room, timeout: float) -> bool:
    """Ask for a nickname until one fits; return False if the newcomer leaves instead.

    Raises ValueError after `timeout` seconds and after the third nickname that does not fit.
    """
    deadline = time.monotonic() + timeout
    problem = None
    for _ in range(ATTEMPTS):
        if problem:
            send_frame(user.connection, f"* {problem}")
        send_frame(user.connection, "* enter your nickname")
        try:
            text = reader.receive(deadline)
        except TimeoutError:
            raise ValueError(f"no nickname within {timeout:g} seconds") from None
        if text is None or command(text) == "/quit":
            return False
        nick = text.strip()
        problem = "a nickname has 1 to 32 letters, digits, _ . or -"
        if NICK.fullmatch(nick):
            user.connection.settimeout(None)  # from now on `recv` waits as long as it takes
            problem = room.join(user, nick)
        if not problem:
            return True
    raise ValueError(problem)


def command(text: str) -> str:
    """Return the command that a message is, in lower case; "" for a message that is none."""
    return text.split()[0].lower() if text.startswith("/") else ""


def talk(user: User, reader: FrameReader, room: Room) -> None:
    """Pass on what a user says, until `/quit` or the end of the stream."""
    while not user.gone:
        text = reader.take()
        if text is None:  # all that has arrived is noted: have it sent, and wait for more
            room.deliver()
            text = reader.receive()
        if text is None or command(text) == "/quit":
            return
        if text.startswith("/"):
            room.answer(user, reply(text))
        elif text and not text.isspace():
            try:
                room.say(user, encode(f"{user.nick}: {safe(text)}"))
            except FrameError as error:
                room.answer(user, encode(f"* not sent: {error}"))


def reply(text: str) -> bytes | None:
    """Return the answer to a command as a frame, None for the list of users."""
    if command(text) == "/who":
        return None
    if command(text) == "/help":
        return encode(HELP)
    return encode(f"* unknown command: {safe(text.split()[0][:100])}, try /help")


def handle(user: User, room: Room, timeout: float) -> None:
    """Serve one user from the nickname to the last byte. Runs in a thread of its own."""
    why = "bye"
    try:
        set_options(user.connection)
        reader = FrameReader(user.connection)
        if log_in(user, reader, room, timeout):
            talk(user, reader, room)
    except ValueError as error:  # also a FrameError
        why = str(error)
    except OSError as error:  # a reset ends the stream, too
        why = f"connection lost: {error}"
    finally:
        room.leave(user, why)
        user.wait_until_read(0)
        user.close()
        room.forget(user)
        log(f"{user.nick or user.peer} left: {user.gone}")


def refuse(user: User, refused: deque[User]) -> None:
    """Tell a client that there is no place for it; this costs no thread."""
    user.send(encode("* server is full"))
    shut_down(user.connection, socket.SHUT_WR)
    # Closed at once, with bytes unread, the connection would be reset, and the words lost.
    refused.append(user)
    if len(refused) > REFUSED:
        refused.popleft().connection.close()


def serve(listener: socket.socket, room: Room, timeout: float) -> None:
    """Accept clients until the room stops, and give each a thread."""
    refused: deque[User] = deque()
    while not room.stopping:
        try:
            connection, peer = listener.accept()
        except ConnectionError:  # this client has gone: continue with the next one
            continue
        except OSError as error:  # a time-out: nobody came; or no file descriptor is left
            while refused:  # by now they have read why
                refused.popleft().connection.close()
            if not isinstance(error, TimeoutError):
                time.sleep(0.1)  # then somebody may have left
            continue
        user = User(connection, "{}:{}".format(*peer))
        try:
            if room.enter(user):
                threading.Thread(target=handle, args=(user, room, timeout), daemon=True).start()
            else:
                refuse(user, refused)
        except RuntimeError:  # out of threads, until somebody leaves
            room.forget(user)
            refuse(user, refused)


def parse_arguments() -> argparse.Namespace:
    """Read the command line; end the program if it makes no sense."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8080, help="port; 0 takes any free one")
    parser.add_argument("--login-timeout", type=float, default=30, help="seconds for a nickname")
    parser.add_argument("--max-clients", type=int, default=1000, help="connections at once")
    parser.add_argument("--max-pending", type=int, default=1_048_576, help="bytes for one user")
    args = parser.parse_args()
    if not 0 < args.login_timeout <= DAY or args.max_clients < 1 or args.max_pending < 1:
        parser.error("--login-timeout (a day at most), --max-clients and --max-pending: above 0")
    return args


def main() -> int:
    """Serve until Ctrl-C, then say goodbye; return the exit status."""
    args = parse_arguments()
    room = Room(args.max_clients, args.max_pending)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)  # not every system has all
        if number and signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` ignores it
            signal.signal(number, lambda *_: room.stop())
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        try:
            listen(listener, args.host, args.port)
        except (OSError, OverflowError, TypeError, ValueError) as error:
            print(f"cannot listen on {args.host}:{args.port}: {error}", file=sys.stderr)
            return 1
        listener.settimeout(0.25)  # between two calls of `accept`, look whether to stop
        announce(listener)
        serve(listener, room, args.login_timeout)
    room.close()
    os._exit(0)  # at once: there may be threads that still work for somebody


if __name__ == "__main__":
    sys.exit(main())
