"""Chooses a tool for the four steps, out of the folder `tools`.

Run:       python3 steps [STEP]        the tour: all four steps, or one of them, played live
           python3 steps check FOLDER  checks a chat of your own by what its users see
           python3 steps probe NAME    an experiment on a chat of step 3 or 4 that is running
           python3 steps wire ...      shows what passes between a client and a server
           python3 steps diff OLD NEW  shows what changed between two steps
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # `python3 -m steps` does not do this by itself

from tools import diff, entry, probe, tour, wire
from tools.check import main as check

# All else is for the tour.
TOOLS = {"check": check.main, "diff": diff.main, "probe": probe.main, "wire": wire.main}

if __name__ == "__main__":
    name, *rest = sys.argv[1:] or [""]
    if name in TOOLS:
        sys.exit(entry.run(f"steps {name}", lambda: TOOLS[name](rest)))
    sys.exit(entry.run("steps", lambda: tour.main(sys.argv[1:])))
