"""What the tests of several steps share: people who meet, a stop, a server that rests."""

import contextlib
import functools
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest

from properties import two_people
from tools.harness import Chat, Client, Server

SIGNALS = [signal.SIGINT, signal.SIGTERM]
STOP_TIME = 2  # seconds in which a program that is told to stop has to end
BURNT = 0.25  # seconds of processor time that an idle server may use in a second
QUESTION = "* enter your nickname"


def converse(chat: Chat) -> None:
    """Let people talk as far as the step can: all that they say has to arrive."""
    if chat.step == 1:
        ann = chat.join("ann")
        ann.say("hello")
        ann.expect("hello")
        ann.leave()
    else:
        two_people(chat)
        for peer in chat.people:
            if peer.joined:
                peer.leave()
    chat.people.clear()


def stop(server: Server, signum: int = signal.SIGTERM) -> int:
    """Stop a server as a user would, and check that it goes quietly; return its status."""
    server.interrupt(signum)
    status = server.exits(within=STOP_TIME)
    errors = server.stderr()
    assert "Traceback" not in errors, errors
    return status


def by_system(signum: int) -> int:
    """Return the exit status of a program that the system ends."""
    return -signum


@functools.cache
def tells_processor_time() -> bool:
    """Ask the system: is the time that it tells of another process not this one's own? (Wine.)"""
    used = sum(psutil.Process().cpu_times()[:2])
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as fresh:
        return sum(psutil.Process(fresh.pid).cpu_times()[:2]) < used


def processor_time(pid: int) -> float:
    """Return the processor time that a program and its children have used, in seconds."""
    if not tells_processor_time():
        pytest.skip("this system (Wine?) does not tell the processor time of other processes")
    process = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)])


def expect_idle(chat: Chat, most: float = BURNT) -> None:
    """Check that the server rests."""
    time.sleep(0.1)  # what was under way is over
    before = processor_time(chat.server.process.pid)
    time.sleep(1)  # not to wait for something: the time that is measured
    burnt = processor_time(chat.server.process.pid) - before
    if burnt > most:
        instead = f"it burnt {burnt:.2f} s of processor time in a second: does `recv` return b''?"
        chat.story.fail("the server", "to rest", instead)


def free_port() -> int:
    """Return a port that is free, and that no connection of another test gets by chance."""
    for port in random.sample(range(15_000, 30_000), 100):
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


def meet(chat: Chat, client: Client):
    """Bring a client program and, from step 2 on, a raw connection together; return the latter."""
    if chat.step == 1:
        client.types("anybody?\n")
        client.prints("anybody?\n")
        return None
    if chat.step == 2:
        client.prints("* waiting for the second user\n")
    else:
        client.prints(f"{QUESTION}\n")
        client.types("client\n")
        client.prints("* welcome, client\n")
    if chat.step == 4:
        client.prints("* online: client\n")
    return meet_bob(chat)


def meet_bob(chat: Chat):
    """Let bob join those whom a client program has joined as `client`."""
    if chat.step < 4:
        bob = chat.join("bob")
        bob.late |= {"* client joined"}  # in step 3 it may come after bob's welcome
        return bob
    bob = chat.connect("bob")
    bob.expect(QUESTION)
    bob.say("bob")
    bob.expect("* welcome, bob", "* online: client, bob")
    return bob


def in_threads(count: int, work) -> None:
    """Run `work(number)` in as many threads, and wait for them."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
