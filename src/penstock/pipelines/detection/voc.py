"""Pascal VOC: an XML file for each image."""

from xml.etree import ElementTree

from .annotations import Annotations, Box, Files, numbers

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(files: Files) -> Annotations:
    """Read every XML file; corners are taken as edges in pixels, as most tools write them."""
    found = Annotations()
    for path in files.ending(".xml"):
        try:
            root = _parse(files.read(path))
        except ValueError as error:
            found.reject(path, str(error))
            continue
        image = files.beside(path) or files.named(root.findtext("filename") or "")
        if image is None:
            found.reject(path, "no image of that name")
        elif image in found.boxes:
            found.reject(path, f"a second annotation of {image}")
        else:
            _read_image(root, image, path, found)
    return found


def _parse(content: bytes) -> ElementTree.Element:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("XML that defines entities, which annotations need not; remove them")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"damaged XML: {error}") from None
    if root.tag != "annotation":
        raise ValueError(f"XML of {root.tag}; expected annotation")
    return root


def _read_image(root: ElementTree.Element, image: str, path: str, found: Annotations) -> None:
    boxes = found.boxes[image]
    try:
        width, height = numbers(root.findtext(f"size/{it}") for it in ("width", "height"))
    except ValueError:
        width = height = 0
    if width > 0 and height > 0:  # some tools write 0
        found.sizes[image] = int(width), int(height)
    for number, node in enumerate(root.iter("object"), 1):
        name = (node.findtext("name") or "").strip()
        try:
            corners = numbers(node.findtext(f"bndbox/{it}") for it in CORNERS)
        except ValueError as error:
            found.reject(f"{path}: object {number} ({name})", f"a corner is {error}")
            continue
        difficult = (node.findtext("difficult") or "").strip() == "1"
        boxes.append(Box(name, (corners[0], corners[1], corners[2], corners[3]), difficult))
