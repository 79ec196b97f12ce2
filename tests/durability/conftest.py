"""The seed of what is random in these tests: printed, and repeated with COLLAB_SEED."""

from __future__ import annotations

import os
from random import SystemRandom

import pytest


@pytest.fixture
def seed() -> int:
    """Another one each time; a failed test shows it."""
    seed = int(os.environ.get("COLLAB_SEED") or SystemRandom().randrange(1 << 31))
    print(f"to repeat: COLLAB_SEED={seed}")  # noqa: T201
    return seed
