"""Where things are, and what the environment asks for."""

import os
import random
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
MERESTONE = Path(os.environ.get("MERESTONE_BIN", ROOT / "target/debug/merestone")).resolve()
FAKE_VENDOR = Path(os.environ.get("FAKE_VENDOR_BIN", MERESTONE.with_name("fake-vendor"))).resolve()

# The whole run follows from the seed; it is printed at the top of the run.
SEED = int(os.environ.get("MERESTONE_SEED", random.SystemRandom().randrange(2**32)))
# Long runs try every byte split; quick ones a sample drawn from the seed.
LONG = os.environ.get("MERESTONE_LONG", "") not in ("", "0")

# The word that the fake vendors accept as the vendor's own key.
VENDOR_KEY = "fake-vendor-key"


def rng(*name):
    """A random source of its own for each use, so that tests do not shift each other."""
    return random.Random(f"{SEED}/" + "/".join(map(str, name)))
