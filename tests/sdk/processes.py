"""Starting our binaries for the tests and reading the line that says where they listen."""

import json
import os
import queue
import secrets
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

BINARIES = Path(__file__).resolve().parents[2] / "target" / "debug"
# A debug build on a busy machine; nothing healthy takes nearly that long.
READY_SECONDS = 60
STOP_SECONDS = 30
ANYWHERE = "127.0.0.1:0"


@dataclass
class Secrets:
    """One deployment's secrets, fresh for every run."""

    master_key: str = field(default_factory=lambda: secrets.token_hex(32))
    admin_token: str = field(default_factory=lambda: secrets.token_hex(32))
    join_token: str = field(default_factory=lambda: secrets.token_hex(32))

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTCULLIS_")}
        ours = {
            "PORTCULLIS_MASTER_KEY": self.master_key,
            "PORTCULLIS_ADMIN_TOKEN": self.admin_token,
            "PORTCULLIS_JOIN_TOKEN": self.join_token,
        }
        return kept | ours | more


class Process:
    """A server in the background, to stop, kill and start again; what it writes is kept in a log."""

    def __init__(self, command: list[str], directory: Path, **options):
        """`options` are those of `subprocess.Popen`."""
        directory.mkdir(parents=True, exist_ok=True)
        self.command = command
        self.options = {"stdout": subprocess.DEVNULL, "stdin": subprocess.DEVNULL} | options
        self.log = directory / "stderr.log"
        self.start()

    def start(self) -> None:
        """Starts it, also after `kill`, and waits until it is ready."""
        with self.log.open("ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(self.command, stderr=log, **self.options)
        try:
            self.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def wait_until_ready(self) -> None:
        raise NotImplementedError

    def name(self) -> str:
        return Path(self.command[0]).name

    def log_end(self) -> str:
        """The end of what it has written since it was started last."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")[-4000:]

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """SIGTERM and the exit status; a process that outlives the drain time is killed and fails the run."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"still running {STOP_SECONDS} s after SIGTERM:\n{self.log_end()}") from None


class Service(Process):
    """One of our services; `ready` is what its `--output json` line said."""

    ready: dict[str, str | None]

    def __init__(self, arguments: list[str], environment: dict[str, str], directory: Path):
        """`arguments` begin with the binary's name."""
        command = [binary(arguments[0]), *arguments[1:], "--output", "json"]
        super().__init__(command, directory, env=environment, stdout=subprocess.PIPE)

    def wait_until_ready(self) -> None:
        lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=read, args=(self.process.stdout, lines), daemon=True).start()
        try:
            line = lines.get(timeout=READY_SECONDS)
        except queue.Empty:
            raise RuntimeError(f"not ready after {READY_SECONDS} s:\n{self.log_end()}") from None
        if not line:
            raise RuntimeError(f"ended before it was ready:\n{self.log_end()}")
        self.ready = json.loads(line)


def read(stdout, lines: queue.Queue) -> None:
    """Hands the first line over and reads on, or a full pipe would stop the process."""
    with stdout:
        lines.put(stdout.readline())
        while stdout.read(8192):
            pass


def binary(name: str) -> str:
    path = BINARIES / name
    if not path.is_file():
        raise RuntimeError(f"{path} is missing: run `cargo build --workspace --bins` first")
    return str(path)


def standalone(secrets_: Secrets, directory: Path, *more: str) -> Service:
    """Everything in one process; unless `more` says otherwise with the demo's simulator, routes and tenant key."""
    listen = ["--listen", "--admin-listen", "--grpc-listen", "--ops-listen"]
    arguments = [
        *("portcullis", "standalone"),
        *(part for flag in listen for part in (flag, ANYWHERE)),
        *("--data-dir", str(directory / "data")),
        *more,
    ]
    return Service(arguments, secrets_.environment(), directory)


def proxy(secrets_: Secrets, control_plane: str, directory: Path, *more: str) -> Service:
    """A proxy of its own that joins a control plane; the tests' providers are on loopback addresses."""
    arguments = [
        "portcullis-proxy",
        *("--control-plane", control_plane),
        *("--listen", ANYWHERE),
        *("--ops-listen", ANYWHERE),
        *("--region", "sdk-tests"),
        *("--data-dir", str(directory / "data")),
        "--allow-private-networks",
        *more,
    ]
    return Service(arguments, secrets_.environment(), directory)
