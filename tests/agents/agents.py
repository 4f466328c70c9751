"""The coding agents, as their users start them: without a terminal, with the gateway as their provider."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from six_providers import Gateway

HERE = Path(__file__).resolve().parent
# A debug build, and Node.js programs of many megabytes, on a busy machine.
SECONDS = 120


@dataclass(frozen=True)
class Ran:
    """How an agent's run ended."""

    status: int
    output: str
    errors: str


class Agent:
    """One agent."""

    name: str
    # The tool that runs a command in a shell, and how its argument is called.
    shell: str
    argument = "command"
    # Whether it reads its prompt.
    reads = False

    def command(self, gateway: Gateway, route: str, prompt: str) -> list[str]:
        raise NotImplementedError

    def environment(self, gateway: Gateway, route: str) -> dict[str, str]:
        raise NotImplementedError

    def prepare(self, home: Path, gateway: Gateway, route: str) -> None:
        """Writes what the agent reads of its home."""

    def order(self, line: str, **more: str) -> str:
        """What has the simulator call the shell with a line."""
        return f"call:{self.shell} {json.dumps({self.argument: line} | more)}"

    def run(self, directory: Path, gateway: Gateway, route: str, prompt: str) -> Ran:
        home, work = directory / "home", directory / "work"
        home.mkdir()
        work.mkdir(exist_ok=True)
        self.prepare(home, gateway, route)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TERM") if name in os.environ}
        environment = kept | {"HOME": str(home), "NO_COLOR": "1"} | self.environment(gateway, route)
        ran = subprocess.run(
            self.command(gateway, route, prompt),
            cwd=work,
            env=environment,
            input=prompt if self.reads else "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)


class ClaudeCode(Agent):
    name = "Claude Code"
    shell = "Bash"

    def command(self, gateway, route, prompt):
        return [program("claude"), "-p", prompt, "--model", route, "--allowedTools", "Bash"]

    def environment(self, gateway, route):
        return {
            "ANTHROPIC_BASE_URL": gateway.url,
            "ANTHROPIC_AUTH_TOKEN": gateway.key,
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": route,
        }


class Codex(Agent):
    name = "Codex"
    shell = "exec_command"
    argument = "cmd"

    def command(self, gateway, route, prompt):
        provider = f'{{name="Portcullis", base_url="{gateway.url}/v1", env_key="PORTCULLIS_KEY", wire_api="responses"}}'
        return [
            *(program("codex"), "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"),
            *("-m", route, "-c", 'model_provider="portcullis"', "-c", f"model_providers.portcullis={provider}", prompt),
        ]

    def environment(self, gateway, route):
        return {"PORTCULLIS_KEY": gateway.key}


class OpenCode(Agent):
    name = "opencode"
    shell = "bash"
    reads = True

    def prepare(self, home, gateway, route):
        options = {"baseURL": f"{gateway.url}/v1", "apiKey": gateway.key}
        provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {route: {"name": route}}}
        config = home / ".config" / "opencode"
        config.mkdir(parents=True)
        (config / "opencode.json").write_text(json.dumps({"provider": {"portcullis": provider}}))

    def command(self, gateway, route, prompt):
        # It puts an argument with blanks into quotes; what it reads is the prompt as it is.
        return [program("opencode"), "run", "-m", f"portcullis/{route}"]

    def environment(self, gateway, route):
        return {}

    def order(self, line, **more):
        return super().order(line, description="a step")


class GeminiCli(Agent):
    name = "Gemini CLI"
    shell = "run_shell_command"

    def prepare(self, home, gateway, route):
        settings = {"security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}}}
        (home / ".gemini").mkdir()
        (home / ".gemini" / "settings.json").write_text(json.dumps(settings))

    def command(self, gateway, route, prompt):
        return [program("gemini"), "-m", route, "--approval-mode", "yolo", "-p", prompt]

    def environment(self, gateway, route):
        return {"GEMINI_API_KEY": gateway.key, "GOOGLE_GEMINI_BASE_URL": gateway.url}


class Aider(Agent):
    name = "aider"

    def command(self, gateway, route, prompt):
        return [
            *(str(HERE / ".venv" / "bin" / "aider"), "--model", f"openai/{route}", "--edit-format", "whole"),
            *("--yes-always", "--no-git", "--no-check-update", "--no-show-model-warnings", "--analytics-disable"),
            *("--auto-test", "--test-cmd", "grep -q second made.txt", "--message", prompt),
        ]

    def environment(self, gateway, route):
        return {"OPENAI_API_BASE": f"{gateway.url}/v1", "OPENAI_API_KEY": gateway.key}


def program(name: str) -> str:
    return str(HERE / "node_modules" / ".bin" / name)
