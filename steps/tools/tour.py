"""Plays the four steps: real servers, real clients, what each step can do and what it cannot.

Run:       python3 steps        all four, in about 20 seconds
           python3 steps 3      one of them
Status:    0 if every scene went as told, 1 if one did not

A scene is a function: its name is the title, its docstring says why it ends as it does.
"""

import argparse
import ast
import signal
import sys

from tools.harness import STEPS
from tools.stage import BOLD, FLOOD, SCENES, SILENCE, Screen, Stage, scene

COUNT = 100  # lines that each of two people says while the other one does, too
LAST = FLOOD[-1].encode()
GONE = "the server has closed the connection"
LEGEND = """A column for each person, time runs downwards; "> " is sent, the rest is seen. Everybody
sits at the client.py of the step, but for those with a bare socket."""


@scene(1, "works", "ann")
def ann_hears_what_she_sends(chat: Stage) -> None:
    """The server sends back whatever `recv` returns, until it returns b"": ann has left."""
    ann = chat.join("ann")
    ann.say("hello")
    ann.expect("hello")
    ann.leave()


@scene(1, "limit", "ann bob")
def a_second_person_gets_no_answer(chat: Stage) -> None:
    """The only thread waits in `recv` for ann, so bob waits in the backlog for `accept`."""
    [ann] = chat.with_people("ann")
    ann.say("hello")
    ann.expect("hello")
    bob = chat.join("bob")
    bob.say("is anybody here?")
    chat.nothing_comes_to(bob)
    ann.leave()
    bob.expect("is anybody here?")


@scene(2, "works", "ann bob")
def two_people_talk_both_ways_until_one_leaves(chat: Stage) -> None:
    """There is a thread for each direction: one receives from ann, the other one from bob."""
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("hello")
    bob.expect("hello")
    bob.say("hi", "how are you?")
    ann.expect("hi", "how are you?")
    bob.leave()
    ann.expect("* the other user has left")
    ann.ends_saying(GONE)


@scene(2, "limit", "ann bob carl")
def a_third_person_gets_no_answer(chat: Stage) -> None:
    """The server calls `accept` for the next pair when this one has left: carl has to wait."""
    ann, bob = chat.with_people("ann", "bob")
    carl = chat.connect("carl")
    chat.nothing_comes_to(carl)
    ann.say("hello")
    bob.expect("hello")
    bob.leave()
    ann.expect("* the other user has left")
    carl.expect("* waiting for the second user")


@scene(3, "works", "ann bob carl")
def three_people_talk_under_their_names(chat: Stage) -> None:
    """A thread for each user receives from that user alone, and sends to all in the registry."""
    ann, bob, carl = (chat.join(name) for name in ("ann", "bob", "carl"))
    ann.say("hello")
    bob.expect("ann: hello")
    carl.expect("ann: hello")
    bob.leave()
    ann.expect("* bob left")
    carl.expect("* bob left")


@scene(3, "works", "ann bob carl")
def a_newcomer_who_says_nothing_harms_nobody(chat: Stage) -> None:
    """The thread that waits for carl's nickname is his own, not the one that accepts."""
    carl = chat.connect("carl")
    carl.expect("* enter your nickname")
    ann, bob = chat.with_people("ann", "bob")
    ann.say("hello")
    bob.expect("ann: hello")


@scene(3, "limit", "ann bob", raw="ann")
def two_quick_messages_become_one(chat: Stage) -> None:
    """TCP carries a stream of bytes: one `recv` returned both, and got one author."""
    ann, bob = chat.with_people("ann", "bob")
    ann.say("one", "two")
    bob.expect("ann: one", "two")


@scene(3, "limit", "ann bob", raw="ann")
def a_character_cut_in_half_is_garbled(chat: Stage) -> None:
    """The server takes each piece for a message, and puts the author before the second half."""
    ann, bob = chat.with_people("ann", "bob")
    ann.send(b"hi \xf0\x9f")
    bob.has_received(b"ann: hi ", within=chat.story.deadline)
    ann.send(b"\x91\x8b\n")
    bob.expect("ann: hi \ufffdann: \ufffd\ufffd")


@scene(3, "limit", "ann bob carl", raw="ann bob carl")
def one_reader_who_stops_stops_everyone(chat: Stage) -> None:
    """carl's buffers are full, so `sendall` to him waits, and with it whoever talks."""
    carl = chat.with_idler("carl")
    ann, bob = chat.with_people("ann", "bob")
    chat.flood_from(ann)
    if bob.has_received(LAST, within=SILENCE):
        chat.story.fail("bob", "to hear no more", "all has come")
    chat.story.add("bob", "hears", f"{len(bob.stream) / 1e6:.1f} MB, no more")
    bob.say("are you there?")
    chat.nothing_comes_to(ann)
    chat.story.add("carl", "reads again", "")
    carl.start_reading()
    ann.expect("bob: are you there?")
    if not bob.has_received(LAST, within=chat.story.deadline):
        chat.story.fail("bob", "the rest", "it did not come")
    chat.story.add("bob", "hears", "all the rest")


@scene(3, "limit", "ann bob")
def there_is_no_word_to_leave_with(chat: Stage) -> None:
    """The server has no commands: whatever a user sends is text for the others."""
    ann, bob = chat.with_people("ann", "bob")
    bob.say("/quit")
    ann.expect("bob: /quit")
    ann.say("are you still there?")
    bob.expect("ann: are you still there?")


@scene(3, "limit", "ann bob", stops=True)
def a_server_that_stops_tells_nobody(chat: Stage) -> None:
    """The process ends without a word, and the system closes its connections."""
    people = chat.with_people("ann", "bob")
    chat.stop_server()
    for person in people:
        person.ends_saying(GONE)


