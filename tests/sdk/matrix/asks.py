"""What is asked in the matrix, in nobody's dialect, and what came back."""

import hashlib
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tool:
    """A function on offer."""

    name: str
    description: str
    schema: dict


@dataclass(frozen=True)
class Call:
    """A function called; `native` is what the SDK gave."""

    id: str
    name: str
    arguments: dict


@dataclass(frozen=True)
class Ask:
    """One request."""

    prompt: str
    system: str | None = None
    tools: tuple[Tool, ...] = ()
    image: bytes | None = None
    schema: dict | None = None
    think: bool = False
    limit: int = 4096
    stream: bool = False


@dataclass
class Answer:
    """One answer; `native` is the assistant's turn as the SDK's user would send it back."""

    text: str = ""
    thoughts: str = ""
    calls: list[Call] = field(default_factory=list)
    finish: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    native: Any = None


class Refused(Exception):
    """The SDK raised an error of this HTTP status."""

    def __init__(self, status: int, message: str):
        super().__init__(f"{status}: {message}")
        self.status = status


WEATHER = Tool(
    name="get_weather",
    description="The weather at a place.",
    schema={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
        "additionalProperties": False,
    },
)
CLOCK = Tool(
    name="get_time",
    description="The time at a place.",
    schema={
        "type": "object",
        "properties": {"zone": {"type": "string"}},
        "required": ["zone"],
        "additionalProperties": False,
    },
)
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


def png() -> bytes:
    """A picture of one red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\x00\xff\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def fingerprint(data: bytes) -> str:
    """How the simulator names what it was shown."""
    return hashlib.sha256(data).hexdigest()[:16]
