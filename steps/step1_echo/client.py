"""Step 1: a client that sends a line, waits for its echo, and then reads the next line.

Run:       python3 client.py [--host 127.0.0.1] [--port 8080]
New here:  `connect`, and `recv` in a loop until the whole echo is there.
Cannot do: notice that the server is gone before you enter the next line.
Leave:     the end of input (Ctrl-D; on Windows Ctrl-Z and Enter), or Ctrl-C.
"""

import argparse
import os
import signal
import socket
import sys

CHUNK = 65_536  # bytes that are sent before their echo is awaited


def show(text: str) -> None:
    """Print `text`; end the program if nobody can take it: a closed pipe, a full disk."""
    try:
        print(text, end="", flush=True)
    except OSError:
        os._exit(1)  # at a normal end Python would flush its output, and fail once more


def receive(connection: socket.socket, count: int) -> bytes:
    """Return the next `count` bytes; raise EOFError if the stream ends before."""
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))  # waits, and may return fewer
        if not piece:
            raise EOFError("the server has closed the connection")
        data += piece
    return data


def chat(connection: socket.socket) -> None:
    """Send every line of standard input and print its echo."""
    for line in sys.stdin.buffer:
        line = line.rstrip(b"\r\n") + b"\n"  # the last line may have none
        echo = b""
        # A long line goes in pieces: with all buffers full of echo, both sides would wait for ever.
        for start in range(0, len(line), CHUNK):
            piece = line[start : start + CHUNK]
            connection.sendall(piece)  # `send` may take only a part; this takes all
            echo += receive(connection, len(piece))
        show(echo.decode(errors="replace"))


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
        except (OSError, EOFError, OverflowError, TypeError) as error:
            print(f"cannot talk to {args.host}:{args.port}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