@scene(4, "works", "ann bob", raw="ann")
def two_quick_messages_stay_two(chat: Stage) -> None:
    """Each frame says how long it is, so it ends where it says, however its bytes arrive."""
    ann, bob = chat.with_people("ann", "bob")
    ann.say("one", "two")
    bob.expect("ann: one", "ann: two")


@scene(4, "works", "ann bob", raw="ann")
def a_character_cut_in_half_arrives_whole(chat: Stage) -> None:
    """The server waits for the whole frame, and only then makes text of its bytes."""
    ann, bob = chat.with_people("ann", "bob")
    ann.send(b"\0\0\0\7hi \xf0\x9f")
    chat.nothing_comes_to(bob)
    ann.send(b"\x91\x8b")
    bob.expect("ann: hi 👋")


@scene(4, "works", "ann bob carl", raw="ann bob carl")
def a_reader_who_stops_harms_nobody(chat: Stage) -> None:
    """What carl does not take waits in a queue of his own, and past 1 MiB he is disconnected."""
    ann, bob = chat.with_people("ann", "bob")
    chat.with_idler("carl")
    ann.expect("* carl joined")
    bob.expect("* carl joined")
    chat.flood_from(ann)
    ann.expect("* carl left")
    with chat.story.hush():
        seen = bob.skip_to(f"ann: {FLOOD[-1]}")
    if seen.count(f"ann: {FLOOD[0]}") != len(FLOOD) - 1 or "* carl left" not in seen:
        chat.story.fail("bob", "all of it, and that carl has left", f"got {len(seen)} messages")
    chat.story.add("bob", "hears", "all the 20 MB")


@scene(4, "works", "ann bob carl dora", raw="ann bob")
def all_see_the_same_order(chat: Stage) -> None:
    """All that happens goes through one queue, and is sent from there in that order."""
    ann, bob, carl, dora = chat.with_people("ann", "bob", "carl", "dora")
    for talker in ann, bob:
        chat.story.show(talker.name, "sends", f"0 to {COUNT - 1}")
    with chat.story.hush():
        for number in range(COUNT):
            ann.say(f"{number}")
            bob.say(f"{number}")
        seen = [carl.get() for _ in range(2 * COUNT)]
        dora.expect(*seen)
    turn = next(n for n in range(1, len(seen)) if seen[n][0] != seen[n - 1][0])
    for line in [*seen[turn - 1 : turn + 3], f"... {len(seen)} lines"]:
        chat.story.show("carl", "gets", line)
        chat.story.show("dora", "gets", line)


@scene(4, "works", "ann bob")
def there_are_words_to_ask_and_to_leave_with(chat: Stage) -> None:
    """A message that begins with / is a command, and is answered to the asker alone."""
    ann, bob = chat.with_people("ann", "bob")
    bob.say("/who")
    bob.expect("* online: ann, bob")
    bob.say("/quit")
    bob.expect("* bye")
    bob.ends_saying("")
    ann.expect("* bob left")


@scene(4, "works", "ann bob")
def no_message_can_control_a_terminal(chat: Stage) -> None:
    """The server puts \ufffd in place of every control character, and so does the client."""
    ann, bob = chat.with_people("ann", "bob")
    ann.say("\x1b[2J\x1b[31mboo!")
    bob.expect("ann: \ufffd[2J\ufffd[31mboo!")


@scene(4, "works", "ann bob", stops=True)
def a_server_that_stops_says_so(chat: Stage) -> None:
    """Ctrl-C makes the server send a last frame to everybody before it closes."""
    people = chat.with_people("ann", "bob")
    chat.stop_server()
    for person in people:
        person.expect("* server is shutting down")
    for person in people:
        person.ends_saying(GONE)


@scene(4, "limit", "ann bob carl")
def whoever_comes_late_has_missed_what_was_said(chat: Stage) -> None:
    """The server passes messages on and keeps none."""
    ann, bob = chat.with_people("ann", "bob")
    ann.say("lunch is at one")
    bob.expect("ann: lunch is at one")
    carl = chat.join("carl")
    chat.nothing_comes_to(carl)


def introduce(step: int, screen: Screen) -> None:
    """Print the title of a step and what it builds, out of the docstring of its server."""
    source = (STEPS[step] / "server.py").read_text("utf-8")
    title, _, rest = (ast.get_docstring(ast.parse(source)) or "").partition("\n")
    built = rest.partition("New here:")[2].partition("Cannot do:")[0]
    screen.line()
    screen.line(screen.paint(f"── {STEPS[step].name} ".ljust(screen.width - 1, "─"), BOLD))
    screen.paragraph("", "", title, BOLD)
    screen.paragraph("Built here: ", "", " ".join(built.split()))


def stop(signum: int, frame: object) -> None:
    """End at the first Ctrl-C or SIGTERM, and let nothing disturb the clearing up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + signum)


def main(arguments: list[str]) -> int:
    """Read the command line, play the scenes; return the exit status."""
    # Without a line on usage: what is wrong is said in one line.
    parser = argparse.ArgumentParser("steps", argparse.SUPPRESS, __doc__.partition("\n")[0])
    parser.add_argument("step", nargs="?", choices=[*map(str, STEPS)], help="play one step only")
    only = parser.parse_args(arguments).step
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    screen = Screen()
    played, failed = 0, []
    screen.paragraph("", "", LEGEND)
    for step in [int(only)] if only else STEPS:
        introduce(step, screen)
        for each in [one for one in SCENES if one.step == step]:
            played += 1
            if not each.play(screen):
                failed.append(f"step {step}, {each.title}")
    screen.line()
    told = f"{played - len(failed)} of {played} scenes went as told"
    screen.paragraph("", "", f"{told}; not: {'; '.join(failed)}" if failed else f"{told}.", BOLD)
    return 1 if failed else 0
