"""Step 2: a chat for two. What one user sends goes to the other, both ways at once.

Run:       python3 server.py [--host 127.0.0.1] [--port 8080]
New here:  two connections, and a thread for each direction.
Cannot do: answer a third person before one of the two has left.
"""

import argparse
import os
import queue
import signal
import socket
import sys
import threading

CHUNK = 65_536  # the most bytes that one `recv` may return; it may return fewer
FAREWELL_TIME = 1.0  # seconds that a user gets to read the last line
HERE = "the second user is here"


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


def accept(listener: socket.socket) -> socket.socket | None:
    """Return the connection of the next client, None if nobody comes for half a second."""
    try:
        connection, _ = listener.accept()
        # Send small messages at once, do not collect them (Nagle's algorithm).
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection
    except (TimeoutError, ConnectionError):  # nobody came, or left before it was accepted
        return None


def has_left(connection: socket.socket) -> bool:
    """Look, without waiting and without taking anything, whether a user has gone."""
    if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):  # it was reset
        return True
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:  # nothing said, but here
        return False
    except OSError:
        return True
    finally:
        connection.setblocking(True)


def tell(connection: socket.socket, line: str) -> bool:
    """Send a line of the server's own; return False if the user has gone."""
    try:
        connection.sendall(f"* {line}\n".encode())
    except OSError:
        return False
    return True


def shut_down(connection: socket.socket, how: int) -> None:
    """End one or both directions of a connection that may be broken already."""
    try:
        connection.shutdown(how)
    except OSError:
        pass


def receive(connection: socket.socket) -> bytes:
    """Return what has arrived, b"" at the end of the stream; a reset is an end, too."""
    try:
        return connection.recv(CHUNK)
    except OSError:
        return b""


def relay(source: socket.socket, target: socket.socket, left: queue.SimpleQueue) -> None:
    """Pass on all that `source` sends, until it leaves; then put it into `left`."""
    while data := receive(source):
        try:
            target.sendall(data)  # `send` may take only a part; this takes all
        except OSError:  # the target has gone; the thread that receives from it reports that
            pass
    left.put(source)


def wait_for_leaver(left: queue.SimpleQueue) -> socket.socket:
    """Return the first connection whose stream has ended."""
    while True:
        try:
            return left.get(timeout=0.5)  # in short waits, as in `open_listener`
        except queue.Empty:
            continue


def talk(first: socket.socket, second: socket.socket) -> None:
    """Let two users talk until one leaves; tell the other one and disconnect it."""
    left = queue.SimpleQueue()
    directions = ((first, second, left), (second, first, left))
    relays = [threading.Thread(target=relay, args=args, daemon=True) for args in directions]
    for thread in relays:
        thread.start()
    stayed = second if wait_for_leaver(left) is first else first
    stayed.settimeout(FAREWELL_TIME)
    tell(stayed, "the other user has left")
    shut_down(stayed, socket.SHUT_WR)  # what it has said still goes to the one who left
    try:
        left.get(timeout=FAREWELL_TIME)  # the other user has read the line, and left too
    except queue.Empty:
        pass
    for connection in (first, second):
        shut_down(connection, socket.SHUT_RDWR)  # wakes a thread that still waits in `recv`
    for thread in relays:
        thread.join()


def serve(listener: socket.socket) -> None:
    """Bring clients together, two by two, for ever."""
    first = None
    while True:
        newcomer = accept(listener)
        gone = first is not None and has_left(first)
        if first and newcomer and not gone:
            # If the other side is closed, the line is answered with a reset.
            gone = not tell(first, HERE) or has_left(first)
        if gone:
            first.close()
            first = None
        if first and newcomer:
            tell(newcomer, HERE)
            with first, newcomer:
                talk(first, newcomer)
            first = None
        elif newcomer:
            first = newcomer
            tell(first, "waiting for the second user")


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
