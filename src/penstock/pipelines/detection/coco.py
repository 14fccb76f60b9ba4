"""COCO: one JSON file for many images."""

import json
from pathlib import PurePosixPath
from typing import Any

from ...messages.errors import PenstockError
from .annotations import Annotations, Box, Files, numbers, split_words


def read_coco(files: Files) -> Annotations:
    """Read every JSON file that lists images; a box is left, top, width, height in pixels.

    Raises:
        PenstockError: a file is damaged, or an image is listed in two files.
    """
    found = Annotations()
    for path in files.ending(".json"):
        try:
            content = json.loads(files.read(path))
        except ValueError as error:
            raise PenstockError(
                f"{files.source / path}: damaged JSON: {error}; expected COCO's; mend it"
            ) from None
        if isinstance(content, dict) and isinstance(content.get("images"), list):
            _read_list(content, path, files, found)
        else:
            found.reject(path, "JSON without a list of images; expected COCO's")
    return found


def _read_list(content: dict[str, Any], path: str, files: Files, found: Annotations) -> None:
    folder, split = PurePosixPath(path).parent.as_posix(), split_words(path)
    image_of: dict[Any, str] = {}
    for entry in content["images"]:
        listed = str(entry.get("file_name", ""))
        image = files.named(listed, folder)
        if image is None:
            found.reject(f"{path}: {listed}", "listed, and not there, or under several folders")
            continue
        if image in found.boxes:
            raise PenstockError(
                f"{files.source / path}: {image} is listed twice; expected each image once; "
                "remove one"
            )
        image_of[entry.get("id")] = image
        found.boxes[image] = []
        if entry.get("width") and entry.get("height"):
            found.sizes[image] = int(entry["width"]), int(entry["height"])
        if split:
            found.splits[image] = split
    names = {it.get("id"): str(it.get("name", "")) for it in content.get("categories", ())}
    for entry in content.get("annotations", ()):
        label = f"{path}: annotation {entry.get('id')}"
        try:
            left, top, width, height = numbers(entry.get("bbox") or (None,) * 4)
        except ValueError as error:
            found.reject(label, f"no box: {error}")
            continue
        of, name = image_of.get(entry.get("image_id")), names.get(entry.get("category_id"))
        if of is None or name is None:
            lacking = "image" if of is None else "category"
            found.reject(label, f"{lacking} {entry.get(f'{lacking}_id')} is not listed")
            continue
        corners = (left, top, left + width, top + height)
        found.boxes[of].append(Box(name, corners, bool(entry.get("iscrowd"))))
