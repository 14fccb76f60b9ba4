"""YAML that others wrote."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


def parse_yaml(content: bytes | str) -> Any:
    """Parse YAML into mappings, lists, texts and numbers, and no other object.

    Not by the parser in C, which a file of 50,000 brackets crashes.

    Raises:
        ValueError: it is not valid, and why, in a few words.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, UnicodeDecodeError, RecursionError) as error:
        problem = getattr(error, "problem", None) or type(error).__name__
        raise ValueError(f"not valid YAML: {problem}") from None
