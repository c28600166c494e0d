"""Exercise 1.2: a client that measures the round trip of each line."""

import re
import threading
import time

from tools.harness import wait_until

STEP = 1
DELAY = 0.3  # seconds


def receive_line(connection):
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(100)
    return line


def round_trip(client, connection, line, delay):
    """Type a line and hold its echo back; return what the client measured and what is possible."""
    before = len(client.prints(""))
    typed = time.perf_counter()
    client.types(line)
    data = receive_line(connection)
    arrived = time.perf_counter()
    threading.Event().wait(delay)
    left = time.perf_counter()
    connection.sendall(data)
    wait_until(lambda: client.prints("").endswith(" ms\n", before), "to print ' ms'", client.story)
    printed = client.prints("")[before:]
    took = time.perf_counter() - typed
    measured = re.fullmatch(re.escape(line) + r"round trip: (\d+\.\d{3}) ms\n", printed)
    assert measured, f"expected {line!r}, then 'round trip: 0.123 ms', but got {printed!r}"
    return (left - arrived) * 1000, float(measured[1]), took * 1000


def test_each_line_is_measured_from_its_sending_to_its_echo(meet):
    client, connection = meet()
    for line, delay in [("slow\n", DELAY), ("fast\n", 0), ("slow again\n", DELAY)]:
        threading.Event().wait(DELAY)  # while nobody types, no time is counted
        least, measured, most = round_trip(client, connection, line, delay)
        assert least - 1 <= measured <= most + 1, (
            f"{line!r} came back after {least:.0f} to {most:.0f} ms, but you measured {measured}"
        )
