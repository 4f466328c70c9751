"""Clients with the OpenAI SDK that ask on and on, plain and streamed, and remember what each answer said it cost."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from itertools import count

import openai

# Longer than the longest stream; the bound is there so that a hang fails instead of hanging the run.
TIMEOUT_SECONDS = 90


@dataclass
class Finished:
    """A request that its client has seen the end of."""

    cost: Decimal
    streamed: bool
    began: float
    ended: float


@dataclass
class Broken:
    """A request that failed, and when it was begun."""

    began: float
    error: str


class Load:
    """Threads that go on until the block ends: some with plain requests, some with streams."""

    def __init__(self, url: str, key: str, plain: int = 0, streams: int = 0, model: str = "chat"):
        self.options = {"base_url": f"{url}/v1", "api_key": key, "max_retries": 0, "timeout": TIMEOUT_SECONDS}
        self.kinds = [plain_request] * plain + [streamed_request] * streams
        self.model = model
        self.finished: dict[str, Finished] = {}
        self.broken: list[Broken] = []
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.threads = ThreadPoolExecutor(len(self.kinds))

    def __enter__(self) -> "Load":
        self.running = [self.threads.submit(self.run, *numbered) for numbered in enumerate(self.kinds)]
        return self

    def __exit__(self, *_failure) -> None:
        """What runs is finished first."""
        self.stopping.set()
        self.threads.shutdown()
        for each in self.running:
            each.result()

    def run(self, number: int, ask) -> None:
        with openai.OpenAI(**self.options) as client:
            for turn in count():
                if self.stopping.is_set():
                    return
                began = time.monotonic()
                try:
                    # Of many lengths, so that costs differ.
                    request, cost = ask(client, self.model, f"{number} {turn} " + "x" * (turn % 97))
                except Exception as failure:
                    self.note_broken(Broken(began, f"{type(failure).__name__}: {failure}"))
                else:
                    self.note(request, Finished(cost, ask is streamed_request, began, time.monotonic()))

    def note(self, request: str, finished: Finished) -> None:
        with self.changed:
            assert request not in self.finished, "one id for two requests"
            self.finished[request] = finished
            self.changed.notify_all()

    def note_broken(self, broken: Broken) -> None:
        with self.changed:
            self.broken.append(broken)
            self.changed.notify_all()

    def goes_on(self, requests: int) -> None:
        """Waits until so many more requests were answered."""
        with self.changed:
            goal = len(self.finished) + requests
            reached = self.changed.wait_for(lambda: len(self.finished) >= goal, timeout=2 * TIMEOUT_SECONDS)
            assert reached, f"requests stopped; the last failure: {self.broken[-1:]}"

    def cost(self) -> Decimal:
        return sum((each.cost for each in self.finished.values()), Decimal(0))


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def plain_request(client: openai.OpenAI, model: str, text: str) -> tuple[str, Decimal]:
    raw = client.chat.completions.with_raw_response.create(model=model, messages=user(text))
    assert raw.parse().choices[0].message.content == f"echo: {text}"
    return raw.headers["x-portcullis-request-id"], Decimal(raw.headers["x-portcullis-cost-usd"])


def streamed_request(client: openai.OpenAI, model: str, text: str) -> tuple[str, Decimal]:
    """By lines, because the cost is in a comment, which the SDK's own stream passes over."""
    create = client.chat.completions.with_streaming_response.create
    with create(model=model, messages=user(text), stream=True) as raw:
        request = raw.headers["x-portcullis-request-id"]
        lines = [line for line in raw.iter_lines() if line]
    assert lines[-1:] == ["data: [DONE]"], f"the stream of {request} was cut after {len(lines)} lines"
    summary = json.loads(lines[-2].removeprefix(": portcullis "))
    assert summary["request_id"] == request and not summary["estimated"]
    return request, Decimal(summary["cost_usd"])
