"""The terminal of step 4's client: what arrives does not break the line that is being typed.

With prompt_toolkit that line stays at the bottom of the screen; without it, `readline` puts it
back; a pipe has no such line. This file is comfort: the chat is in the other ones.
"""

import contextlib
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable

try:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter

    # It shall not ask the terminal where the cursor is: the answer would come too late.
    os.environ["PROMPT_TOOLKIT_NO_CPR"] = "1"  # CPR: cursor position request
except ImportError:
    PromptSession = None
try:
    import readline
    import termios
except ImportError:  # not on Windows
    readline = termios = None

COMMANDS = ["/help", "/quit", "/who"]
MOST_LINES = 1000  # that may wait for the screen


class Terminal:
    """Standard input and output, at a terminal or in a pipe."""

    def __init__(self) -> None:
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
        at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        self.interactive = at_terminal and os.environ.get("TERM") != "dumb"
        self.styled = self.interactive and not os.environ.get("NO_COLOR")
        if self.styled and os.name == "nt":
            os.system("")  # after any command the console obeys escape sequences
        self.prompt = "> "
        self.session = self._open_session() if self.interactive and PromptSession else None
        self.mode = termios.tcgetattr(0) if self.interactive and termios else None
        self.asking = False  # `input` has the terminal
        self.typed: deque[str] = deque()  # lines that were pasted together, not yet read
        self.lines: deque[str] = deque()  # what has arrived, not yet on the screen
        self.printed = threading.Event()  # `lines` was emptied
        self.status: int | None = None  # the exit status, once the server has gone
        self.reason = ""  # why it has gone

    def _open_session(self) -> "PromptSession":
        words = WordCompleter(COMMANDS, sentence=True)
        return PromptSession(lambda: self.prompt, completer=words, complete_while_typing=False)

    def welcome(self, name: str) -> None:
        """Show the user's own name as the prompt, and say where help is."""
        self.prompt = f"{name}> "
        if self.interactive:
            self.show("(/help names the commands)")

    def end_at_ctrl_c(self) -> None:
        """Let Ctrl-C end the program, whatever the main thread is waiting for."""
        signal.signal(signal.SIGINT, lambda *_: self.exit(0))
        if self.session:  # it reads Ctrl-C as a key
            return
        # Python itself would notice the signal only when `input` returns. But the signal's number
        # is written into this pipe at once, and a thread waits for it.
        reading, writing = os.pipe()
        if os.name == "posix":
            os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)
        threading.Thread(target=self._exit_after_signal, args=(reading,), daemon=True).start()

    def _exit_after_signal(self, pipe: int) -> None:
        os.read(pipe, 1)  # waits
        self.exit(0)

    def read(self) -> str | None:
        """Return the next line; None at the end of the input and when the server has gone."""
        try:
            if not self.typed:
                self.typed.extend(self._ask().split("\n"))
        except EOFError:
            return None
        except KeyboardInterrupt:  # Ctrl-C at the prompt of prompt_toolkit
            self.exit(0)
        return self.typed.popleft()

    def _ask(self) -> str:
        """Return what the user enters; raise EOFError at the end of the input."""
        if self.session:
            line = self.session.prompt(pre_run=self._begin, enable_suspend=True)
        elif self.interactive:
            self.asking = True
            line = input()
            self.asking = False
        else:
            data = sys.stdin.buffer.readline()
            if not data:
                raise EOFError
            line = data.decode(errors="replace").removesuffix("\n").removesuffix("\r")
        if os.name == "nt" and line.startswith("\x1a"):  # Ctrl-Z
            raise EOFError
        # On Windows a character such as an emoji may come in two halves.
        return line.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def show(self, text: str) -> None:
        """Print a line, above the one that is being typed. For any thread."""
        text = self._set_apart(text)
        if self.session:
            self.lines.append(text)
            self.printed.clear()
            self._call(self._show_above)  # if nobody is asked just now, `_begin` shows it
            if len(self.lines) > MOST_LINES and self.session.app.is_running:
                self.printed.wait()  # the screen stands still: receive no more
        elif self.asking and readline:
            # \r: to the line's begin; \033[K: erase the line.
            self._print(f"\r\033[K{text}\n{readline.get_line_buffer()}", end="")
        else:
            self._print(text)

    def _set_apart(self, text: str) -> str:
        """Make the server's own lines dim and an author's name bold: no text can imitate that."""
        if not self.styled:
            return text
        if text.startswith("* "):
            return f"\033[2m{text}\033[0m"
        name, colon, words = text.partition(": ")
        return f"\033[1m{name}{colon}\033[0m{words}" if colon else text

    def _print(self, text: str, end: str = "\n") -> None:
        try:
            print(text, end=end, flush=True)
        except OSError:  # a closed pipe, a full disk: nobody can take it
            self.exit(1)

    def stop(self, status: int, reason: str = "") -> None:
        """End the program although the main thread waits in `read`. For any thread."""
        self.status, self.reason = status, reason
        if self.session:
            self._call(self._stop_if_over)
        else:
            if self.asking and readline and readline.get_line_buffer():
                print()  # below what is half typed
            self.finish()

    def finish(self) -> None:
        """Print what is left to say, and end the program."""
        try:
            self._print_lines()
            if self.reason:
                print(self.reason, file=sys.stderr, flush=True)
        finally:  # also if nobody takes the reason
            self.exit(self.status)

    def exit(self, status: int) -> None:
        """End the program at once, with the terminal as it was."""
        if self.mode:  # `input` may have changed it, and will not come to put it back
            termios.tcsetattr(0, termios.TCSANOW, self.mode)
        os._exit(status)  # nothing else interrupts `input` everywhere

    def wait_for(self, receiver: threading.Thread) -> None:
        """Print what arrives until the server has gone; then end the program."""
        while receiver.is_alive():
            self._print_lines()
            receiver.join(0.1)  # not for ever: Windows notices Ctrl-C only between two waits
        self.finish()

    def _print_lines(self) -> None:
        """Print what has arrived, while no prompt is on the screen."""
        while self.lines:
            self._print(self.lines.popleft(), end="\r\n")
        self.printed.set()

    # The following runs in the loop of prompt_toolkit, which the other threads must not disturb.

    def _call(self, function: Callable) -> None:
        """Have a function called there; do nothing if there is no prompt just now."""
        if loop := self.session.app.loop:
            with contextlib.suppress(RuntimeError):  # it was closed in this moment
                loop.call_soon_threadsafe(function)

    def _is_asking(self) -> bool:
        """Return whether the prompt is on the screen and nobody has ended it yet."""
        return self.session.app.is_running and not self.session.app.is_done

    def _begin(self) -> None:
        """Print what arrived while nobody was asked. The prompt calls this when it begins."""
        self._print_lines()
        self._stop_if_over()

    def _show_above(self) -> None:
        """Take the prompt off the screen, print what has arrived, and draw the prompt anew."""
        if self.lines and self._is_asking():
            self.session.app.renderer.erase()
            self._print_lines()
            self.session.app.invalidate()

    def _stop_if_over(self) -> None:
        """End the prompt as if the input had ended, if the server has gone."""
        if self.status is not None and self._is_asking():
            # An empty prompt would stay on the screen; what was half typed shall stay.
            self.session.app.erase_when_done = not self.session.default_buffer.text
            self.session.app.exit(exception=EOFError)
