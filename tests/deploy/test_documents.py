"""Every document that the repository names is there, and every link between pages leads to a page and a heading."""

import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from manifests import ROOT

SUFFIXES = {".rs", ".py", ".md", ".toml", ".yaml", ".yml", ".proto"}
# A citation may go on with further anchors of its page, over the line breaks of comments too.
GAP = r"(?:[ \t]*\n[ \t]*(?://[/!]?|#)?[ \t]*|[ \t]+)"
CITATION = re.compile(rf"[^\s\"'`(<]*\bdocs/[\w./-]*\.md(?:#[\w-]+(?:,{GAP}#[\w-]+)*)?")
# A document by its name alone, such as CHANGELOG.md.
NAME = re.compile(r"(?<![\w./#-])[A-Z][A-Z_-]+\.md\b")
LINK = re.compile(r"\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
CODE = re.compile(r"^(?P<fence>```+|~~~+).*?^(?P=fence)[ \t]*$|^(?: {4}|\t)[^\n]*$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


@cache
def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    return [file for file in files if file.is_file() and (file.suffix in SUFFIXES or file.name == "Makefile")]


def pages() -> list[Path]:
    return [file for file in tracked() if file.suffix == ".md"]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    found: list[str] = []
    fence = None
    for line in text.splitlines():
        if mark := re.match(r"\s*(```+|~~~+)", line):
            fence = None if fence and mark[1].startswith(fence) else fence or mark[1]
        elif fence is None and (heading := re.match(r"#{1,6}\s+(.+?)\s*#*$", line)):
            words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            again = found.count(slug)
            found.append(slug)
            if again:
                found.append(f"{slug}-{again}")
    return set(found)


@cache
def anchors_of(page: Path) -> set[str]:
    return anchors(page.read_text())


def broken(page: Path, anchor: str) -> str | None:
    """What is wrong with a place."""
    if not page.exists():
        return "there is no such file"
    if anchor and page.suffix == ".md" and anchor not in anchors_of(page):
        return f"no heading has the anchor #{anchor}"
    return None


def citations(text: str) -> list[tuple[int, str, str]]:
    """Line, path and anchor of every `docs/….md` that is no part of an address."""
    found = []
    for match in CITATION.finditer(text):
        if "://" in match[0]:
            continue
        line = text.count("\n", 0, match.start()) + 1
        path, *places = re.split(rf"(?:,{GAP})?#", match[0][match[0].index("docs/") :])
        found += [(line, path, place) for place in places or [""]]
    return found


def links(text: str) -> list[tuple[int, str, str]]:
    """Line, path and anchor of every relative link, those in code left out."""
    text = CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)
    found = []
    for match in LINK.finditer(text):
        target = match[1] or match[2]
        if not re.match(r"[a-z][a-z0-9+.-]*:", target):
            path, _, anchor = unquote(target).partition("#")
            found.append((text.count("\n", 0, match.start()) + 1, path, anchor))
    return found


def test_every_cited_document_is_there():
    wrong = []
    for file in tracked():
        for line, path, anchor in citations(file.read_text()):
            if problem := broken(ROOT / path, anchor):
                wrong.append(f"{file.relative_to(ROOT)}:{line}: {path}#{anchor}: {problem}")
    assert not wrong, "\n".join(wrong)


def test_every_document_named_in_the_code_is_there():
    known = {page.name for page in pages()}
    wrong = []
    for file in tracked():
        text = file.read_text()
        for match in NAME.finditer(text):
            if match[0] not in known:
                wrong.append(f"{file.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path):
    wrong = []
    for line, path, anchor in links(page.read_text()):
        target = page.parent / path if path else page
        if problem := broken(target, anchor):
            wrong.append(f"line {line}: {path}#{anchor}: {problem}")
    assert not wrong, "\n".join(wrong)


def test_headings_become_anchors_as_github_makes_them():
    text = "# The `kind` of it\n## A, b: c\n## [Linked](x.md) heading\n## Twice\n## Twice\n```\n# no heading\n```\n#### È\n"
    assert anchors(text) == {"the-kind-of-it", "a-b-c", "linked-heading", "twice", "twice-1", "è"}


def test_citations_and_links_are_found():
    # Not a citation itself: the directory has another name here.
    comment = "/// (DIR/a.md#x, DIR/b/c.md#y,\n/// #z) and DIR/d.md. https://host/DIR/e.md \"../DIR/f.md\""
    found = [(1, "a.md", "x"), (1, "b/c.md", "y"), (1, "b/c.md", "z"), (2, "d.md", ""), (2, "f.md", "")]
    assert citations(comment.replace("DIR", "docs")) == [(line, f"docs/{path}", place) for line, path, place in found]
    page = "[a](b.md#c) `[d](e.md)`\n[f](https://g) [h](#i)\n\n    [j](k.md)\n```\n[l](m.md)\n```\n[n](../o/)\n"
    assert links(page) == [(1, "b.md", "c"), (2, "", "i"), (8, "../o/", "")]


NUMBERS = "no one two three four five six seven eight nine ten eleven twelve".split()


def code(path: str, pattern: str) -> list[str]:
    return re.findall(pattern, (ROOT / "crates" / path).read_text(), re.MULTILINE)


def test_the_readme_counts_what_the_code_has():
    readme = (ROOT / "README.md").read_text()
    (kinds,) = code("wire/src/provider/rows.rs", r"static ROWS: \[ProviderRow; (\d+)\]")
    assert f"[{kinds} kinds of providers]" in readme
    strategies = code("policy/src/routing/strategy.rs", r"^ +Strategy::(\w+) => &")
    assert f"and {NUMBERS[len(strategies)]} strategies]" in readme, f"there are {len(strategies)}"


def test_the_page_of_strategies_has_a_row_for_each():
    names = code("domain/src/route/terms.rs", r'^ +Self::\w+ => "(\w+)",$')
    strategies = [
        re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        for name in code("policy/src/routing/strategy.rs", r"^ +Strategy::(\w+) => &")
    ]
    assert set(strategies) <= set(names), f"the names of the code: {names}"
    page = (ROOT / "docs/routing.md").read_text()
    assert [name for name in strategies if not re.search(rf"^\| `{name}` \|", page, re.MULTILINE)] == []
