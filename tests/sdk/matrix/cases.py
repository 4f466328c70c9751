"""The columns of the matrix: each asks a client something and checks what came back, plain and streamed."""

import json
from collections.abc import Callable

import jsonschema

from .asks import CLOCK, PERSON, WEATHER, Answer, Ask, Refused, fingerprint, png

CALL = 'call:get_weather {"city":"Zürich","days":12345678901}'
CALLS = f'{CALL}\ncall:get_time {{"zone":"Europe/Berlin"}}'


def finished(answer: Answer, reason: str = "stop") -> Answer:
    assert answer.finish == reason, answer
    assert answer.tokens_in > 0 and answer.tokens_out > 0, answer
    return answer


def plain(client) -> None:
    """a system prompt and a text"""
    answer = finished(client.ask(Ask("Grüße 👋 an alle", system="Be brief.")))
    assert answer.text == "echo: Grüße 👋 an alle", answer


def stream(client) -> None:
    """the same as a stream"""
    answer = finished(client.ask(Ask("Grüße 👋 an alle", system="Be brief.", stream=True)))
    assert answer.text == "echo: Grüße 👋 an alle", answer


def tools(client) -> None:
    """a tool is called and its result told"""
    for streamed in (False, True):
        ask = Ask(CALL, tools=(WEATHER, CLOCK), stream=streamed)
        answer = finished(client.ask(ask), "tool_calls")
        assert [(call.name, call.arguments) for call in answer.calls] == [
            ("get_weather", {"city": "Zürich", "days": 12345678901})
        ], answer
        told = finished(client.ask(ask, client.follow(ask, answer, ["sunny, 21 °C"])))
        assert "sunny, 21 °C" in told.text and not told.calls, told


def parallel_tools(client) -> None:
    """two tools are called at once and both results told"""
    for streamed in (False, True):
        ask = Ask(CALLS, tools=(WEATHER, CLOCK), stream=streamed)
        answer = finished(client.ask(ask), "tool_calls")
        assert [call.name for call in answer.calls] == ["get_weather", "get_time"], answer
        assert answer.calls[1].arguments == {"zone": "Europe/Berlin"}, answer
        told = finished(client.ask(ask, client.follow(ask, answer, ["sunny", "noon"])))
        assert "sunny" in told.text and "noon" in told.text, told


def image(client) -> None:
    """a picture arrives byte for byte"""
    for streamed in (False, True):
        answer = finished(client.ask(Ask("look", image=png(), stream=streamed)))
        assert "saw 1 image" in answer.text and fingerprint(png()) in answer.text, answer


def structured_output(client) -> None:
    """the answer obeys a JSON schema"""
    for streamed in (False, True):
        answer = finished(client.ask(Ask("a person", schema=PERSON, stream=streamed)))
        jsonschema.validate(json.loads(answer.text), PERSON)


def reasoning(client) -> None:
    """thoughts are shown, and go on in a tool loop with their seal"""
    for streamed in (False, True):
        answer = finished(client.ask(Ask("think", think=True, stream=streamed)))
        assert answer.thoughts and "echo: think" in answer.text, answer
        # In a tool loop the thoughts go back with their seal; without it the provider refuses.
        ask = Ask(CALL, tools=(WEATHER,), think=True, stream=streamed)
        called = finished(client.ask(ask), "tool_calls")
        told = finished(client.ask(ask, client.follow(ask, called, ["sunny"])))
        assert "sunny" in told.text, told


def error(client) -> None:
    """429, 400 and 500 of the provider's raise the SDK's errors"""
    for streamed in (False, True):
        for asked, told in (("error:429", 429), ("error:400", 400), ("error:500", 502)):
            try:
                answer = client.ask(Ask(asked, stream=streamed))
            except Refused as refused:
                assert refused.status == told, refused
            else:
                raise AssertionError(f"{asked} was answered: {answer}")


def max_tokens(client) -> None:
    """the answer ends at the output limit and says so"""
    for streamed in (False, True):
        answer = client.ask(Ask("one two three four five " * 10, limit=16, stream=streamed))
        finished(answer, "length")


COLUMNS: dict[str, Callable] = {
    "plain": plain,
    "stream": stream,
    "tools": tools,
    "parallel tools": parallel_tools,
    "image": image,
    "structured output": structured_output,
    "reasoning": reasoning,
    "error": error,
    "max tokens": max_tokens,
}
