"""Step 4: a client that sends what you type and prints what arrives, a frame for each message.

Run:       python3 client.py [--host 127.0.0.1] [--port 8080] [--nick NICK]
New here:  frames; nothing that arrives can control the terminal or break the line you type.
Leave:     /quit, the end of input (Ctrl-D; on Windows Ctrl-Z and Enter), or Ctrl-C.
"""

import argparse
import signal
import socket
import sys
import threading

from framing import FrameError, FrameReader, safe, send_frame
from terminal import Pipe, open_terminal

QUESTION = "* enter your nickname"
WELCOME = "* welcome, "
BYE = "* bye"


def show(text: str, terminal: Pipe) -> None:
    """Print a message; learn the user's own name from the server's welcome."""
    text = safe(text)
    terminal.show(text)
    if text.startswith(WELCOME):
        terminal.name = text.removeprefix(WELCOME)


def log_in(connection: socket.socket, reader: FrameReader, terminal: Pipe, nick: str) -> None:
    """Answer the server's question with `nick`; raise ValueError if the server asks again."""
    answered = False
    while (text := reader.receive()) is not None:
        if text != QUESTION:
            show(text, terminal)
        elif answered:
            raise ValueError(f"the server does not take the nickname {safe(nick)}")
        else:
            send_frame(connection, nick)
            answered = True
        if text.startswith(WELCOME):
            return


def receive(reader: FrameReader, terminal: Pipe) -> None:
    """Print what arrives; when the stream ends, say why and end the program."""
    last, reason = "", "the server has closed the connection"
    try:
        while (text := reader.receive()) is not None:
            show(text, terminal)
            last = text
        if last == BYE:
            reason = ""
    except (OSError, FrameError) as error:
        reason = f"connection lost: {error}"
    terminal.end(reason)


def send_lines(connection: socket.socket, terminal: Pipe) -> None:
    """Send every line as a frame; at the end of the input send `/quit`."""
    for line in terminal.lines():
        try:
            send_frame(connection, line)
        except FrameError as error:
            terminal.show(f"(not sent: {error})")
    send_frame(connection, "/quit")
    connection.shutdown(socket.SHUT_WR)  # half-close: the other direction stays open


def chat(connection: socket.socket, terminal: Pipe, nick: str | None) -> None:
    """Send and receive until the input or the server ends, and end the program."""
    reader = FrameReader(connection)
    if nick is not None:
        log_in(connection, reader, terminal, nick)
    receiver = threading.Thread(target=receive, args=(reader, terminal), daemon=True)
    receiver.start()
    try:
        send_lines(connection, terminal)
    except OSError:  # the server went away: the receiver says so
        pass
    receiver.join()  # it ends the program


def main() -> int:
    """Connect and chat; return the exit status if that is impossible."""
    # Ctrl-C ends the program at once: no traceback, and on Windows no wait until `recv` returns.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address of the server")
    parser.add_argument("--port", type=int, default=8080, help="port of the server")
    parser.add_argument("--nick", help="nickname, given when the server asks for it")
    args = parser.parse_args()
    if not sys.stdin or not sys.stdout:
        sys.exit("standard input or output is closed: start the client at a terminal or in a pipe")
    terminal = open_terminal()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        try:
            connection.connect((args.host, args.port))
            # Send each line at once, do not collect them (Nagle's algorithm).
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            chat(connection, terminal, args.nick)
        except (OSError, OverflowError, TypeError, ValueError) as error:
            print(f"cannot talk to {args.host}:{args.port}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
