"""The model of the protocol of budgets holds, and would fail if the protocol were wrong (docs/spec/money.md)."""

import subprocess
import sys
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[2] / "tools" / "money_model.py"

# Wrong variants that are caught within 60 runs; `make money-model` checks the rare ones as well.
COMMON = (
    "check_then_charge",
    "close_goes_on",
    "create_while_loading",
    "drop_without_edge",
    "intent_after_send",
    "join_unrecorded",
    "lease_without_seq",
    "load_overwrites",
    "lower_after_send",
    "missing_is_zero",
    "no_history",
    "no_lock",
    "nonidempotent_settle",
    "old_declaration",
    "restart_forgets_totals",
    "settle_into_current_window",
    "silent_at_spent",
    "ttl",
)


def model(*arguments):
    """Runs the model; its exit status says whether a violation was found."""
    return subprocess.run(
        [sys.executable, MODEL, "--seeds", "400", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [(), ("--variant", "wait")], ids=["whole", "core"])
def test_the_protocol_holds(arguments):
    done = model(*arguments)
    assert done.returncode == 0, done.stdout
    assert " 0 violations" in done.stdout


@pytest.mark.parametrize("variant", COMMON)
def test_a_wrong_variant_is_caught(variant):
    done = model("--seeds", "60", "--variant", variant)
    assert done.returncode == 1, done.stdout
