"""docker-compose.yml as a user brings it up, with secrets and a project of its own."""

import json
import os
import secrets
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "portcullis-compose-test"
# The images are built from nothing once; on a busy machine with two cores that takes a while.
BUILD_SECONDS = 3600
UP_SECONDS = 300
HTTP_SECONDS = 30
OURS = ["proxy-1", "control-plane", "ledger", "simulator"]
IMAGES = ["portcullis-proxy", "portcullis-control-plane", "portcullis-ledger", "portcullis"]


def eventually(holds: Callable[[], bool], seconds: float = UP_SECONDS) -> bool:
    """Asks again and again, at least once, until it holds or the time is over."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def run(command: list[str], seconds: float = UP_SECONDS, **options) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, cwd=ROOT, **options)


def compose_command() -> list[str]:
    """Compose v2 where the client has it, else the older program."""
    if run(["docker", "compose", "version"]).returncode == 0:
        return ["docker", "compose"]
    if program := shutil.which("docker-compose"):
        return [program]
    raise RuntimeError("neither `docker compose` nor `docker-compose` is here: run `make compose-test`")


def fresh_settings() -> dict[str, str]:
    """What scripts/compose-env prints, with the demo's provider, on free ports, and without the observability images:
    every request is traced to a collector that is not there, which must not matter to any."""
    made = run([str(ROOT / "scripts" / "compose-env")]).stdout.splitlines()
    settings = dict(line.split("=", 1) for line in made if line and not line.startswith("#"))
    return settings | {
        "COMPOSE_PROFILES": "demo",
        "DATA_PLANE_PORT": "",
        "ADMIN_PORT": "",
        "PORTCULLIS_ALLOW_PRIVATE_NETWORKS": "true",
        "PORTCULLIS_TRACE_SAMPLE": "1",
        "PORTCULLIS_TAG": "compose-test",
    }


class Deployment:
    """The services of one project."""

    def __init__(self, directory: Path):
        self.settings = fresh_settings()
        self.file = directory / "env"
        self.file.touch(mode=0o600)
        self.file.write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()))
        # What the shell of the caller has set would win over the file.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTCULLIS_")}
        self.environment = kept | {"COMPOSE_PROFILES": "demo"}
        self.base = [
            *compose_command(),
            *("--project-name", PROJECT),
            *("--env-file", str(self.file)),
            *("--project-directory", str(ROOT)),
            *("--file", "docker-compose.yml", "--file", "tests/compose/docker-compose.test.yml"),
        ]

    def compose(self, *arguments: str, seconds: float = UP_SECONDS, **changes: str) -> subprocess.CompletedProcess:
        """One compose command; `changes` are variables that win over the file."""
        return run([*self.base, *arguments], seconds, env=self.environment | changes)

    def must(self, *arguments: str, seconds: float = UP_SECONDS) -> str:
        done = self.compose(*arguments, seconds=seconds)
        if done.returncode != 0:
            raise RuntimeError(f"compose {' '.join(arguments)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout.strip()

    def container(self, service: str) -> str:
        return self.must("ps", "-q", service)

    def health(self, service: str) -> str:
        container = self.container(service)
        shown = run(["docker", "inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", container])
        return shown.stdout.strip()

    def wait_until_healthy(self, service: str) -> None:
        decided = ("running healthy", "restarting ")
        if not eventually(lambda: self.health(service).startswith(decided)) or self.health(service) != decided[0]:
            raise RuntimeError(f"{service} is {self.health(service)}:\n{self.must('logs', '--tail=20', service)}")

    def url(self, service: str, port: int) -> str:
        return f"http://{self.must('port', service, str(port))}"

    def kill(self, service: str) -> None:
        done = run(["docker", "kill", self.container(service)])
        assert done.returncode == 0, done.stderr

    def replace(self, service: str) -> None:
        """Stops a service in order and starts it in a new container, as an upgrade does; returns when it is ready."""
        self.must("up", "-d", "--no-deps", "--force-recreate", service)
        self.wait_until_healthy(service)

    def admin(self, path: str, body: dict | None = None) -> dict:
        """The answer of the admin API; POST when there is a body."""
        request = urllib.request.Request(
            f"{self.url('control-plane', 8081)}/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {self.settings['PORTCULLIS_ADMIN_TOKEN']}",
                "content-type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=HTTP_SECONDS) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as refused:
            with refused:
                raise AssertionError(f"{path}: {refused.status} {refused.read().decode()}") from None

    def script(self, model: str, behaviour: dict) -> None:
        """Tells the provider how to answer for a model."""
        request = urllib.request.Request(
            f"{self.url('simulator', 9090)}/_sim/script/{model}", json.dumps(behaviour).encode(), method="PUT"
        )
        urllib.request.urlopen(request, timeout=HTTP_SECONDS).close()

    def requests(self, tenant: str) -> list[dict]:
        """All requests of a tenant in the ledger, each as often as it is there."""
        items, cursor = [], ""
        while cursor is not None:
            page = self.admin(f"requests?tenant={tenant}&limit=500{cursor and '&cursor=' + cursor}")
            items += page["items"]
            cursor = page.get("next")
        return items


def new_secret() -> str:
    return secrets.token_hex(32)


def image_sizes() -> dict[str, str]:
    """Of our images, in megabytes."""
    sizes = {}
    for name in IMAGES:
        shown = run(["docker", "image", "inspect", "--format", "{{.Size}}", f"{name}:compose-test"])
        sizes[name] = f"{int(shown.stdout) / 1e6:.1f} MB"
    return sizes
