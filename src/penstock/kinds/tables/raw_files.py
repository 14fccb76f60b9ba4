"""Files of a source, plain, gzipped or in a zip archive, opened as streams and never unpacked."""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, cast

from ...messages.errors import PenstockError, raise_if_temporary
from ...messages.printable import printable

DAMAGED = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class RawFile:
    """A file of a source.

    Attributes:
        name: where it lies, for messages: `ml-latest-small.zip/ratings.csv`.
        kind: the end of its name without compression, `.csv` say, in small letters.
        path: the file, or the archive it is in.
        read: opens it; what is compressed is decompressed as it is read.
    """

    name: str
    kind: str
    path: Path
    read: Callable[[], IO[bytes]]

    @property
    def stem(self) -> str:
        """The name without folders and endings, in small letters: `ratings`."""
        return PurePosixPath(self.name).name.split(".")[0].lower()

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open it for reading.

        Raises:
            PenstockError: what is compressed is damaged or cut off, or needs a password.
            TemporaryError: network or disk failed.
        """
        try:
            with self.read() as stream:
                yield stream
        except DAMAGED as error:
            raise_if_temporary(error, self.path)  # zipfile says so of what it cannot read
            raise PenstockError(
                f"{self.path}: damaged or cut off: {error}; expected a whole file; fetch it again"
            ) from None
        except OSError as error:
            raise_if_temporary(error, self.path)
            raise
        except RuntimeError as error:  # how zipfile says that a password is needed
            raise PenstockError(f"{self.path}: {error}; expected one without; unpack it") from None


def list_files(source: Path, nested: bool = False) -> list[RawFile]:
    """List the files of a source: itself, or what lies in the folder or the archives there.

    Args:
        source: a file or a folder.
        nested: whether folders in it are looked into.

    Raises:
        PenstockError: an archive that is none.
    """
    if source.is_file():
        paths = [source]
    else:
        there = source.rglob("*") if nested else source.iterdir()
        paths = sorted(p for p in there if p.is_file() and not _hidden(p.relative_to(source)))
    return [
        file
        for path in paths
        for file in _look_into(path, printable(path.relative_to(source.parent).as_posix()))
    ]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _look_into(path: Path, name: str) -> Iterator[RawFile]:
    if path.suffix.lower() == ".zip":
        yield from _members(path, name)
    elif path.suffix.lower() == ".gz":
        kind = Path(path.stem).suffix.lower()
        yield RawFile(name, kind, path, lambda: _gunzip(path))
    else:
        yield RawFile(name, path.suffix.lower(), path, lambda: path.open("rb"))


def _gunzip(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path))  # closed by who asked for it


def _open_member(path: Path, member: str) -> IO[bytes]:
    return zipfile.ZipFile(path).open(member)


def _members(path: Path, name: str) -> Iterator[RawFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.namelist() if not m.endswith("/")]
    except zipfile.BadZipFile as error:
        raise_if_temporary(error, path)  # see above
        raise PenstockError(
            f"{path}: {error}; expected a whole zip archive; fetch it again"
        ) from None
    for member in sorted(members):
        inside = PurePosixPath(member)
        if "__MACOSX" not in inside.parts and not inside.name.startswith("."):
            yield RawFile(
                f"{name}/{printable(member)}",
                inside.suffix.lower(),
                path,
                partial(_open_member, path, member),
            )
