"""Archives that were downloaded: unpacked into a folder, and nowhere else."""

import gzip
import lzma
import shutil
import sys
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from ..messages.errors import PenstockError

MOST_FILES = 2_000_000
GROWTH = 200  # times its size that an archive may unpack to
# The last three: of a file and a folder that have one name.
DAMAGED = (
    *(tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile),
    *(FileExistsError, NotADirectoryError, IsADirectoryError),
)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar file, compressed or not; the folder gets its name when it is whole.

    Nothing but files and folders within it is taken: a member that leads out of the folder, a link
    or a device ends it, and so does more than an honest archive of its size can hold.

    Raises:
        PenstockError: damaged, or not to be trusted.
    """
    from tqdm import tqdm

    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    room = GROWTH * archive.stat().st_size
    try:
        with tarfile.open(archive) as members:
            bar = tqdm(members, unit="file", leave=False, disable=not sys.stderr.isatty())
            for number, member in enumerate(bar, 1):
                room -= member.size
                if room < 0 or number > MOST_FILES:
                    raise PenstockError(
                        f"{archive}: unpacks to more than {GROWTH} times its size or "
                        f"{MOST_FILES:,} files; expected less; do not trust it"
                    )
                _write(archive, members, member, partial)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    except DAMAGED as error:
        raise PenstockError(
            f"{archive}: cannot be unpacked into {folder} ({' '.join(str(error).split())}); "
            "expected a tar file that stays within its folder; remove it and download it again"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(archive: Path, members: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    # tarfile's own filters came with Python 3.11.4 only.
    if member.isdir():
        return
    path = PurePosixPath(member.name)
    content = members.extractfile(member) if member.isfile() else None
    if content is None or path.is_absolute() or ".." in path.parts:
        raise PenstockError(
            f"{archive}: cannot be unpacked: it holds {member.name!r}, which is no file within its "
            "folder; do not trust it"
        )
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("wb") as out:
        shutil.copyfileobj(content, out)
