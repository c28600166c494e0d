"""Chooses a tool for the four steps, out of the folder `tools`.

Run:       python3 steps [STEP]       the tour: all four steps, or one of them, played live
           python3 steps wire ...     shows what passes between a client and a server
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # `python3 -m steps` does not do this by itself

from tools import entry, tour, wire

TOOLS = {"wire": wire.main}  # all else is for the tour

if __name__ == "__main__":
    name, *rest = sys.argv[1:] or [""]
    if name in TOOLS:
        sys.exit(entry.run(f"steps {name}", lambda: TOOLS[name](rest)))
    sys.exit(entry.run("steps", lambda: tour.main(sys.argv[1:])))
