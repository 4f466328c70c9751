"""What the binaries of the last build say about themselves."""

import re
import subprocess
from functools import cache

from manifests import ROOT


@cache
def variables(binary: str, *role: str) -> frozenset[str]:
    """The environment variables in its `--help`, and those of `--check-health`."""
    program = ROOT / "target" / "debug" / binary
    assert program.is_file(), f"{program} is missing: run `cargo build --workspace --bins` first"
    shown = subprocess.run([program, *role, "--help"], capture_output=True, text=True, check=True, timeout=30)
    return frozenset(re.findall(r"\[env: (PORTCULLIS_\w+)", shown.stdout))
