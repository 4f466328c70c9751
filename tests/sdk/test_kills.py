"""Control plane, ledger, PostgreSQL and Redis killed one at a time under load: no failed request, usage exactly once."""

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from itertools import count
from pathlib import Path

import openai
import pytest

from conftest import Gateway, check_exit
from echo import answer, user
from fleet import Fleet
from servers import eventually

CLIENTS = 4
# Requests that must be answered while something is down.
MEANWHILE = 60
# For those who wait between attempts, on a busy machine.
CAUGHT_UP_SECONDS = 60
PLENTY = "100000/min"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    # PostgreSQL's account may not enter pytest's own directories.
    with tempfile.TemporaryDirectory(prefix="portcullis-sdk-") as postgres, ExitStack() as running:
        yield Fleet(tmp_path, Path(postgres), lambda process: running.callback(process.kill))


class Load:
    """Threads that go round the proxies, plain and streamed by turns, until their request fails or the block ends."""

    def __init__(self, gateways: list[Gateway]):
        self.gateways = gateways
        self.finished: dict[str, Decimal] = {}
        self.failures: list[Exception] = []
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.threads = ThreadPoolExecutor(CLIENTS)
        for number in range(CLIENTS):
            self.threads.submit(self.run, number)

    def run(self, number: int) -> None:
        try:
            with ExitStack() as opened:
                clients = [opened.enter_context(openai.OpenAI(**each.options())) for each in self.gateways]
                for turn in count(number):
                    if self.stopping.is_set():
                        return
                    # Of many lengths, so that costs differ; two kinds and three proxies: each gets both.
                    text = f"{number} {turn} " + "x" * (turn % 97)
                    ask = (plain, streamed)[turn % 2]
                    self.note(*ask(clients[turn % len(clients)], text))
        except Exception as failure:
            with self.changed:
                self.failures.append(failure)
                self.changed.notify_all()

    def note(self, request: str, cost: Decimal) -> None:
        with self.changed:
            assert request not in self.finished, "one id for two requests"
            self.finished[request] = cost
            self.changed.notify_all()

    def goes_on(self, what: str) -> None:
        """Waits until more requests have been answered, and none has failed."""
        with self.changed:
            goal = len(self.finished) + MEANWHILE
            reached = self.changed.wait_for(
                lambda: self.failures or len(self.finished) >= goal, timeout=CAUGHT_UP_SECONDS
            )
            if self.failures:
                raise AssertionError(f"a request failed {what}") from self.failures[0]
            assert reached, f"requests stopped {what}"

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_failure) -> None:
        self.stopping.set()
        self.threads.shutdown()


def plain(client: openai.OpenAI, text: str) -> tuple[str, Decimal]:
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=user(text))
    assert raw.parse().choices[0].message.content == answer(text)
    return raw.headers["x-portcullis-request-id"], Decimal(raw.headers["x-portcullis-cost-usd"])


def streamed(client: openai.OpenAI, text: str) -> tuple[str, Decimal]:
    """By lines, because the cost is in a comment, which the SDK's own stream passes over."""
    create = client.chat.completions.with_streaming_response.create
    with create(model="chat", messages=user(text), stream=True) as raw:
        request = raw.headers["x-portcullis-request-id"]
        *chunks, comment, end = [line for line in raw.iter_lines() if line]
    assert end == "data: [DONE]"
    choices = [json.loads(line.removeprefix("data: "))["choices"] for line in chunks]
    assert "".join(choice["delta"].get("content") or "" for some in choices for choice in some) == answer(text)
    summary = json.loads(comment.removeprefix(": portcullis "))
    assert summary["request_id"] == request
    return request, Decimal(summary["cost_usd"])


def gateways(fleet: Fleet, key: str) -> list[Gateway]:
    return [Gateway(url=proxy.ready["data_plane"].rstrip("/"), key=key) for proxy in fleet.proxies]


def one(gateway: Gateway, finished: dict[str, Decimal]) -> str:
    """One request; the code of its error, or `ok` and it is among the finished."""
    with openai.OpenAI(**gateway.options()) as client:
        try:
            request, cost = plain(client, "one")
        except openai.APIStatusError as refused:
            return f"{refused.status_code} {refused.code}"
    finished[request] = cost
    return "ok"


def test_no_request_fails_and_usage_is_counted_once(fleet):
    finished: dict[str, Decimal] = {}

    def everywhere(gateways: list[Gateway]) -> set[str]:
        return {one(gateway, finished) for gateway in gateways}

    # Two policies admit without the store, the third refuses.
    without_store = [{"on_store_loss": "bounded"}, {"on_store_loss": "open", "per": "key"}]
    steady = gateways(fleet, fleet.add_tenant("steady", [{"requests": PLENTY} | limit for limit in without_store]))
    strict = gateways(fleet, fleet.add_tenant("strict", [{"requests": PLENTY, "on_store_loss": "closed"}]))
    assert eventually(lambda: everywhere(steady + strict) == {"ok"}), everywhere(steady + strict)

    with Load(steady) as load:
        load.goes_on("before anything was killed")
        kill_one_at_a_time(fleet, load)

        fleet.redis.kill()
        assert everywhere(strict) == {"503 store_unavailable"}
        load.goes_on("without Redis")
        assert everywhere(strict) == {"503 store_unavailable"}
        fleet.redis.start()
        assert eventually(lambda: everywhere(strict) == {"ok"}), "the store is back and a limit stays closed"
        load.goes_on("with Redis again")
    assert load.failures == []
    finished |= load.finished

    # What the first control plane accepts now reaches all proxies, those of the other one too.
    late = gateways(fleet, fleet.add_tenant("late", []))
    assert eventually(lambda: everywhere(late) == {"ok"}), "a proxy follows its control plane no more"
    assert eventually(lambda: len(fleet.requests()) >= len(finished), CAUGHT_UP_SECONDS), "usage is missing"
    # Proxies report what they still hold before they end: what comes twice has come by then.
    for proxy in fleet.proxies:
        check_exit(proxy)
    assert_counted_once(fleet.requests(), finished)
    for service in fleet.services():
        assert "panicked" not in service.log.read_text(errors="replace"), service.log


def kill_one_at_a_time(fleet: Fleet, load: Load) -> None:
    """A control plane, a ledger and PostgreSQL; each is back before the next is killed."""

    def administered(control: int) -> bool:
        return fleet.admin(control, "/api/v1/tenants")[0] == 200

    fleet.controls[0].kill()
    load.goes_on("without a control plane")
    assert administered(1)
    fleet.controls[0].start()
    assert administered(0)

    fleet.ledgers[0].kill()
    load.goes_on("without a ledger")
    fleet.ledgers[0].start()
    load.goes_on("with the ledger again")

    fleet.postgres.kill()
    load.goes_on("without PostgreSQL")
    assert not administered(0) and not administered(1)
    fleet.postgres.start()
    # Nothing else is started again: everybody finds it by himself.
    assert eventually(lambda: administered(0) and administered(1)), "a control plane did not find PostgreSQL again"
    load.goes_on("with PostgreSQL again")


def assert_counted_once(requests: list[dict], finished: dict[str, Decimal]) -> None:
    """Whatever was reported in whatever pieces: each finished request is there once, at the cost its client saw."""
    twice = [request for request, times in Counter(each["request_id"] for each in requests).items() if times > 1]
    assert twice == []
    assert {each["request_id"]: Decimal(each["cost_usd"]) for each in requests} == finished
    assert all(not each["estimated"] and each["outcome"] == "ok" for each in requests)
