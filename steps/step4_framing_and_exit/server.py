"""Step 4: a chat of whole messages, in which nobody can hold up the others.

Run:       python3 server.py [--host 127.0.0.1] [--port 8080]
New here:  frames in place of bare bytes; commands; one order of events for all, sent a batch
           at a time without waiting, and a writer thread only for a user who reads slowly.
Cannot do: remember what was said before you came, check who you are, span two machines.
"""

import argparse
import os
import queue
import signal
import socket
import sys
import threading
import time

from framing import UNSAFE, FrameError, FrameReader, encode, safe, send_frame
from room import EVENT, LINGER, PATIENCE, Room, User

MAX_NICK = 32  # characters
ATTEMPTS = 3  # nicknames that a newcomer may try
SEND_BUFFER = 262_144  # bytes that the system may hold for one user (Linux takes twice as many)
DAY = 86_400  # seconds
LOG: queue.SimpleQueue[bytes] = queue.SimpleQueue()  # lines for standard error; b"" ends them


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


def fault(nick: str) -> str | None:
    """Return what is wrong with a nickname, or None."""
    if not 1 <= len(nick) <= MAX_NICK:
        return f"a nickname has 1 to {MAX_NICK} characters"
    if nick[0] in "*/":
        return "a nickname does not start with * or /"
    if ":" in nick or any(map(str.isspace, nick)) or UNSAFE.search(nick):
        return "a nickname has no white space, no colon and no control characters"
    return None


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
        if text is None or text.split()[:1] == ["/quit"]:
            return False
        nick = text.strip()
        problem = fault(nick) or room.reserve(user, nick)
        if not problem:
            user.connection.settimeout(None)
            return True
    raise ValueError(problem)


def talk(user: User, reader: FrameReader, room: Room) -> None:
    """Pass on what a user says, until `/quit` or the end of the stream."""
    while texts := reader.receive_all():
        frames = bytearray()
        for text in texts:
            if text.startswith("/") or len(frames) > EVENT:
                room.post(room.say, user, frames)
                frames = bytearray()
            if text.startswith("/"):
                word = text.split()[0]
                if word == "/quit":
                    return
                # Who asks gets no further before the answer is read: nobody else waits for that.
                room.post_and_wait(room.answer, user, word)
                user.catch_up(room.max_pending // 2, time.monotonic() + PATIENCE)
            elif text and not text.isspace():
                try:
                    frames += encode(f"{user.nick}: {safe(text)}")
                except FrameError as error:
                    room.post(room.tell, user, encode(f"* not sent: {error}"))
        if frames:
            room.post(room.say, user, frames)


def handle(user: User, room: Room, args: argparse.Namespace, freed: threading.Event) -> None:
    """Serve one user from the nickname to the end of the stream. Runs in its own thread."""
    why, farewell = "bye", "* bye"
    try:
        # Send small messages at once, do not collect them (Nagle's algorithm).
        user.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Let no megabytes queue in the system, where a slow reader's progress is seen too late.
        user.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        reader = FrameReader(user.connection)
        if user not in room.connections:
            raise ValueError("server is full")
        if log_in(user, reader, room, args.login_timeout):
            room.post(room.join, user)
            talk(user, reader, room)
    except ValueError as error:  # also a FrameError
        why, farewell = str(error), f"* {error}"
    except OSError as error:  # a reset ends the stream, too
        why, farewell = f"connection lost: {error.strerror or error}", ""
    finally:
        room.post_and_wait(room.leave, user, why, farewell)
        user.close()
        freed.set()


def serve(listener: socket.socket, room: Room, args: argparse.Namespace) -> None:
    """Accept clients for ever, and give each a thread."""
    freed = threading.Event()  # set when a connection is closed
    while True:
        freed.clear()
        try:
            connection, peer = listener.accept()
        except (TimeoutError, ConnectionError):  # nobody came, or left before it was accepted
            continue
        except OSError as error:  # out of file descriptors, until somebody leaves
            log(f"cannot accept: {error.strerror or error}")
            freed.wait(1)
            continue
        user = User(connection, "{}:{}".format(*peer))
        if len(room.connections) < args.max_clients:
            room.connections.add(user)
        try:
            work = (user, room, args, freed)
            threading.Thread(target=handle, args=work, name="user", daemon=True).start()
        except RuntimeError as error:  # out of threads
            room.connections.discard(user)
            refuse(connection, "server is out of threads, come again later")
            log(f"{user.peer} refused: {error}")


def refuse(connection: socket.socket, why: str) -> None:
    """Say why to somebody who cannot be served, and close the connection."""
    with connection:
        try:
            send_frame(connection, f"* {why}")
        except OSError:  # has gone already
            pass


def log(line: str) -> None:
    """Have a line written to standard error, without waiting; if too many wait, drop it."""
    if LOG.qsize() < 1000:
        LOG.put(f"{line}\n".encode())


def write_log() -> None:
    """Write what is logged. In a thread of its own: a pipe that is full must stop nobody."""
    while line := LOG.get():
        try:
            if sys.stderr:  # else it was closed, and 2 may be the number of a connection
                os.write(2, line)
        except OSError:  # full, or nobody reads it any more
            pass


def say_goodbye(room: Room, logger: threading.Thread) -> None:
    """Tell everybody that the server stops; wait for their last bytes, but not for long."""
    deadline = time.monotonic() + LINGER
    room.stopping = True
    room.post_and_wait(room.close)
    for thread in threading.enumerate():
        if thread.name == "user" and thread.is_alive():  # not one that was just being started
            thread.join(max(deadline - time.monotonic(), 0))
    LOG.put(b"")
    logger.join(LINGER / 2)


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
    parser.add_argument("--login-timeout", type=float, default=30, help="seconds for a nickname")
    parser.add_argument("--max-clients", type=int, default=1000, help="connections at once")
    parser.add_argument("--max-pending", type=int, default=1_048_576, help="bytes for one user")
    args = parser.parse_args()
    if not 0 < args.login_timeout <= DAY or args.max_clients < 1 or args.max_pending < 1:
        parser.error("--login-timeout (a day at most), --max-clients and --max-pending: above 0")
    try:
        listener = open_listener(args.host, args.port)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        print(f"cannot listen on {args.host}:{args.port}: {reason}", file=sys.stderr)
        return 1
    room = Room(args.max_pending, log)
    logger = threading.Thread(target=write_log, daemon=True)
    logger.start()
    with listener:
        try:
            signal.signal(signal.SIGINT, stop)
            signal.signal(signal.SIGTERM, stop)
            host, port = listener.getsockname()
            print(f"listening on {host}:{port}", flush=True)
            serve(listener, room, args)
        except KeyboardInterrupt:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # also while Python itself ends
            say_goodbye(room, logger)
    return 0


if __name__ == "__main__":
    sys.exit(main())
