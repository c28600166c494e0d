"""Step 2: a client that sends the lines you type and prints what arrives, both at once.

Run:       python3 client.py [--host 127.0.0.1] [--port 8080]
New here:  nothing: it is the client of step 1.
Leave:     end of input (Ctrl-D, on Windows Ctrl-Z and Enter), or Ctrl-C.
"""

import argparse
import codecs
import os
import socket
import sys
import threading

CHUNK = 65_536


def receive(connection: socket.socket, leaving: threading.Event) -> None:
    """Print what arrives; when the server goes away, say so and end the program."""
    # A character may arrive in two pieces: the decoder keeps the first until the second is here.
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    try:
        while data := connection.recv(CHUNK):
            print(decoder.decode(data), end="", flush=True)
        reason = "the server has closed the connection"
    except OSError as error:
        leaving.clear()
        reason = f"connection lost: {error.strerror or error}"
    if not leaving.is_set():
        print(reason, file=sys.stderr, flush=True)
        os._exit(1)  # the main thread waits for a line: nothing else would end it at once


def send_lines(connection: socket.socket) -> None:
    """Send every line of standard input, until it ends."""
    for line in sys.stdin.buffer:
        connection.sendall(line.rstrip(b"\r\n") + b"\n")


def main() -> int:
    """Connect, talk until the input or the server ends; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address of the server")
    parser.add_argument("--port", type=int, default=8080, help="port of the server")
    args = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.connect((args.host, args.port))
    except KeyboardInterrupt:
        return 0
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        print(f"cannot connect to {args.host}:{args.port}: {reason}", file=sys.stderr)
        return 1
    leaving = threading.Event()  # set when this side ends the conversation
    receiver = threading.Thread(target=receive, args=(connection, leaving), daemon=True)
    try:
        receiver.start()
        try:
            # Send each line at once, do not collect them (Nagle's algorithm).
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            send_lines(connection)
            leaving.set()
            connection.shutdown(socket.SHUT_WR)  # half-close: no more from here, but go on reading
        except OSError:  # the server went away: the receiver says so
            pass
        while receiver.is_alive():
            receiver.join(1)  # in short waits: Windows notices Ctrl-C only between two of them
    except KeyboardInterrupt:
        os._exit(0)  # at once: the receiver may be in the middle of a line
    return 0


if __name__ == "__main__":
    sys.exit(main())
