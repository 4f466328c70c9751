"""Each coding agent runs a loop of tools before a provider of each dialect."""

import pytest
from agents import Aider, ClaudeCode, Codex, GeminiCli, OpenCode
from matrix.providers import PROVIDERS


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.route)
@pytest.mark.parametrize("agent", [ClaudeCode(), Codex(), OpenCode(), GeminiCli()], ids=lambda agent: agent.name)
def test_a_loop_of_three_turns(gateway, tmp_path, agent, provider):
    work = tmp_path / "work"
    work.mkdir()
    # The first command tells the second one, on a line of its own.
    second = agent.order("printf second > made.txt; printf 'the loop has ended'")
    (work / "next.txt").write_text(f"next:\n{second}\n")
    gateway.recorder.forget()
    ran = agent.run(tmp_path, gateway, provider.route, "Do this:\n" + agent.order("cat next.txt"))
    seen = [(r["path"], r["outcome"]) for r in gateway.recorder.requests()]
    told = f"{ran}\n{seen}\n{gateway.log.read_text()[-3000:]}"
    assert ran.status == 0, told
    assert (work / "made.txt").exists() and (work / "made.txt").read_text() == "second", told
    assert "the loop has ended" in ran.output, told



def answer(text: str) -> dict:
    """A whole file, as aider reads it out of a text."""
    return {"text": f"made.txt\n```\n{text}\n```\n"}


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.route)
def test_aider_goes_on_until_its_test_passes(gateway, tmp_path, provider):
    gateway.script(provider.model, [answer("first"), answer("second")])
    gateway.recorder.forget()
    try:
        ran = Aider().run(tmp_path, gateway, provider.route, "Make a file.")
    finally:
        gateway.script(provider.model, [{}])
    told = f"{ran}\n{gateway.log.read_text()[-3000:]}"
    assert ran.status == 0, told
    made = tmp_path / "work" / "made.txt"
    assert made.exists() and made.read_text() == "second\n", told
    # The failure of its test is what it sends second.
    assert len(gateway.recorder.requests()) == 2, told
