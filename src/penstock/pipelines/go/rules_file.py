"""rules.yaml: what is played in a source."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...kinds.folders.yaml_text import parse_yaml
from ...kinds.games.position import Rules
from ...messages.errors import PenstockError
from ...settings.sections import Section

FILE = "rules.yaml"
MOST_BYTES = 2**16


class _File(Section):
    size: int = 9
    komi: float = 7.5
    superko: bool = True


def read_rules(file: Path) -> Rules:
    """Read size, komi and superko.

    Raises:
        PenstockError: no such file, or what stands there makes no game.
    """
    if not file.is_file():
        raise PenstockError(f"{file}: nothing there; expected size: 9 and komi: 7.5, say; add it")
    try:
        content = file.read_bytes()[: MOST_BYTES + 1]
        if len(content) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES:,} bytes")
        known = _File.model_validate(parse_yaml(content) or {})
        komi = known.komi
        if not abs(komi) <= 400 or komi * 2 != int(komi * 2):
            raise ValueError(f"komi {komi:g}: expected a whole or half number of points")
        return Rules(known.size, komi, known.superko)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or FILE
        raise PenstockError(
            f"{file}: {where}: {first['msg']}; expected size, komi and superko"
        ) from None
    except ValueError as error:
        told = " ".join(str(error).split())[:200]
        raise PenstockError(f"{file}: {told}; expected size: 9 and komi: 7.5, say") from None


def rules_of(info: dict[str, Any]) -> Rules:
    """The rules that a dataset was made with."""
    return Rules(info["size"], info["komi"], info["superko"])
