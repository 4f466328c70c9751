"""Whether a request's body holds only what the provider's own SDK could have sent: its types know every field.

The SDKs of OpenAI and Anthropic describe requests in typed dictionaries, those of Google and Cohere in models of
pydantic, AWS in botocore's service description.
"""

import collections.abc
import enum
import types
import typing
from collections.abc import Callable
from functools import cache, partial

import botocore.loaders
import botocore.model
import botocore.validate
import cohere.v2.client
import pydantic
import typing_extensions
from anthropic.types.message_create_params import MessageCreateParams
from google.genai import types as google
from openai.types.chat.completion_create_params import CompletionCreateParams
from openai.types.responses.response_create_params import ResponseCreateParams

WRAPPERS = (typing.Annotated, typing_extensions.Required, typing_extensions.NotRequired, typing_extensions.ReadOnly)
LISTS = (list, tuple, collections.abc.Iterable, collections.abc.Sequence)
NUMBERS = {bool: (bool,), int: (int,), float: (int, float), str: (str,), bytes: (str,)}


class Unknown(Exception):
    """A place in a body that the types do not allow, and how deep it lies."""

    def __init__(self, place: str, what: object):
        super().__init__(f"{place}: {what}")
        self.depth = place.count(".") + place.count("[")


def check(value: object, hint: object, place: str = "body") -> None:
    """Raises `Unknown` unless a value is one of a type, in the JSON that the SDK writes of it."""
    origin, parts = typing_extensions.get_origin(hint), typing_extensions.get_args(hint)
    if origin in WRAPPERS:
        return check(value, parts[0], place)
    if hint in (typing.Any, object):
        return None
    if origin in (typing.Union, types.UnionType):
        return union(value, parts, place)
    if origin in (typing.Literal, typing_extensions.Literal):
        return expect(value in parts, value, hint, place)
    if (origin or hint) in LISTS:
        expect(isinstance(value, list), value, hint, place)
        for at, item in enumerate(value):
            check(item, parts[0], f"{place}[{at}]")
        return None
    if origin in (dict, collections.abc.Mapping):
        expect(isinstance(value, dict), value, hint, place)
        for key, item in value.items():
            check(item, parts[1], f"{place}.{key}")
        return None
    if hint in NUMBERS:
        right = isinstance(value, NUMBERS[hint]) and (hint is bool or not isinstance(value, bool))
        return expect(right, value, hint, place)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return expect(value in [member.value for member in hint], value, hint, place)
    if hint in (None, type(None)):
        return expect(value is None, value, hint, place)
    return members(value, *fields(hint), place)


def expect(right: bool, value: object, hint: object, place: str) -> None:
    if not right:
        raise Unknown(place, f"{str(value)[:80]!r} is no {hint}")


def union(value: object, parts: tuple, place: str) -> None:
    problems = []
    for part in parts:
        try:
            return check(value, part, place)
        except Unknown as problem:
            problems.append(problem)
    # What came furthest is what was meant.
    raise max(problems, key=lambda problem: problem.depth)


def members(value: object, known: dict[str, object], required: frozenset[str], place: str) -> None:
    expect(isinstance(value, dict), value, "object", place)
    for name in required - value.keys():
        raise Unknown(place, f"lacks {name}")
    for name, member in value.items():
        if name not in known:
            raise Unknown(f"{place}.{name}", "is not in the SDK's types")
        check(member, known[name], f"{place}.{name}")


@cache
def fields(hint: type) -> tuple[dict[str, object], frozenset[str]]:
    """The members of a typed dictionary or a model, as they are called in JSON, and those that must be there."""
    if typing_extensions.is_typeddict(hint):
        return typing_extensions.get_type_hints(hint, include_extras=True), frozenset(hint.__required_keys__)
    assert issubclass(hint, pydantic.BaseModel), hint
    named = {field.alias or name: field for name, field in hint.model_fields.items()}
    known = {name: field.annotation for name, field in named.items()}
    return known, frozenset(name for name, field in named.items() if field.is_required())


GEMINI = {
    "contents": list[google.Content],
    "systemInstruction": google.Content,
    "tools": list[google.Tool],
    "toolConfig": google.ToolConfig,
    "safetySettings": list[google.SafetySetting],
    "generationConfig": google.GenerationConfig,
    "cachedContent": str,
    "labels": dict[str, str],
    "serviceTier": google.ServiceTier,
    "store": bool,
}


def gemini(body: dict) -> None:
    members(body, GEMINI, frozenset(["contents"]), "body")


def cohere_chat(body: dict) -> None:
    known = typing_extensions.get_type_hints(cohere.v2.client.V2Client.chat, include_extras=True)
    del known["return"], known["request_options"]
    # The method for streams is another one.
    members(body, known | {"stream": bool}, frozenset(["model", "messages"]), "body")


def converse(body: dict) -> None:
    found = botocore.validate.ParamValidator().validate(body | {"modelId": "in-the-path"}, converse_shape())
    if found.has_errors():
        raise Unknown("body", found.generate_report())


@cache
def converse_shape() -> botocore.model.Shape:
    description = botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2")
    return botocore.model.ServiceModel(description, "bedrock-runtime").operation_model("Converse").input_shape


# By the provider's route.
CHECKS: dict[str, Callable[[dict], None]] = {
    "to-chat": partial(check, hint=CompletionCreateParams),
    "to-responses": partial(check, hint=ResponseCreateParams),
    "to-messages": partial(check, hint=MessageCreateParams),
    "to-gemini": gemini,
    "to-cohere": cohere_chat,
    "to-converse": converse,
}
