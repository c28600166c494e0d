"""Step 2."""

from every_step import *  # noqa: F403

STEP = 2
