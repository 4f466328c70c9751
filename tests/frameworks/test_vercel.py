"""The Vercel AI SDK before a provider of each dialect; `vercel.mjs` does the asking."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from matrix.providers import PROVIDERS

HERE = Path(__file__).parent
# Starting node and loading the packages takes a second; the cases take milliseconds each.
SECONDS = 120


@pytest.mark.parametrize("client", ["chat", "responses", "messages", "gemini"])
def test_vercel_ai_sdk(gateway, client):
    if not (node := shutil.which("node")):
        raise RuntimeError("node is missing: run `make frameworks-test`")
    routes = [provider.route for provider in PROVIDERS]
    command = [node, "vercel.mjs", client, gateway.url, gateway.key, *routes]
    ran = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=SECONDS)
    assert ran.returncode == 0, ran.stderr
    results = json.loads(ran.stdout)
    failed = {case: told for case, told in results.items() if told != "ok"}
    assert len(results) == 5 * len(routes), results
    assert not failed, "\n\n".join(f"{case}: {told}" for case, told in failed.items())
