"""Whether a body arrives at a provider of the client's own dialect as the SDK sent it."""

import hashlib

from .asks import CLOCK, WEATHER, Ask, png
from .cases import CALL
from .front import Front
from .providers import Provider, Recorder


def check(client, streamed: bool, front: Front, recorder: Recorder, provider: Provider) -> None:
    """`client` talks through `front`; a request with all that is large, deep or easily written in another way."""
    recorder.forget()
    ask = Ask(
        f"{CALL}\nsay:Grüße, \t\"👋\" / <b> \\ \u2028",
        system="Be brief.",
        tools=(WEATHER, CLOCK),
        image=png(),
        limit=1000,
        stream=streamed,
    )
    answer = client.ask(ask)
    assert [call.name for call in answer.calls] == ["get_weather"], answer
    (sent,) = front.bodies()
    (arrived,) = recorder.requests()
    # In the other dialects the path names the model.
    named = sent.count(f'"{provider.route}"'.encode())
    assert named == (0 if provider.route in ("to-gemini", "to-converse") else 1), sent
    expected = sent.replace(f'"{provider.route}"'.encode(), f'"{provider.model}"'.encode())
    assert arrived["body_sha256"] == hashlib.sha256(expected).hexdigest(), (expected, recorder.bodies())
