"""The terminal of step 4's client: what arrives does not break the line that is being typed.

This file has nothing to do with sockets: `Pipe` alone would do. Nobody has to explain it.
"""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

try:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.application import run_in_terminal
    from prompt_toolkit.completion import WordCompleter
except ImportError:
    PromptSession = None
try:
    import readline
    import termios
except ImportError:  # not on Windows
    termios = None


class Pipe:
    """Standard input and output, whatever they are."""

    name = ""  # of the user

    def lines(self) -> Iterator[str]:
        """Yield the lines of the input until it ends."""
        for line in sys.stdin.buffer:
            yield line.decode(errors="replace").rstrip("\r\n")

    def show(self, text: str) -> None:
        """Print a line; end the program if nobody can take it: a closed pipe, a full disk."""
        try:
            print(text, flush=True)
        except OSError:
            os._exit(1)  # at a normal end Python would flush its output, and fail once more

    def end(self, reason: str = "") -> None:
        """End the program, with status 1 if there is a reason. For any thread."""
        try:
            if reason:
                print(reason, file=sys.stderr, flush=True)
        finally:
            os._exit(1 if reason else 0)  # at once: the main thread may wait for a line


class Readline(Pipe):
    """A terminal with `readline`, which knows what is typed: that is drawn again."""

    def __init__(self) -> None:
        self.mode = termios.tcgetattr(sys.stdin)  # `input` changes it while it waits
        self.typing = threading.Event()  # set while `input` waits for a line
        readline.set_startup_hook(self.typing.set)
        # Block Ctrl-C here. A thread waits for it and calls `end`, which restores the terminal.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        threading.Thread(target=self.end_at_ctrl_c, daemon=True).start()

    def end_at_ctrl_c(self) -> None:
        """Wait for Ctrl-C, and end the program."""
        signal.sigwait([signal.SIGINT])
        self.end()

    def lines(self) -> Iterator[str]:
        """Yield the lines that the user enters, until Ctrl-D."""
        with suppress(EOFError):
            while True:
                line = input()
                self.typing.clear()
                yield line

    def show(self, text: str) -> None:
        """Erase the line that is typed, which may take several rows, and draw it below `text`."""
        typed = readline.get_line_buffer() if self.typing.is_set() else ""
        up = "\033[A" * (len(typed) // os.get_terminal_size().columns)
        print(f"\r{up}\033[J{set_apart(text)}\n{typed}", end="", flush=True)

    def end(self, reason: str = "") -> None:
        """End the program below what is half typed, with the terminal as it was."""
        if self.typing.is_set() and readline.get_line_buffer():
            print()
        termios.tcsetattr(sys.stdin, termios.TCSANOW, self.mode)
        super().end(reason)


class Prompt(Pipe):
    """A terminal with prompt_toolkit, which prints above the line that is typed."""

    def __init__(self) -> None:
        os.environ["PROMPT_TOOLKIT_NO_CPR"] = "1"  # do not ask the terminal where its cursor is
        self.session = PromptSession(
            lambda: f"{self.name}> ",
            completer=WordCompleter(["/help", "/quit", "/who"], sentence=True),
            complete_while_typing=False,  # at Tab alone
            enable_suspend=True,  # Ctrl-Z
        )
        self.arrived: deque[str] = deque()  # lines that are not printed yet
        self.over = False  # the server has gone
        self.left = threading.Event()  # `lines` has ended

    def lines(self) -> Iterator[str]:
        """Yield the lines that the user enters, until Ctrl-D; end the program at Ctrl-C."""
        try:
            with suppress(EOFError):
                while True:
                    text = self.session.prompt(pre_run=self.look)
                    if text.startswith("\x1a"):  # Ctrl-Z and Enter, on Windows
                        break
                    yield from text.split("\n")  # a paste may have several
        except KeyboardInterrupt:
            super().end()
        finally:
            self.left.set()
            self.print_arrived()

    def show(self, text: str) -> None:
        """Print a line above the prompt; between two prompts it waits for the next one."""
        self.arrived.append(set_apart(text))
        if self.left.is_set():
            self.print_arrived()
        else:
            self.call(self.look)

    def end(self, reason: str = "") -> None:
        """End the prompt, which leaves the terminal as it was, and then the program."""
        self.over = True
        self.call(self.look)
        self.left.wait(1)  # not for ever: the main thread may be sending
        super().end(reason)

    def call(self, function: Callable[[], None]) -> None:
        """Have a function called by the thread that draws the prompt, if there is one."""
        if loop := self.session.app.loop:
            with suppress(RuntimeError):  # that prompt has just ended
                loop.call_soon_threadsafe(function)

    def look(self) -> None:
        """Print what has arrived; end the prompt if the server has gone. A prompt begins so."""
        app = self.session.app
        if self.arrived and app.is_running and not app.is_done:
            run_in_terminal(self.print_arrived)
        if self.over and app.is_running and not app.is_done:
            app.exit(exception=EOFError)

    def print_arrived(self) -> None:
        """Print what has arrived."""
        while self.arrived:
            super().show(self.arrived.popleft())


def set_apart(text: str) -> str:
    """Make the server's own lines dim and an author's name bold: no text can imitate that."""
    name, colon, words = text.partition(": ")
    if os.environ.get("NO_COLOR"):
        return text
    if text.startswith("* "):
        return f"\033[2m{text}\033[0m"
    return f"\033[1m{name}{colon}\033[0m{words}" if colon else text


def open_terminal() -> Pipe:
    """Return what can do most here; a terminal that says TERM=dumb can do no more than a pipe."""
    for stream in (sys.stdin, sys.stdout):
        stream.reconfigure(encoding="utf-8", errors="replace")
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        return Pipe()
    if PromptSession:
        return Prompt()
    return Readline() if termios else Pipe()
