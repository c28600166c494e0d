"""Step 1: an echo server. Whatever a client sends comes back to it.

Run:       python3 server.py [--host 127.0.0.1] [--port 8080]
New here:  a listener, a connection, and `recv` in a loop until the stream ends.
Cannot do: answer a second client before the first one has left.
"""

import argparse
import os
import signal
import socket
import sys

CHUNK = 65_536  # the most bytes that one `recv` may return; it may return fewer


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


def echo(connection: socket.socket) -> None:
    """Send back all that arrives, until the peer ends its stream."""
    # Send small messages at once, do not collect them (Nagle's algorithm).
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := connection.recv(CHUNK):
        connection.sendall(data)  # `send` may take only a part; this takes all


def serve(listener: socket.socket) -> None:
    """Accept clients for ever, one after the other."""
    while True:
        try:
            connection, _ = listener.accept()
            with connection:
                echo(connection)
        except OSError:  # this client has gone: continue with the next one
            continue


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
        serve(listener)


if __name__ == "__main__":
    sys.exit(main())
