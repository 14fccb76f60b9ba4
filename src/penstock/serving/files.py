"""The files that pages are made of, read once: no request names a path on the disk."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .. import pipelines

PAGES = Path(__file__).parent / "pages"
PAGE = "page.js"  # in the folder of a pipeline that has a page of its own
KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class File:
    """What is sent, and as what."""

    content: bytes
    kind: str


def page_of(name: str) -> str:
    """What the page of a pipeline is called; it may have none."""
    return f"page-{name}.js"


@cache
def read_files() -> dict[str, File]:
    """Every file, by its name."""
    own = Path(pipelines.__file__).parent.glob(f"*/{PAGE}")
    found = {it.name: it for it in PAGES.iterdir() if it.suffix in KINDS}
    found |= {page_of(it.parent.name): it for it in own}
    return {name: File(it.read_bytes(), KINDS[it.suffix]) for name, it in found.items()}
