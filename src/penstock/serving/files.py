"""The files that pages are made of, read once: no request names a path on the disk."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGES = Path(__file__).parent / "pages"
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


@cache
def read_files() -> dict[str, File]:
    """Every file, by its name."""
    return {
        it.name: File(it.read_bytes(), KINDS[it.suffix])
        for it in PAGES.iterdir()
        if it.suffix in KINDS
    }
