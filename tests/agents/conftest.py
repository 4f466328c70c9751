"""The gateway that the tests of this folder run against."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sdk"))

from six_providers import gateway  # noqa: E402, F401: a fixture
