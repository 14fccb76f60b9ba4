"""Lists beside the files of a source: CSV with a row for each file, its mistakes named by line."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from ...messages.errors import PenstockError, raise_if_temporary

FILE = "file"
GROUP_COLUMNS = ("group", "patient", "slide", "source_tile", "speaker")

# The header -> the columns that are read; raises ValueError with what is missing.
Choose = Callable[[list[str]], tuple[str, ...]]


def read_listing(file: Path, choose: Choose) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and values of each row; a file is a path within the list's folder.

    Raises:
        PenstockError: unreadable, a column or a value missing, or a path that leads out.
    """
    reader = csv.DictReader(io.StringIO(_text(file), newline=""), strict=True)
    try:
        header = list(reader.fieldnames or [])
        columns = choose(header)
        for row in reader:
            line = reader.line_num
            values = {name: (row[name] or "").strip() for name in columns}
            for name, value in values.items():
                if not value:
                    raise PenstockError(
                        f"{file}: line {line}: no value in column {name}; expected "
                        f"{' and '.join(columns)} in each line; add it"
                    )
            yield line, values | {FILE: _within(file, line, values[FILE])}
    except csv.Error as error:
        raise PenstockError(
            f"{file}: line {reader.reader.line_num}: {error}; expected CSV; mend it"
        ) from None
    except ValueError as error:
        raise PenstockError(f"{file}: line 1: {error}; add it") from None


def _within(file: Path, line: int, name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise PenstockError(
            f"{file}: line {line}: file is {name}; expected a path within {file.parent.name}/; "
            "make it relative to that folder"
        )
    return path.as_posix()


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PenstockError(
            f"{file}: line {line}: not UTF-8; expected a CSV file in UTF-8; save it as one"
        ) from None
    except OSError as error:
        raise_if_temporary(error, file)
        raise PenstockError(
            f"{file}: cannot be read ({error.strerror}); expected a readable CSV file; "
            "check its permissions"
        ) from None
