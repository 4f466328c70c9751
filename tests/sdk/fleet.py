"""The services apart: two control planes, two ledgers and three proxies on one PostgreSQL, one Redis, one provider."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import processes
import servers
from processes import Process, Secrets, Service

DOCUMENT = {
    "apiVersion": "portcullis/v1",
    "prices": [{"model": "sim/m", "effective_from": "2026-01-01", "input": "$1", "output": "$2"}],
    "routes": {"chat": {"targets": ["sim/m"]}},
}


class Fleet:
    """Everything is started here; `keep` is told of each process, so that none outlives the test."""

    def __init__(self, directory: Path, postgres_directory: Path, keep: Callable[[Process], None]):
        def kept(process):
            keep(process)
            return process

        self.secrets = Secrets()
        self.postgres = kept(servers.Postgres(postgres_directory))
        self.redis = kept(servers.redis(directory / "redis"))
        environment = self.secrets.environment(PORTCULLIS_DATABASE_URL=self.postgres.url())
        self.provider = kept(servers.simulator(environment, directory / "provider"))
        self.controls = [kept(control_plane(environment, directory / f"control-{name}")) for name in "ab"]
        self.ledgers = [kept(ledger(environment, directory / f"ledger-{name}")) for name in "ab"]
        # Two of the three lean on the control plane and the ledger that are killed.
        self.proxies = [kept(self.proxy(directory / f"proxy-{n}", n % 2)) for n in range(3)]

    def proxy(self, directory: Path, half: int) -> Service:
        more = [
            *("--ledger", self.ledgers[half].ready["grpc"]),
            *("--redis-url", f"redis://127.0.0.1:{self.redis.port}/0"),
            *("--name", directory.name),
        ]
        return processes.proxy(self.secrets, self.controls[half].ready["grpc"], directory, *more)

    def services(self) -> list[Service]:
        return self.proxies + self.controls + self.ledgers

    def admin(self, control: int, path: str, body: dict | None = None) -> tuple[int, dict]:
        """Status and answer of one control plane's admin API; POST when there is a body."""
        request = urllib.request.Request(
            self.controls[control].ready["admin"].rstrip("/") + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self.secrets.admin_token}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=processes.READY_SECONDS) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    def add_tenant(self, name: str, limits: list[dict]) -> str:
        """Makes a tenant by the first control plane and returns its key."""
        provider = {
            "kind": "custom",
            "base_url": f"http://127.0.0.1:{self.provider.port}/v1",
            "credentials": [{"name": "main", "secret": {"value": "provider-secret-0123456789"}}],
        }
        tenant = {"keys": [{"name": "backend"}], "limits": limits}
        document = DOCUMENT | {"providers": {"sim": provider}, "tenants": {name: tenant}}
        status, answer = self.admin(0, "/api/v1/apply", document)
        assert status == 200, answer
        return answer["secrets"][0]["secret"]

    def requests(self) -> list[dict]:
        """All requests in the ledger, each as often as it is there."""
        items, cursor = [], ""
        while cursor is not None:
            status, page = self.admin(1, f"/api/v1/requests?limit=500{cursor and '&cursor=' + cursor}")
            assert status == 200, page
            items += page["items"]
            cursor = page.get("next")
        return items


def control_plane(environment: dict[str, str], directory: Path) -> Service:
    listen = ["--admin-listen", "--grpc-listen", "--ops-listen"]
    arguments = ["portcullis-control-plane", *on_free_ports(listen), "--allow-private-networks"]
    return Service(arguments, environment, directory)


def ledger(environment: dict[str, str], directory: Path) -> Service:
    arguments = ["portcullis-ledger", *on_free_ports(["--grpc-listen", "--ops-listen"])]
    return Service(arguments, environment, directory)


def on_free_ports(flags: list[str]) -> list[str]:
    """Not port 0: who is started again must listen where he did."""
    return [part for flag in flags for part in (flag, f"127.0.0.1:{servers.free_port()}")]
