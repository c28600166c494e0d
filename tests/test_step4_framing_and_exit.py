"""Step 4."""

from every_step import *  # noqa: F403

STEP = 4
