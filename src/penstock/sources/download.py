"""Downloads of public datasets: mirrors in turn, resumed where they broke off, checked by sha256.

What there is to download stands in data/downloads.yaml. A file arrives as `NAME.part` and gets its
name only once its sha256 is right, so a file in the folder is whole, and the right one.
"""

import difflib
import hashlib
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, ValidationError, model_validator

from ..messages.errors import PenstockError, TemporaryError, raise_if_temporary
from .unpack import unpack

if TYPE_CHECKING:
    import requests

CHUNK = 2**18  # bytes asked for at a time
SLOWEST = 1000  # bytes per second; slower than that for the length of a read timeout is a stall
REDIRECTS = 5
PASSING = {408, 425, 429, 500, 502, 503, 504}  # HTTP statuses that may be gone on the next attempt

# No separators and no leading dot: a name cannot lead out of its folder.
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=200)]


class Entry(BaseModel):
    """A part of the catalogue: strict types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RemoteFile(Entry):
    """A file to fetch: where from, mirrors in order, and what it must turn out to be."""

    name: FileName
    size: Annotated[int, Field(ge=1, description="bytes")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    urls: Annotated[list[HttpUrl], Field(min_length=1)]
    unpack: Annotated[FileName | None, Field(description="folder to unpack it into")] = None


class Download(Entry):
    """A dataset to download."""

    description: str
    files: Annotated[list[RemoteFile], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [file.name.casefold() for file in self.files]
        names += [file.unpack.casefold() for file in self.files if file.unpack]
        if len({*names, *(f"{name}.part" for name in names)}) < 2 * len(names):
            raise ValueError("two files have one name, or one is named as the .part of another")
        return self


class Catalogue(Entry):
    """Every dataset that can be downloaded, by name."""

    downloads: dict[FileName, Download]


@dataclass(frozen=True)
class Retry:
    """How patient a download is: attempts (at least 1) for each mirror, times in seconds."""

    attempts: int = 4
    delay: float = 1.0  # before the second attempt; doubles with each further one
    connect: float = 10.0
    read: float = 30.0


PATIENT = Retry()


class _Failed(Exception):
    """An attempt that failed; `again` says whether the same mirror may do better next time."""

    def __init__(self, reason: str, remedy: str = "try again later", *, again: bool = False):
        # A server's words end up in a terminal: no new lines, no escape sequences.
        super().__init__(re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", reason))
        self.remedy = remedy
        self.again = again


def read_catalogue(path: Path) -> dict[str, Download]:
    """Read the catalogue of downloads: YAML with the one key `downloads`.

    Raises:
        PenstockError: missing, unreadable, not YAML, or an entry that is not as it must be.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return Catalogue.model_validate(YAML(typ="safe").load(path)).downloads
    except OSError as error:
        raise_if_temporary(error, path)
        found = f"cannot be read ({error.strerror}); expected the catalogue of downloads"
        raise PenstockError(f"{path}: {found}; restore it from git") from None
    except (YAMLError, UnicodeDecodeError) as error:
        found = " ".join(str(error).split())
        raise PenstockError(f"{path}: not valid YAML: {found}; correct it there") from None
    except ValidationError as error:
        first, more = error.errors()[0], error.error_count() - 1
        key = ".".join(map(str, first["loc"])) or "the file"
        message = first["msg"].removeprefix("Value error, ")
        value = "" if isinstance(first["input"], dict | list) else f" {first['input']!r}:"
        also = f" (and {more} more)" if more else ""
        raise PenstockError(f"{path}: {key}:{value} {message}{also}; correct it there") from None


