"""What the demo's simulator answers, computed the way its documentation says."""


def answer(text: str) -> str:
    return f"echo: {text}"


def tokens(text: str) -> int:
    """A quarter of the UTF-8 bytes, rounded up."""
    return -(-len(text.encode()) // 4)


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


# Characters of one to four bytes, joined emoji, combining marks, right-to-left text, and JSON's own quoting.
UNICODE = 'grüße 你好 👩‍👩‍👧 e\u0301 שלום "quoted" \\back\\ tab\tline\nend\u2028'
