"""Step 4: a chat of whole messages, in which one user cannot stop the others.

Run:       python3 server.py [--host 127.0.0.1] [--port 8080]
New here:  frames, commands, one thread that owns the room, an outbox for each user, a last message
           when the server stops.
Cannot do: remember what was said before you came, check who you are, run on two machines.
"""

import argparse
import logging
import os
import signal
import socket
import sys
import threading
import time

from framing import FrameError, FrameReader, encode
from room import TICK, Room, command
from user import User

MUCH = 1_000  # bytes: more than a person types at once
DAY = 86_400  # seconds: the longest --login-timeout, so that "inf" is refused

# A peer that has vanished does not answer: notice it within a minute.
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


def talk(user: User, room: Room) -> None:
    """Pass on to the room what a user sends, until `/quit` or the end of the stream."""
    reader = FrameReader(user.connection)
    while not user.reason and (size := reader.fill()):
        if size > MUCH:
            with room.flood:  # one such user at a time: so the queue has room for the others
                texts = reader.take_all()  # not before: those of a thousand users fill the memory
                room.post(room.hear, user, texts)
                room.wait_until_done()
        else:
            texts = reader.take_all()
            room.post(room.hear, user, texts)
        if "/quit" in map(command, texts):
            return


def handle(user: User, room: Room) -> None:
    """Serve one user from the first byte to the last. Runs in a thread of its own."""
    reason = "bye"
    try:
        set_options(user.connection)
        talk(user, room)
    except FrameError as error:
        reason = str(error)
    except OSError as error:  # a reset ends the stream, too
        reason = f"connection lost: {error}"
    except Exception:  # a mistake in our code: the user must leave the room all the same
        logging.exception("internal error")
        reason = "internal error"
    room.post(room.leave, user, reason)
    user.finish()
    logging.info("%s left: %s", user.nick or user.peer, user.reason)
    room.post(room.forget, user)


def refuse(connection: socket.socket) -> None:
    """Tell a client that there is no place for it."""
    try:
        connection.send(encode("* server is full"))
    except OSError:  # it has gone
        pass
    connection.close()


def serve(listener: socket.socket, room: Room) -> None:
    """Accept clients for ever, and give each a thread. The room ends the program."""
    while True:
        try:
            connection, peer = listener.accept()
        except (TimeoutError, ConnectionError):  # nobody came; this client has gone
            continue
        except OSError:  # out of file descriptors, until somebody leaves
            time.sleep(0.1)  # to try again at once would take all of the processor
            continue
        if not room.places.acquire(blocking=False):
            refuse(connection)
            continue
        user = User(connection, "{}:{}".format(*peer))
        room.post(room.enter, user)  # before the thread, which posts what the user says
        try:
            threading.Thread(target=handle, args=(user, room), daemon=True).start()
        except RuntimeError:  # out of threads, until somebody leaves
            room.post(room.leave, user, "server is full")
            room.post(room.forget, user)


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
    """Serve until Ctrl-C; return the exit status if that is impossible."""
    args = parse_arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.raiseExceptions = False  # a closed pipe, a full disk: the server works without a log
    room = Room(args.max_clients, args.max_pending, args.login_timeout)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: room.stop())
    threading.Thread(target=room.run, daemon=True).start()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        try:
            listen(listener, args.host, args.port)
        except (OSError, OverflowError, TypeError) as error:
            print(f"cannot listen on {args.host}:{args.port}: {error}", file=sys.stderr)
            return 1
        listener.settimeout(TICK)  # so that Ctrl-C is noticed on Windows, too
        announce(listener)
        serve(listener, room)


if __name__ == "__main__":
    sys.exit(main())