def download(name: str, folder: Path, catalogue: Path, retry: Retry = PATIENT) -> list[Path]:
    """Fetch the files of one dataset into a folder; those already there and right are kept.

    Returns:
        The files, in the order of the catalogue.

    Raises:
        PenstockError: no such dataset, a file that no mirror delivers as the catalogue describes
            it, a folder that cannot be written, or another process downloading into it.
            TemporaryError if a mirror, or the disk, may do better later.
    """
    known = read_catalogue(catalogue)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        listed = ", ".join(sorted(known)) or "none"
        raise PenstockError(f"{catalogue}: no dataset {name!r}; {hint}known are: {listed}")
    import filelock
    import requests

    here = folder.resolve()
    try:
        here.mkdir(parents=True, exist_ok=True)
        # The lock lies beside the folder: whatever is in the folder is data.
        lock = filelock.FileLock(here.with_name(f".{here.name}.lock"), timeout=0)
        with lock, requests.Session() as session:
            session.max_redirects = REDIRECTS
            session.headers["Accept-Encoding"] = "identity"
            files = [_fetch(file, folder, session, retry) for file in known[name].files]
            _unpack(known[name], folder)
            return files
    except filelock.Timeout:
        found = "another process is downloading into this folder; wait until it ends"
        raise PenstockError(f"{folder}: {found}") from None
    except OSError as error:
        raise_if_temporary(error, folder)
        found = f"cannot be read or written ({error.strerror or error})"
        remedy = "check the path, its permissions and the free space"
        raise PenstockError(f"{error.filename or folder}: {found}; {remedy}") from None


def _unpack(dataset: Download, folder: Path) -> None:
    """Unpack the archives that are to be, unless that was done."""
    for file in dataset.files:
        if file.unpack and not (folder / file.unpack).is_dir():
            unpack(folder / file.name, folder / file.unpack)
            count = sum(1 for it in (folder / file.unpack).rglob("*") if it.is_file())
            print(f"  {file.unpack}: {count:,} files from {file.name}")


def _fetch(file: RemoteFile, folder: Path, session: "requests.Session", retry: Retry) -> Path:
    """Fetch one file from the first mirror that delivers it."""
    path, part = folder / file.name, folder / f"{file.name}.part"
    if path.is_file() and path.stat().st_size == file.size and _sha256(path) == file.sha256:
        part.unlink(missing_ok=True)
        print(f"  {file.name}: already there")
        return path
    failures = []
    for url in file.urls:
        try:
            _Transfer(url, file, part, session, retry).run()
        except _Failed as failure:
            failures.append(failure)
            continue
        if file.unpack:  # what was unpacked from the file that this one replaces
            shutil.rmtree(folder / file.unpack, ignore_errors=True)
        part.replace(path)
        print(f"  {file.name}: {file.size:,} bytes from {url.host}")
        return path
    there = f" (there is another file of {path.stat().st_size} bytes)" if path.exists() else ""
    reasons = "; ".join(map(str, failures))
    remedies = " or ".join(dict.fromkeys(failure.remedy for failure in failures))
    kind = TemporaryError if any(failure.again for failure in failures) else PenstockError
    raise kind(
        f"{path}: not downloaded{there}: {reasons}; expected {file.size} bytes; {remedies}, "
        f"or place the file yourself at {path} (sha256 {file.sha256})"
    )


