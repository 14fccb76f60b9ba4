"""Raw data looked at before anything walks it: what cannot be read is named, with the remedy."""

import os
import re
import stat
from pathlib import Path

from ..messages.errors import PenstockError

DVC_CACHE = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?$")


def check_source(source: Path, pipeline: str) -> None:
    """Check that a source is there and can be read, without looking into it.

    Raises:
        PenstockError: missing, unreadable, or neither file nor folder.
    """
    if not source.exists():
        raise PenstockError(
            f"{source}: not found; set pipelines.{pipeline}.source in params.yaml to your data, "
            f"or make the sample: `penstock sample {pipeline}`"
        )
    _check_path(source)


def check_files(source: Path, links_out: bool = False) -> None:
    """Check that all below a source can be read, and that no link leads out of it.

    DVC walks the source before a stage sees it: it would stop at an unreadable file with an
    errno, follow a link to wherever it leads, and wait for ever on a pipe.

    Args:
        source: a file or a folder.
        links_out: leave links that lead out to ingest, which rejects them by name.

    Raises:
        PenstockError: unreadable, a broken link, a link out, neither file nor folder, or a name
            that is not UTF-8.
    """
    inside = source.resolve()
    pending = [source]
    while pending:
        path = pending.pop()
        linked = path != source and path.is_symlink()
        if linked:
            _check_link(path, inside, links_out)
        if _check_path(path) and not linked:  # what a link within names is looked at by itself
            pending.extend(path.iterdir())


def _check_path(path: Path) -> bool:
    """Check one path; answer whether it is a folder."""
    if not is_utf8(path.name):  # DVC ends in a traceback
        raise PenstockError(f"{path}: its name is not UTF-8, and DVC cannot track it; rename it")
    mode = path.stat().st_mode
    folder = stat.S_ISDIR(mode)
    if not (stat.S_ISREG(mode) or folder):
        raise PenstockError(
            f"{path}: neither a file nor a folder; expected files and folders only; remove it"
        )
    if not os.access(path, os.R_OK | (os.X_OK if folder else 0)):
        raise PenstockError(
            f"{path}: no permission to read it; expected a readable "
            f"{'folder' if folder else 'file'}; `chmod -R u+rX {path}` or ask its owner"
        )
    return folder


def is_utf8(name: str) -> bool:
    """Whether a file's name is text: Python reads other bytes as surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _check_link(link: Path, inside: Path, links_out: bool) -> None:
    if not link.exists():
        raise PenstockError(
            f"{link}: a broken link, to {link.readlink()}; expected what it names; "
            "restore that or remove the link"
        )
    if not links_out and leads_out(link, inside):
        raise PenstockError(
            f"{link}: a link out of the source, to {link.resolve()}; expected only files that lie "
            "in it; copy the file there, or set the source to the folder that has it"
        )


def leads_out(link: Path, inside: Path) -> bool:
    """Whether a link leads out of a resolved folder; into DVC's cache is no way out.

    What DVC checks out may be links into its cache.
    """
    target = link.resolve()
    return not target.is_relative_to(inside) and not DVC_CACHE.search(target.as_posix())
