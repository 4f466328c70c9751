"""What our services need beside them: PostgreSQL, Redis, a provider. Each on a directory and a port of its own."""

import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from processes import READY_SECONDS, Process, binary

# Below the range that systems take the ports of outgoing connections from: what is killed and started again must
# find its port free.
PORTS = range(15_000, 32_000)


def eventually(holds: Callable[[], bool], seconds: float = READY_SECONDS) -> bool:
    """Asks again and again, at least once, until it holds or the time is over."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def free_port() -> int:
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("100 ports tried, none is free")


class Server(Process):
    """Somebody else's kind of server: it prints no ready line, it just answers on its port some day."""

    def __init__(self, command: list[str], port: int, directory: Path, **options):
        self.port = port
        super().__init__(command, directory, **options)

    def wait_until_ready(self) -> None:
        if not eventually(lambda: self.process.poll() is not None or self.answers()):
            raise RuntimeError(f"{self.name()} is not ready after {READY_SECONDS} s:\n{self.log_end()}")
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name()} ended before it was ready:\n{self.log_end()}")

    def answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=2).close()
        except OSError:
            return False
        return True


def simulator(environment: dict[str, str], directory: Path) -> Server:
    """The scripted provider; it echoes."""
    port = free_port()
    command = [binary("portcullis"), "simulator", "--listen", f"127.0.0.1:{port}"]
    return Server(command, port, directory, env=environment)


def redis(directory: Path) -> Server:
    """Redis that keeps nothing on disk."""
    if not (program := shutil.which("redis-server")):
        raise RuntimeError("redis-server is not installed: run `make servers` first")
    port = free_port()
    directory.mkdir(parents=True)
    settings = {"bind": "127.0.0.1", "port": str(port), "dir": str(directory), "save": "", "appendonly": "no"}
    command = [program, *(part for name, value in settings.items() for part in (f"--{name}", value))]
    return Server(command, port, directory)


class Postgres(Server):
    """A fresh cluster in a directory, which belongs afterwards to the account that the server runs as."""

    def __init__(self, directory: Path):
        programs = postgres_programs()
        self.password = secrets.token_hex(16)
        account = server_account()
        options = {"cwd": directory, "env": os.environ | {"LC_ALL": "C"}} | account
        password = directory / "password"
        password.write_text(self.password)
        if account:
            for path in (directory, password):
                os.chown(path, account["user"], account["group"])
        initdb = [
            *(str(programs / "initdb"), "-D", "data", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"),
            *("--auth=scram-sha-256", "--pwfile=password"),
        ]
        made = subprocess.run(initdb, capture_output=True, text=True, **options)
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{made.stderr}")
        port = free_port()
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"]
        command = [str(programs / "postgres"), "-D", "data", "-p", str(port)]
        command += [part for setting in settings for part in ("-c", setting)]
        super().__init__(command, port, directory, **options)

    def url(self) -> str:
        return f"postgres://postgres:{self.password}@127.0.0.1:{self.port}/postgres"

    def answers(self) -> bool:
        # The port is open before recovery has ended.
        return "ready to accept connections" in self.log_end()

    def kill(self) -> None:
        """SIGKILL to every process of the server, as a crash of the machine would; returns when all are gone."""
        children = []
        if self.process.poll() is None:
            # Stopped first, so that it makes no more children while they are counted.
            self.process.send_signal(signal.SIGSTOP)
            children = children_of(self.process.pid)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        super().kill()
        # The next start needs the shared memory that they hold.
        if not eventually(lambda: not any(alive(child) for child in children)):
            raise RuntimeError("PostgreSQL's processes survive SIGKILL")


def postgres_programs() -> Path:
    """The folder of `initdb` and `postgres`: on the PATH, or where Debian keeps them, the newest first."""
    folders = [Path(folder) for folder in os.get_exec_path()] + [Path("/usr/local/bin")]
    versions = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    folders += sorted(versions, key=lambda folder: float(folder.parent.name), reverse=True)
    for folder in folders:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise RuntimeError("PostgreSQL is not installed: run `make servers` first")


def server_account() -> dict:
    """Whom PostgreSQL runs as, for `subprocess`: it refuses root."""
    if os.getuid() != 0:
        return {}
    names = {account.pw_name: account for account in pwd.getpwall()}
    account = names.get("postgres") or names["nobody"]
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def status_of(pid: int) -> tuple[str, int] | None:
    """State and parent of a process, if it exists."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # `pid (name) state ppid …`, and the name may hold anything.
    state, parent = text.rpartition(")")[2].split()[:2]
    return state, int(parent)


def alive(pid: int) -> bool:
    status = status_of(pid)
    return status is not None and status[0] not in "ZX"


def children_of(parent: int) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if (status := status_of(pid)) and status[1] == parent]