@dataclass
class _Transfer:
    """One file from one mirror, through its .part file."""

    url: HttpUrl
    file: RemoteFile
    part: Path
    session: "requests.Session"
    retry: Retry

    def run(self) -> None:
        """Complete the .part file and verify it, in several attempts."""
        for attempt in range(self.retry.attempts):
            try:
                return self._attempt()
            except _Failed as failure:
                if not failure.again or attempt + 1 == self.retry.attempts:
                    raise
            time.sleep(self.retry.delay * 2**attempt)

    def _attempt(self) -> None:
        if (kept := self._kept()) > self.file.size:
            self.part.unlink()
        offset = kept if kept == self.file.size else self._request()
        if (found := _sha256(self.part)) != self.file.sha256:
            self.part.unlink()
            # A mirror that added to bytes of an earlier attempt has not had its own try yet.
            reason = f"{self.url} gives a file with sha256 {found}"
            raise _Failed(reason, "correct the catalogue", again=offset > 0)

    def _kept(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _request(self) -> int:
        """Request what the .part file lacks; return the offset that was written from."""
        import requests
        from urllib3.exceptions import HTTPError, ReadTimeoutError

        url, patience = str(self.url), self.retry.read
        headers = {"Range": f"bytes={kept}-"} if (kept := self._kept()) else {}
        timeout = (self.retry.connect, patience)
        try:
            with self.session.get(url, headers=headers, stream=True, timeout=timeout) as response:
                offset = self._offset(response)
                self._write(response, offset)
        except (requests.ReadTimeout, ReadTimeoutError):
            problem = f"stalls for {patience:g} s"
        except requests.ConnectionError as error:
            # What happened is two layers down; those above repeat the address.
            cause = getattr(error.args[0], "reason", error) if error.args else error
            reason = f"cannot reach {self.url.host} ({cause.__cause__ or cause})"
            raise _Failed(reason, "check the network", again=True) from None
        except requests.RequestException as error:
            raise _Failed(f"{url}: {error}", "correct the URL in the catalogue") from None
        except HTTPError:
            problem = "breaks off"
        else:
            if self._kept() == self.file.size:
                return offset
            problem = "ends"
        reason = f"{url} {problem} after {self._kept()} of {self.file.size} bytes"
        raise _Failed(reason, again=True)

    def _offset(self, response: "requests.Response") -> int:
        """Where in the file a response begins; refuses one that cannot be of the file."""
        status, headers, kept = response.status_code, response.headers, self._kept()
        offset = 0
        if status == 206:
            given = headers.get("Content-Range", "")
            match = re.fullmatch(r"bytes (\d+)-\d+/(?:\d+|\*)", given)
            offset = int(match[1]) if match else -1
        if status == 416 or offset not in (0, kept):
            self.part.unlink(missing_ok=True)  # the next attempt asks for the whole file
            reason = f"{self.url} does not continue at byte {kept} (answers {status})"
            raise _Failed(reason, again=True)
        if status not in (200, 206):
            passing = status in PASSING
            remedy = "try again later" if passing else "correct the URL in the catalogue"
            raise _Failed(f"{self.url} answers {status} {response.reason}", remedy, again=passing)
        # Refused by their headers, so that bytes of another file never join those in .part.
        if "text/html" in headers.get("Content-Type", "") and not self.file.name.endswith("html"):
            reason = f"{self.url} answers with a web page"
            raise _Failed(reason, "open that address in a browser")
        length = headers.get("Content-Length", "")
        if length.isdecimal() and (announced := offset + int(length)) != self.file.size:
            reason = f"{self.url} announces a file of {announced} bytes"
            raise _Failed(reason, "correct the catalogue")
        return offset

    def _write(self, response: "requests.Response", offset: int) -> None:
        """Write a body as sent, as it arrives, and no byte beyond the file's size."""
        from tqdm import tqdm

        total, patience = self.file.size, self.retry.read
        bar = tqdm(total=total, initial=offset, unit="B", unit_scale=True, leave=False,
                   desc=self.file.name, disable=not sys.stderr.isatty())  # fmt: skip
        size = mark = offset
        due = time.monotonic() + patience
        with self.part.open("ab" if offset else "wb") as out, bar:
            # read1 returns what has arrived; read would lose it when the rest of it stalls
            while piece := response.raw.read1(min(CHUNK, total - size), decode_content=False):
                out.write(piece)
                out.flush()  # so that a killed process loses nothing
                size += len(piece)
                bar.update(len(piece))
                if time.monotonic() > due:
                    if size - mark < SLOWEST * patience:
                        raise _Failed(f"{self.url} slows to a trickle", again=True)
                    mark, due = size, time.monotonic() + patience


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
