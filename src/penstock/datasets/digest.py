"""A digest of files: whether they are the same ones."""

import hashlib
from pathlib import Path


def digest_files(folder: Path, *extra: str, pattern: str = "*") -> str:
    """SHA-256 of the names and contents of every file in a folder, and of further text."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob(pattern) if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    for text in extra:
        digest.update(text.encode())
    return digest.hexdigest()
