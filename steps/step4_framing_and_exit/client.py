"""Step 4: a client that sends what you type and prints what arrives, a frame for each message.

Run:       python3 client.py [--host 127.0.0.1] [--port 8080] [--nick NICK]
New here:  frames; nothing that arrives can control the terminal or break the line you type.
Leave:     /quit, the end of input (Ctrl-D, on Windows Ctrl-Z and Enter), or Ctrl-C.
"""

import argparse
import contextlib
import os
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable

from framing import FrameError, FrameReader, safe, send_frame

try:  # draws the line being typed anew below whatever is printed
    from prompt_toolkit import PromptSession

    # It shall not ask the terminal where the cursor is: the answer would come too late.
    os.environ["PROMPT_TOOLKIT_NO_CPR"] = "1"
except ImportError:  # then the terminal alone takes care of the line
    PromptSession = None

try:  # without it, at least put the line being typed back: not on Windows
    import readline
    import termios
except ImportError:
    readline = termios = None

QUESTION = "* enter your nickname"
BYE = "* bye"
MOST_LINES = 1000  # that may wait for the screen


class Keyboard:
    """The lines that the user types, or that come through a pipe."""

    def __init__(self) -> None:
        self.terminal = sys.stdin.isatty() and sys.stdout.isatty()
        self.session = PromptSession("> ") if self.terminal and PromptSession else None
        self.mode = termios.tcgetattr(0) if self.terminal and termios else None
        self.reading = False  # whether `input` has the terminal
        self.lines: deque[str] = deque()  # what has arrived and is not yet on the screen
        self.printed = threading.Event()  # `lines` was emptied
        self.status: int | None = None  # the exit status, once the server has gone
        self.reason = ""  # why it has gone

    def read(self) -> str:
        """Return the next line; raise EOFError after the last one and when the server goes."""
        if self.session:
            return self.session.prompt(pre_run=self._begin)
        self.reading = True
        try:
            return input()
        finally:
            self.reading = False

    def show(self, text: str) -> None:
        """Print a line, and below it again what is half typed. For any thread but the main one."""
        if self.session:
            self.lines.append(text)
            self._call(self._show_above)  # if nobody is asked just now, `_begin` shows it
            self.printed.clear()
            if len(self.lines) > MOST_LINES and self.session.app.is_running:
                self.printed.wait()  # the screen stands still: receive no more
        elif self.reading and self.terminal and readline:
            print(f"\r\033[K{text}\n{readline.get_line_buffer()}", end="", flush=True)
        else:
            print(text, flush=True)

    def stop(self, status: int, reason: str) -> None:
        """End the program although the main thread waits in `read`. For any thread."""
        self.status, self.reason = status, reason
        if not self.session:
            if self.reading and readline and readline.get_line_buffer():
                print()  # below what is half typed
            self.finish()
            if self.mode:  # `input` has changed it, and will not come to put it back
                termios.tcsetattr(0, termios.TCSANOW, self.mode)
            os._exit(status)  # nothing else interrupts `input` everywhere
        self._call(self._stop_if_over)

    def finish(self) -> None:
        """Print what is left to say when there will be no more prompt."""
        self.print_lines()
        if self.reason:
            print(self.reason, file=sys.stderr, flush=True)

    def _is_asking(self) -> bool:
        return self.session.app.is_running and not self.session.app.is_done

    def _call(self, function: Callable) -> None:
        """Have a function called by the loop of the prompt, if there is one."""
        if loop := self.session.app.loop:
            with contextlib.suppress(RuntimeError):  # it was closed in this moment
                loop.call_soon_threadsafe(function)

    def print_lines(self) -> None:
        """Print what has arrived, while no prompt is on the screen."""
        while self.lines:
            print(self.lines.popleft(), end="\r\n", flush=True)
        self.printed.set()

    def _begin(self) -> None:
        self.print_lines()
        self._stop_if_over()

    def _show_above(self) -> None:
        if self.lines and self._is_asking():
            self.session.app.renderer.erase()
            self.print_lines()
            self.session.app.invalidate()  # draw the prompt anew

    def _stop_if_over(self) -> None:
        if self.status is not None and self._is_asking():
            # An empty prompt would stay on the screen; what was half typed shall stay.
            self.session.app.erase_when_done = not self.session.default_buffer.text
            self.session.app.exit(exception=EOFError)


def log_in(connection: socket.socket, reader: FrameReader, nick: str) -> bool:
    """Answer the server's question; return False if it does not take the nickname.

    Raises EOFError if the server ends the stream instead.
    """
    asked = False
    while (text := reader.receive()) is not None:
        print(safe(text), flush=True)
        if text.startswith("* welcome, "):
            return True
        if text == QUESTION and asked:
            return False
        if text == QUESTION:
            send_frame(connection, nick)
            asked = True
    raise EOFError("the server has closed the connection")


def receive(reader: FrameReader, keyboard: Keyboard) -> None:
    """Print what arrives; when the server goes away, say so and end the program."""
    text = None
    reason = "the server has closed the connection"
    try:
        while (arrived := reader.receive()) is not None:
            text = arrived
            keyboard.show(safe(text))
    except (OSError, FrameError) as error:
        reason = f"connection lost: {error}"
    if text == BYE:
        keyboard.stop(0, "")
    else:
        keyboard.stop(1, reason)


def send_lines(connection: socket.socket, keyboard: Keyboard) -> None:
    """Send every line as a frame; at the end of the input send `/quit`."""
    with contextlib.suppress(EOFError):
        while True:
            for line in keyboard.read().split("\n"):  # several if they were pasted
                try:
                    send_frame(connection, line)
                except FrameError as error:
                    print(f"not sent: {error}", file=sys.stderr, flush=True)
    if keyboard.status is None:
        send_frame(connection, "/quit")
        connection.shutdown(socket.SHUT_WR)  # half-close: no more from here, but go on reading


def chat(connection: socket.socket, nick: str | None) -> int:
    """Talk until the input or the server ends; return the exit status."""
    keyboard = Keyboard()
    reader = FrameReader(connection)
    # Send each line at once, do not collect them (Nagle's algorithm).
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if nick is not None and not log_in(connection, reader, nick) and not keyboard.terminal:
        raise ValueError(f"the server does not take the nickname {safe(nick)}")
    receiver = threading.Thread(target=receive, args=(reader, keyboard), daemon=True)
    receiver.start()
    with contextlib.suppress(OSError):  # the server went away: the receiver says so
        send_lines(connection, keyboard)
    while receiver.is_alive():
        keyboard.print_lines()
        receiver.join(1)  # in short waits: Windows notices Ctrl-C only between two of them
    keyboard.finish()
    return keyboard.status


def main() -> int:
    """Connect and chat; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address of the server")
    parser.add_argument("--port", type=int, default=8080, help="port of the server")
    parser.add_argument("--nick", help="nickname, given when the server asks for it")
    args = parser.parse_args()
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
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
    try:
        return chat(connection, args.nick)
    except (OSError, EOFError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        os._exit(0)  # at once: the receiver may be in the middle of a line


if __name__ == "__main__":
    sys.exit(main())
