"""What the tests of the simulator send, and what it makes of it."""

import hashlib

KEY = "sk-of-the-tests"
# The bytes of a picture matter to nobody here; what matters is that they arrive.
IMAGE = bytes(range(256)) * 3
AWS_KEY, AWS_SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
# What the simulator makes of it.
SOMEBODY = {"name": "text", "age": 0, "tags": ["text"]}
CALL = 'call:weather {"city":"Rome"}'
CALLS = 'call:weather {"city":"Rome"}\ncall:weather {"city":"Oslo"}'


def seen(kind: str, mime: str, data: bytes) -> str:
    """What it says about something attached."""
    return f"saw 1 {kind}(s) {mime} {len(data)} {hashlib.sha256(data).hexdigest()[:16]}"
