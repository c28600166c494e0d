"""The servers that are compared: how each is started on a free port, and how it is stopped."""

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench.processors import pin

HERE = Path(__file__).resolve().parent
STEPS = HERE.parents[1] / "steps"
HOST = "127.0.0.1"
START = 10.0  # seconds for a server to listen
STOP = 2.5  # seconds for a server to end when it is asked to; then it is killed
NGIRCD = """[Global]
Name = bench.local
Info = bench
Listen = {host}
Ports = {port}
MotdPhrase = bench
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
PingTimeout = 3600
[Options]
CloakHost = bench
DNS = no
Ident = no
PAM = no
"""


class ServerError(Exception):
    """A server could not be started."""


@dataclass(frozen=True)
class Contender:
    """One server to measure: its name in tables, the dialect it speaks, what starts it."""

    name: str
    title: str
    dialect: str
    script: Path | None = None  # None: ngIRCd
    options: tuple[str, ...] = ()
    launcher: tuple[str | Path, ...] = ()  # what starts the script in place of Python alone
    python: str = sys.executable  # what runs it

    def launched(self, change: str) -> "Contender":
        """Return the same server with something changed in its process (see `launch`)."""
        return replace(self, launcher=(HERE / "launch.py", change))


@dataclass(frozen=True)
class Running:
    """A server that listens."""

    host: str
    port: int
    pid: int


STEP4 = Contender(
    "step4",
    "step 4",
    "frames",
    STEPS / "step4_framing_and_exit" / "server.py",
    ("--max-clients", "8192"),
)
ASYNCIO = Contender("asyncio", "asyncio", "frames", HERE / "asyncio_chat.py")
SERVERS = {
    server.name: server
    for server in (
        Contender("forwarder", "forwarder", "raw", HERE / "forwarder.py"),
        ASYNCIO,
        replace(ASYNCIO.launched("uvloop"), name="uvloop", title="uvloop"),
        Contender("batched", "asyncio, batches", "frames", HERE / "asyncio_batches.py"),
        Contender("step3", "step 3", "lines", STEPS / "step3_multi_threaded" / "server.py"),
        STEP4,
        replace(STEP4.launched("one-by-one"), name="single", title="step 4, one by one"),
        Contender("ngircd", "ngIRCd", "irc"),
    )
}


def missing(server: Contender) -> str | None:
    """Return why a server cannot be measured here, or None."""
    if server.script is None:
        return None if shutil.which("ngircd") else "ngircd is not installed"
    if server.name == "uvloop" and not importlib.util.find_spec("uvloop"):
        return "uvloop is not installed"
    return None if server.script.is_file() else f"{server.script.name} is not there"


@contextlib.contextmanager
def running(
    server: Contender, patience: float = STOP, processor: int | None = None
) -> Iterator[Running]:
    """Start a server, yield where it listens, stop it; kill it after `patience` seconds.

    `processor` is the one on which it shall stay.
    """
    with contextlib.ExitStack() as stack:
        # A file, for nobody reads here: a pipe would fill, and the server wait to write.
        errors = stack.enter_context(tempfile.TemporaryFile())
        if server.script is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            command, wait = ngircd(folder)
        else:
            words = [*server.launcher, server.script, "--host", HOST, "--port", "0"]
            command, wait = [server.python, *words, *server.options], read_address
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        stack.callback(stop, process, patience)
        if processor is not None:
            pin(process.pid, processor)  # it has just begun and has one thread, which others follow
        address = wait(process)
        if address is None:
            raise ServerError(f"{server.title} does not start: {last_line(errors)}")
        yield Running(*address, process.pid)


def read_address(process: subprocess.Popen) -> tuple[str, int] | None:
    """Wait for a server's line `listening on HOST:PORT`; return the address."""
    timer = threading.Timer(START, process.kill)  # then `readline` returns
    timer.start()
    try:
        words, _, address = process.stdout.readline().strip().rpartition(" ")
    finally:
        timer.cancel()
    host, _, port = address.rpartition(":")
    return (host, int(port)) if words == "listening on" else None


def ngircd(folder: Path) -> tuple[list, Callable]:
    """Return what starts ngIRCd in the foreground, and what waits until it accepts connections."""
    with socket.create_server((HOST, 0)) as probe:  # ngIRCd cannot be asked for a free port
        address = probe.getsockname()
    folder.chmod(0o755)  # it gives up the rights of root, and reads its file after that
    configuration = folder / "ngircd.conf"
    configuration.write_text(NGIRCD.format(host=HOST, port=address[1]), encoding="utf-8")

    def wait(process: subprocess.Popen) -> tuple[str, int] | None:
        deadline = time.monotonic() + START
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(address, 1).close()
                return address
            except OSError:
                time.sleep(0.02)
        return None

    return [shutil.which("ngircd"), "-n", "-f", configuration], wait


def last_line(errors) -> str:
    """Return the last line that a server has written to its standard error."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it says nothing")


def stop(process: subprocess.Popen, patience: float = STOP) -> None:
    """Ask a process to end; kill it if it has not after `patience` seconds."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
