"""The official npm packages of OpenAI and Anthropic before a provider of each dialect; `js/ask.mjs` does the asking."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from matrix.providers import PROVIDERS

JS = Path(__file__).parent / "js"
# Starting node and loading the packages takes a second; the cases take milliseconds each.
SECONDS = 120


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.title)
@pytest.mark.parametrize("client", ["chat", "responses", "messages"])
def test_npm(matrix, client, provider):
    if not (node := shutil.which("node")) or not (JS / "node_modules").is_dir():
        raise RuntimeError("node or its packages are missing: run `make sdk-test`")
    command = [node, "ask.mjs", client, matrix.url, matrix.key, provider.route]
    ran = subprocess.run(command, cwd=JS, capture_output=True, text=True, timeout=SECONDS)
    assert ran.returncode == 0, ran.stderr
    results = json.loads(ran.stdout)
    failed = {case: told for case, told in results.items() if told != "ok"}
    assert len(results) == 5 and not failed, "\n\n".join(f"{case}: {told}" for case, told in failed.items())
