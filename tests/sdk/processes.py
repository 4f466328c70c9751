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


@dataclass
class Secrets:
    """One deployment's secrets, fresh for every run."""

    master_key: str = field(default_factory=lambda: secrets.token_hex(32))
    admin_token: str = field(default_factory=lambda: secrets.token_hex(32))
    join_token: str = field(default_factory=lambda: secrets.token_hex(32))

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTCULLIS_")}
        return kept | {
            "PORTCULLIS_MASTER_KEY": self.master_key,
            "PORTCULLIS_ADMIN_TOKEN": self.admin_token,
            "PORTCULLIS_JOIN_TOKEN": self.join_token,
        }


class Service:
    """A running binary; `ready` is what its `--output json` line said."""

    def __init__(self, binary: str, arguments: list[str], environment: dict[str, str], directory: Path):
        path = BINARIES / binary
        if not path.is_file():
            raise RuntimeError(f"{path} is missing: run `cargo build --workspace --bins` first")
        directory.mkdir(parents=True, exist_ok=True)
        self.stderr = directory / "stderr.log"
        command = [str(path), *arguments, "--data-dir", str(directory / "data"), "--output", "json"]
        with self.stderr.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        try:
            self.ready = self._first_line()
        except Exception:
            self.process.kill()
            raise

    def _first_line(self) -> dict[str, str | None]:
        lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        try:
            line = lines.get(timeout=READY_SECONDS)
        except queue.Empty:
            raise RuntimeError(f"not ready after {READY_SECONDS} s:\n{self.log_end()}") from None
        if not line:
            raise RuntimeError(f"ended before it was ready:\n{self.log_end()}")
        return json.loads(line)

    def _read(self, lines: queue.Queue) -> None:
        lines.put(self.process.stdout.readline())
        # Read on, or a full pipe would stop the process.
        while self.process.stdout.read(8192):
            pass

    def log_end(self) -> str:
        return self.stderr.read_text(errors="replace")[-4000:]

    def stop(self) -> int:
        """SIGTERM and the exit status; a process that outlives the drain time is killed and fails the run."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise RuntimeError(f"still running {STOP_SECONDS} s after SIGTERM:\n{self.log_end()}") from None


def standalone(secrets_: Secrets, directory: Path) -> Service:
    """Everything in one process, with the demo's simulator, routes and tenant key."""
    anywhere = "127.0.0.1:0"
    listen = ["--listen", "--admin-listen", "--grpc-listen", "--ops-listen"]
    arguments = ["standalone", *(part for flag in listen for part in (flag, anywhere))]
    return Service("portcullis", arguments, secrets_.environment(), directory)


def proxy(secrets_: Secrets, control_plane: str, directory: Path) -> Service:
    """A proxy of its own that joins a control plane; the demo's provider is on a loopback address."""
    arguments = [
        *("--control-plane", control_plane),
        *("--listen", "127.0.0.1:0"),
        *("--ops-listen", "127.0.0.1:0"),
        *("--region", "sdk-tests"),
        "--allow-private-networks",
    ]
    return Service("portcullis-proxy", arguments, secrets_.environment(), directory)
