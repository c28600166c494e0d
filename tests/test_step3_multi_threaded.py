"""Step 3."""

from every_step import *  # noqa: F403

STEP = 3
