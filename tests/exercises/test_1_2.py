"""Exercise 1.2: a client that measures the round trip of each line."""

import re
import threading
import time

from fake_server import receive_until
from marks import exercise
from tools.harness import wait_until

STEP = 1
DELAY = 0.3  # seconds


def round_trip(client, connection, line, delay):
    """Type a line and hold its echo back; return what the client measured and what is possible."""
    before = len(client.prints(""))
    typed = time.perf_counter()
    client.types(line)
    data = receive_until(connection, b"\n")
    arrived = time.perf_counter()
    threading.Event().wait(delay)
    left = time.perf_counter()
    connection.sendall(data)
    wait_until(
        lambda: client.prints("").endswith(" ms\n", before),
        "строку 'round trip: ... ms', сразу после эха (flush)",
        client.story,
        lambda: f"it printed {client.prints('')[before:]!r}",
    )
    printed = client.prints("")[before:]
    took = time.perf_counter() - typed
    measured = re.fullmatch(re.escape(line) + r"round trip: (\d+\.\d{3}) ms\n", printed)
    assert measured, f"ожидались {line!r} и 'round trip: 0.123 ms', напечатано {printed!r}"
    return (left - arrived) * 1000, float(measured[1]), took * 1000


@exercise("у каждой строки измерено время от отправки до эха")
def test_each_line_is_measured_from_its_sending_to_its_echo(fake, run_client):
    client = run_client(fake)
    with fake.accept() as connection:
        for line, delay in [("slow\n", DELAY), ("fast\n", 0), ("slow again\n", DELAY)]:
            threading.Event().wait(DELAY)  # while nobody types, no time is counted
            least, measured, most = round_trip(client, connection, line, delay)
            assert least - 1 <= measured <= most + 1, (
                f"{line!r}: эхо пришло через {least:.0f}–{most:.0f} мс, а напечатано {measured}"
            )
