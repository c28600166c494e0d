"""Exercise 4.5: batches. How many deliveries a second with them, and how many without?

To see the figures: -n 0 -s
"""

import sys
import time

from marks import exercise

STEP = 4
LISTENERS = 10
MESSAGES = 3000
TRIES = 3
TEXT = "x" * 50
LONG = 10  # one at a time takes a slow machine more than the usual deadline


def deliveries_a_second(chat):
    """Let one user say much to the others; return how many messages a second arrive there."""
    ann = chat.join("ann")
    listeners = [chat.join(f"user{number}") for number in range(LISTENERS)]
    last = ann.dialect.encode(chat.heard("ann", "the end"))
    started = time.perf_counter()
    ann.floods(*[TEXT] * MESSAGES, "the end")
    for listener in listeners:
        assert listener.has_received(last, within=LONG * chat.story.deadline), (
            "пришли не все сообщения"
        )
    seconds = time.perf_counter() - started
    for listener in listeners:
        listener.expect(*[chat.heard("ann", TEXT)] * MESSAGES)
    return LISTENERS * MESSAGES / seconds


def show(text):
    """Print a text, also where the output takes no Cyrillic (a pipe on Windows)."""
    encoding = sys.stdout.encoding
    print(text.encode(encoding, "backslashreplace").decode(encoding))


@exercise("пачками хотя бы вдвое быстрее, чем по одному сообщению")
def test_batches_are_faster_than_messages_one_at_a_time(start):
    single = batches = 0.0
    for _ in range(TRIES):  # the best of some: a machine that is busy slows down only one
        single = max(single, deliveries_a_second(start("--batch", "1")))
        batches = max(batches, deliveries_a_second(start()))
    show(f"\nпо одному сообщению: {single:8.0f} доставок в секунду")
    show(f"пачками:             {batches:8.0f} доставок в секунду")
    assert 2 * single < batches, f"{batches:.0f} против {single:.0f} доставок в секунду"
