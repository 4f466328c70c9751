#!/usr/bin/env python3
"""Makes the seed corpora out of the committed fixtures of `wire`: each input begins with the bytes that choose."""

import hashlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "crates" / "wire" / "fixtures"
# The order of `DialectName::ALL`, by the folder of fixtures.
DIALECTS = {"responses": 1, "anthropic": 2, "gemini": 3, "cohere": 4, "bedrock": 5}


def keep(target: str, data: bytes) -> None:
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


for fixture in FIXTURES.rglob("*"):
    if not fixture.is_file():
        continue
    data = fixture.read_bytes()
    # Every folder without a dialect of its own is a vendor that copied OpenAI Chat.
    dialect = DIALECTS.get(fixture.relative_to(FIXTURES).parts[0], 0)
    match fixture.name.split("-")[0].split(".")[0]:
        case "request":
            keep("calls", bytes([dialect]) + data)
        case "stream":
            for cut in (7, 100):
                keep("streams", bytes([dialect, cut]) + data)
        case _:
            keep("replies", bytes([dialect]) + data)

upload = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n--b--\r\n'
keep("uploads", upload)
