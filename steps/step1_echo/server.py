"""Step 1: an echo server. Whatever a client sends comes back to it.

Run:       python3 server.py [--host 127.0.0.1] [--port 8080]
New here:  a listener, a connection, and `recv` in a loop until the stream ends.
Cannot do: answer a second client before the first one has left.
"""

import argparse
import os
import select
import signal
import socket
import sys

CHUNK = 65_536  # the most bytes that one `recv` may return; it may return fewer


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


def receive(connection: socket.socket) -> bytes:
    """Wait for bytes and return what has arrived, b"" at the end of the stream."""
    while not select.select([connection], [], [], 0.5)[0]:
        pass  # nothing yet; in short waits, for the same reason as in `open_listener`
    return connection.recv(CHUNK)


def echo(connection: socket.socket) -> None:
    """Send back all that arrives, until the peer ends its stream."""
    while data := receive(connection):
        connection.sendall(data)  # `send` may take only a part; this takes all


def serve(listener: socket.socket) -> None:
    """Accept clients for ever, one after the other."""
    while True:
        try:
            connection, _ = listener.accept()
        except (TimeoutError, ConnectionError):  # nobody came, or left before it was accepted
            continue
        with connection:
            try:
                # Send small messages at once, do not collect them (Nagle's algorithm).
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                echo(connection)
            except OSError:  # the peer has reset the connection: the next one, please
                pass


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
