"""A soak of step 4's server: users who join, talk, leave and misbehave at random, from a seed.

Run:    python tests/soak.py [--seconds 600] [--users 200] [--seed 1]
Checks: everybody gets all that the others say, once and in order, from their own joining to the
        other's leaving; the server's memory stays flat; nothing but log lines on standard error.
Ends with status 0, or with 1 and a line that says what went wrong.
"""

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "helpers"))
sys.path.insert(0, str(Path(__file__).parents[1] / "steps"))

from tools import entry
from tools.harness import Chat, NotAsTold, Peer, Server, Story, program

try:
    import psutil
except ModuleNotFoundError as error:
    sys.exit(entry.missing("soak", error, "tests"))

from misbehaviour import KINDS, misbehave

ACTIONS = {"talk": 80, "join": 7, "leave": 7, "misbehave": 6}  # weights
ROUND = 100  # actions between two checks
MEGABYTE = 2**20
ENOUGH = 20  # seconds; before that the users are still arriving, and memory grows with them


class QuietStory(Story):
    """A story of ten minutes would not fit into memory: only its end is told."""

    def add(self, who: str, verb: str, what: str) -> None:
        self.events = [*self.events[-40:], (who, verb, what)]


class Soak:
    """The users, what they have said, and what each of them has heard."""

    def __init__(self, chat: Chat, users: int, seed: int) -> None:
        self.chat, self.users = chat, users
        self.chance = random.Random(seed)
        self.members: list[Peer] = []
        self.said: dict[str, int] = {}  # by nickname: how many messages
        self.before: dict[Peer, dict[str, int]] = {}  # what had been said when this one joined
        self.heard: dict[Peer, dict[str, int]] = {}  # the number of the next, by author
        self.joined = self.messages = self.deliveries = self.misdeeds = 0

    def join(self) -> None:
        nick = f"user{self.joined}"
        self.joined += 1
        member = self.chat.connect(nick)
        member.say(nick)
        member.expect("* enter your nickname", f"* welcome, {nick}")
        member.expect_server_line()  # who is online
        self.before[member], self.heard[member] = dict(self.said), {}
        self.said[nick] = 0
        self.members.append(member)

    def talk(self) -> None:
        member = self.chance.choice(self.members)
        length = self.chance.choice([0, 10, 100, 5000])
        member.say(f"{self.said[member.name]} {'x' * length}")
        self.said[member.name] += 1
        self.messages += 1

    def leave(self) -> None:
        if len(self.members) < 3:
            return
        self.check()  # so that what the others should have heard is known
        member = self.members.pop(self.chance.randrange(len(self.members)))
        del self.said[member.name], self.heard[member], self.before[member]
        member.say("/quit")
        member.skip_to("* bye")
        member.expect_end()
        member.close()
        self.chat.people.remove(member)
        for other in self.members:
            self.listen(other, until=f"* {member.name} left")
            self.heard[other].pop(member.name, None)  # may not have heard a word of it

    def misbehave(self) -> None:
        misbehave(self.chat, self.chance.choice(KINDS), self.chance)
        self.misdeeds += 1

    def check(self) -> None:
        """Let one say something, and check that the others have heard all until then."""
        speaker = self.members[0]
        mark = f"{self.said[speaker.name]} mark"
        speaker.say(mark)
        self.said[speaker.name] += 1
        for member in self.members[1:]:
            self.listen(member, until=f"{speaker.name}: {mark}")
            for author in self.members:
                nick = author.name
                if author is speaker or author is member:
                    continue
                self.catch_up(member, nick)

    def next_of(self, member: Peer, nick: str) -> int:
        """Return the number of the message that `member` should hear next from `nick`."""
        return self.heard[member].get(nick, self.before[member].get(nick, 0))

    def catch_up(self, member: Peer, nick: str) -> None:
        """Wait for what was said before the mark, but by another user: it may come after it."""
        while (expected := self.next_of(member, nick)) < self.said[nick]:
            self.note(member, member.get(f"message {expected} of {nick}"))

    def listen(self, member: Peer, until: str) -> None:
        while (line := member.get(until)) != until:
            self.note(member, line)
        self.note(member, line)

    def note(self, member: Peer, line: str) -> None:
        """Check one line against what its author should say next."""
        self.deliveries += 1
        author, colon, text = line.partition(": ")
        if line.startswith("* ") or not colon or author not in self.said:
            return
        number, expected = int(text.split()[0]), self.next_of(member, author)
        # What was under way when this member joined may still come.
        late = author not in self.heard[member] and number < expected
        if number != expected and not late:
            self.chat.story.fail(member.name, f"message {expected} of {author}", f"got {text[:20]}")
        self.heard[member][author] = number + 1

    def round(self) -> None:
        while len(self.members) < self.users // 2:
            self.join()
        for action in self.chance.choices(list(ACTIONS), ACTIONS.values(), k=ROUND):
            if action != "join" or len(self.members) < self.users:
                getattr(self, action)()
        self.check()


def run(seconds: float, users: int, seed: int) -> str:
    """Run the soak; return a summary; raise NotAsTold."""
    story = QuietStory()
    with Server(program(4, "server"), story=story) as server:
        chat = Chat(4, server, story)
        soak = Soak(chat, users, seed)
        process = psutil.Process(server.process.pid)
        started = last = time.monotonic()
        memory: list[float] = []
        while (now := time.monotonic()) < started + seconds or len(memory) < 2:
            soak.round()
            memory.append(process.memory_info().rss / MEGABYTE)
            if now > last + 5:
                last = now
                print(
                    f"{now - started:4.0f} s  {len(soak.members)} users  {soak.messages} messages"
                    f"  {soak.deliveries} deliveries  {memory[-1]:.1f} MB",
                    flush=True,
                )
        half = len(memory) // 2
        grown = max(memory[half:]) - max(memory[:half])
        if seconds >= ENOUGH and grown > 5:
            story.fail("the server", "memory to stay flat", f"it grew by {grown:.1f} MB")
        if "Traceback" in server.stderr():
            story.fail("the server", "no traceback", server.stderr())
        chat.close()
    return (
        f"{soak.messages} messages, {soak.deliveries} deliveries, {soak.joined} joined, "
        f"{soak.misdeeds} misdeeds; nothing lost; memory {max(memory[:half]):.1f} MB, then"
        f" {max(memory[half:]):.1f} MB"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--users", type=int, default=200, help="at most so many at once")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    try:
        print(run(args.seconds, args.users, args.seed))
    except NotAsTold as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(entry.run("soak", main))
