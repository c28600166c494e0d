"""Step 2: a chat for two. What one user sends goes to the other, both ways at once.

Run:       python3 server.py [--host 127.0.0.1] [--port 8080]
New here:  two connections, and a thread for each direction.
Cannot do: answer a third person before one of the two has left, notice that the first one has
           left before the second one comes, go on when one of the two stops reading, deliver an
           answer to one who has ended the input.
"""

import argparse
import os
import signal
import socket
import sys
import threading

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


def accept(listener: socket.socket) -> socket.socket:
    """Wait for the next user and return the connection."""
    while True:
        try:
            user, _ = listener.accept()
            # Send small messages at once, do not collect them (Nagle's algorithm).
            user.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return user
        except OSError:  # this client has gone: continue with the next one
            continue


def send(user: socket.socket, data: bytes) -> None:
    """Send all of `data`, if the user is still there."""
    try:
        user.sendall(data)  # `send` may take only a part; this takes all
    except OSError:  # this user has gone; the thread that receives from it notices
        pass


def disconnect(user: socket.socket) -> None:
    """Close a connection; a thread that waits in `recv` or `sendall` for it waits no longer."""
    try:
        user.shutdown(socket.SHUT_RDWR)  # on Linux and macOS this wakes such a thread
    except OSError:  # the connection is broken or closed already
        pass
    user.close()  # on Windows this wakes it


def relay(source: socket.socket, target: socket.socket) -> None:
    """Pass on all that `source` sends, until it leaves. Runs in a thread of its own."""
    try:
        while data := source.recv(CHUNK):
            send(target, data)
    except OSError:  # a reset ends the stream, too
        pass
    disconnect(source)
    send(target, b"* the other user has left\n")
    disconnect(target)  # now the thread that receives from `target` ends, too


def serve(listener: socket.socket) -> None:
    """Bring users together for ever, one pair after the other."""
    while True:
        first = accept(listener)
        send(first, b"* waiting for the second user\n")
        second = accept(listener)
        for user in (first, second):
            send(user, b"* the second user is here\n")
        there = threading.Thread(target=relay, args=(first, second))
        back = threading.Thread(target=relay, args=(second, first))
        there.start()
        back.start()
        there.join()
        back.join()


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
