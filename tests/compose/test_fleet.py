"""Traffic through the balancer while a proxy is killed and while all are replaced, and what the ledger says of it."""

import time
from collections import Counter
from decimal import Decimal

from conftest import DOCUMENT
from deployment import Deployment, eventually
from load import Finished, Load

PROXIES = ["proxy-1", "proxy-2"]
# Streams of this length are open at any moment of a rolling restart, and outlive the lame-duck time.
LONG_STREAM = {"chunks": 60, "chunk_delay_ms": 250}
# A client of a killed proxy sees its end at once; a new request may meet it until the balancer has noticed, and is
# then sent to the other one.
SETTLED_SECONDS = 60


def add_tenant(deployment: Deployment, name: str) -> str:
    """Makes a tenant and returns its key, once every proxy knows it."""
    answer = deployment.admin("apply", DOCUMENT | {"tenants": {name: {"keys": [{"name": "app"}]}}})
    revision = answer["version"]["revision"]
    assert eventually(lambda: all_serve(deployment, revision)), deployment.admin("proxies")
    return answer["secrets"][0]["secret"]


def all_serve(deployment: Deployment, revision: int) -> bool:
    served = [each["version"] for each in deployment.admin("proxies")["items"]]
    return len(served) == len(PROXIES) and all(version and version["revision"] >= revision for version in served)


def usage(deployment: Deployment, tenant: str) -> tuple[int, Decimal]:
    """Requests and US dollars in the sums of one tenant."""
    rows = [row for row in deployment.admin("usage?group_by=tenant")["items"] if row["tenant"] == tenant]
    return sum(row["requests"] for row in rows), sum((Decimal(row["cost_usd"]) for row in rows), Decimal(0))


def assert_agrees(deployment: Deployment, tenant: str, load: Load) -> str:
    """Each finished request is in the ledger once, at the cost its client saw, and nothing else is; so are the sums."""
    wanted = len(load.finished)
    assert eventually(lambda: len(deployment.requests(tenant)) >= wanted, SETTLED_SECONDS), "usage is missing"
    rows = deployment.requests(tenant)
    assert twice(rows) == []
    costs = {each["request_id"]: Decimal(each["cost_usd"]) for each in rows}
    assert costs == {request: finished.cost for request, finished in load.finished.items()}
    assert all(each["outcome"] == "ok" and not each["estimated"] for each in rows)
    requests, cost = usage(deployment, tenant)
    assert (requests, cost) == (wanted, load.cost())
    return f"clients {wanted} requests, {load.cost()} USD = /api/v1/usage {requests} requests, {cost} USD"


def twice(rows: list[dict]) -> list[str]:
    return [request for request, times in Counter(row["request_id"] for row in rows).items() if times > 1]


def kinds(finished: list[Finished]) -> str:
    streams = sum(each.streamed for each in finished)
    return f"{len(finished) - streams} plain, {streams} streams"


def test_sdk_traffic_through_the_balancer(deployment, figures):
    key = add_tenant(deployment, "steady")
    with Load(deployment.url("load-balancer", 8080), key, plain=3, streams=3) as load:
        load.goes_on(600)
    assert load.broken == []
    figures["SDK traffic"] = f"{kinds(list(load.finished.values()))}, 0 failed"
    figures["SDK traffic, usage"] = assert_agrees(deployment, "steady", load)


def test_a_killed_proxy_breaks_what_it_serves_and_nothing_else(deployment, figures):
    key, victim = add_tenant(deployment, "killed"), PROXIES[0]
    deployment.script("slow", LONG_STREAM)
    url = deployment.url("load-balancer", 8080)
    with Load(url, key, streams=6, model="slow") as long, Load(url, key, plain=3, streams=3) as load:
        long.goes_on(1)
        deployment.kill(victim)
        killed = time.monotonic()
        load.goes_on(200)
        deployment.must("start", victim)
        deployment.wait_until_healthy(victim)
        load.goes_on(200)
    deployment.script("slow", {})
    load.finished |= long.finished
    load.broken += long.broken
    assert [each for each in load.broken if each.began > killed] == [], "a request that began after the kill failed"
    # The last events of the killed proxy, and what it had begun, come from its spool when it is back.
    assert eventually(lambda: set(load.finished) <= booked(deployment), SETTLED_SECONDS), "usage is missing"
    rows = deployment.requests("killed")
    assert twice(rows) == []
    costs = {row["request_id"]: Decimal(row["cost_usd"]) for row in rows}
    seen = {request: finished.cost for request, finished in load.finished.items()}
    assert {request: costs[request] for request in seen} == seen
    others = Counter(row["outcome"] for row in rows if row["request_id"] not in seen)
    assert 0 < others["orphaned"] <= others.total() <= len(load.broken), (others, load.broken)
    requests, cost = usage(deployment, "killed")
    assert (requests, cost) == (len(rows), sum(costs.values(), Decimal(0)))
    figures[f"{victim} killed"] = (
        f"{kinds(list(load.finished.values()))} finished, each booked once at its client's cost; 0 begun later "
        f"failed; {len(load.broken)} in flight broken, of which booked: {dict(others)}"
    )
    figures[f"{victim} killed, usage"] = (
        f"ledger {len(rows)} requests, {sum(costs.values())} USD = /api/v1/usage {requests} requests, {cost} USD"
    )


def booked(deployment: Deployment) -> set[str]:
    return {row["request_id"] for row in deployment.requests("killed")}


def test_a_rolling_restart_drops_no_stream(deployment, figures):
    key = add_tenant(deployment, "rolling")
    deployment.script("slow", LONG_STREAM)
    url = deployment.url("load-balancer", 8080)
    windows = []
    with Load(url, key, streams=12, model="slow") as long, Load(url, key, plain=2, streams=2) as short:
        long.goes_on(1)
        for proxy in PROXIES:
            began = time.monotonic()
            deployment.replace(proxy)
            windows.append((began, time.monotonic()))
            short.goes_on(50)
        long.goes_on(12)
    deployment.script("slow", {})
    assert (long.broken, short.broken) == ([], [])
    streams = list(long.finished.values())
    during = [sum(each.began < began < each.ended for each in streams) for began, _ in windows]
    assert min(during) > 0, "no stream was open when a proxy was told to stop"
    lengths = [each.ended - each.began for each in streams]
    for proxy, open_streams, (began, ended) in zip(PROXIES, during, windows, strict=True):
        figures[f"{proxy} replaced"] = f"in {ended - began:.0f} s; {open_streams} long streams open when it was to stop"
    figures["rolling restart"] = (
        f"{len(streams)} streams of {min(lengths):.0f} to {max(lengths):.0f} s, 0 dropped; "
        f"beside them {kinds(list(short.finished.values()))}, 0 failed"
    )
    short.finished |= long.finished
    figures["rolling restart, usage"] = assert_agrees(deployment, "rolling", short)
