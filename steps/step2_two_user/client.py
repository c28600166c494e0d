"""A chat client: it sends the lines that you type and prints what arrives, both at once.

Run:       python3 client.py [--host 127.0.0.1] [--port 8080]
Idea:      a thread for each direction: one waits for your lines, the other one for the server.
Leave:     the end of input (Ctrl-D; on Windows Ctrl-Z and Enter), or Ctrl-C.
"""

import argparse
import codecs
import os
import signal
import socket
import sys
import threading

CHUNK = 65_536  # the most bytes that one `recv` may return; it may return fewer


def show(text: str) -> None:
    """Print `text`; end the program if nobody can take it: a closed pipe, a full disk."""
    try:
        print(text, end="", flush=True)
    except OSError:
        os._exit(1)  # at a normal end Python would flush its output, and fail once more


def receive(connection: socket.socket, leaving: threading.Event) -> None:
    """Print what arrives; if the server goes away first, say so and end the program."""
    # A character may arrive in two pieces: the decoder keeps the first until the second is here.
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    reason = "the server has closed the connection"
    try:
        while data := connection.recv(CHUNK):
            show(decoder.decode(data))
        if leaving.is_set():
            return
    except OSError as error:
        reason = f"connection lost: {error}"
    try:
        print(reason, file=sys.stderr, flush=True)
    finally:
        os._exit(1)  # at once: the main thread may wait for a line


def send_lines(connection: socket.socket, leaving: threading.Event) -> None:
    """Send every line of standard input; at its end say that no more will come."""
    for line in sys.stdin.buffer:
        connection.sendall(line.rstrip(b"\r\n") + b"\n")
    leaving.set()  # before the server can answer, so that `receive` takes the end for normal
    connection.shutdown(socket.SHUT_WR)  # half-close: the other direction stays open


def chat(connection: socket.socket) -> None:
    """Send and receive until the input and then the server's stream have ended."""
    leaving = threading.Event()  # set when the input has ended
    receiver = threading.Thread(target=receive, args=(connection, leaving), daemon=True)
    receiver.start()
    try:
        send_lines(connection, leaving)
    except OSError:  # the server went away: the receiver says so
        pass
    receiver.join()


def main() -> int:
    """Connect, talk until the input or the server ends; return the exit status."""
    # Ctrl-C ends the program at once: no traceback, and on Windows no wait until `recv` returns.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address of the server")
    parser.add_argument("--port", type=int, default=8080, help="port of the server")
    args = parser.parse_args()
    if not sys.stdin or not sys.stdout:
        sys.exit("standard input or output is closed: start the client at a terminal or in a pipe")
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        try:
            connection.connect((args.host, args.port))
            # Send each line at once, do not collect them (Nagle's algorithm).
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            chat(connection)
        except (OSError, OverflowError, TypeError) as error:
            print(f"cannot talk to {args.host}:{args.port}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
