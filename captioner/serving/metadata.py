"""A caption in the metadata of a picture: the block of EXIF, and the packet of XMP.

Nothing else in them is touched. In EXIF the new table of entries goes to the end, so that all that
others point to, such as a camera's own notes or the small preview, stays where it is.
"""

import struct
from io import StringIO
from xml.etree import ElementTree

from captioner.serving.limits import RefusedError

DESCRIPTION = 0x010E
"""Tag of ImageDescription (Exif 2.32, 4.6.4)."""
ASCII = 2
ENTRY = 12
"""Bytes of an entry: tag, type, count, value or where it is."""

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
XML = "http://www.w3.org/XML/1998/namespace"
META = "adobe:ns:meta/"
EMPTY = f'<x:xmpmeta xmlns:x="{META}"><rdf:RDF xmlns:rdf="{RDF}"/></x:xmpmeta>'
OPENED = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
CLOSED = '<?xpacket end="w"?>'


def describe_exif(block: bytes | None, text: str) -> bytes:
    """An EXIF block whose ImageDescription is `text`, in UTF-8.

    Args:
        block: TIFF header and tables, as they are in a picture; None where it has none.
        text: The description.

    Raises:
        RefusedError: 422, if the block is damaged.

    Example: the text is at the end.

        >>> describe_exif(None, "a dog")[-6:]
        b'a dog\\x00'
    """
    block = block or b"MM\x00*\x00\x00\x00\x08" + b"\x00" * 6
    try:
        order = {b"II*\x00": "<", b"MM\x00*": ">"}[block[:4]]
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        end = start + 2 + ENTRY * count
        entries = [block[i : i + ENTRY] for i in range(start + 2, end, ENTRY)]
        tags = [struct.unpack_from(order + "H", entry)[0] for entry in entries]
        after = block[end : end + 4]
        if len(after) != 4:
            raise IndexError
    except (KeyError, IndexError, struct.error):
        raise RefusedError(
            422, "the photo's EXIF block is damaged; remove it and try again"
        ) from None
    value = text.encode() + b"\x00"
    block += b"\x00" * (len(block) % 2)  # tables begin at even places
    kept = [(tag, e) for tag, e in zip(tags, entries, strict=True) if tag != DESCRIPTION]
    place = len(block) + 2 + ENTRY * (len(kept) + 1) + 4
    # A value of four bytes or less stands in the entry itself.
    told = value.ljust(4, b"\x00") if len(value) <= 4 else struct.pack(order + "I", place)
    own = struct.pack(order + "HHI", DESCRIPTION, ASCII, len(value)) + told
    table = b"".join(entry for _, entry in sorted([*kept, (DESCRIPTION, own)]))
    header = block[:4] + struct.pack(order + "I", len(block))
    number = struct.pack(order + "H", len(kept) + 1)
    return header + block[8:] + number + table + after + (value if len(value) > 4 else b"")


def describe_xmp(packet: bytes | None, text: str) -> bytes:
    """An XMP packet whose dc:description is `text`, and no other language's.

    Args:
        packet: As it is in a picture; None where it has none.
        text: The description.

    Raises:
        RefusedError: 422, if the packet cannot be read.
    """
    try:
        source = (packet or EMPTY.encode()).decode("utf-8-sig").strip("\x00 \r\n\t")
        if "<!" in source.replace("<!--", ""):  # no XMP defines entities; who does means harm
            raise ValueError("it defines a document type")
        for _, (prefix, name) in ElementTree.iterparse(StringIO(source), events=["start-ns"]):
            if not prefix.startswith("ns"):  # those are the library's own
                ElementTree.register_namespace(prefix, name)
        root = ElementTree.fromstring(source)
        rdf = root if root.tag == f"{{{RDF}}}RDF" else root.find(f"{{{RDF}}}RDF")
        if rdf is None:
            raise ValueError("it has no rdf:RDF")
    except (ElementTree.ParseError, ValueError) as error:
        raise RefusedError(
            422, f"the photo's XMP cannot be read ({error}); remove it first"
        ) from None
    for prefix, name in (("rdf", RDF), ("dc", DC), ("x", META)):
        ElementTree.register_namespace(prefix, name)
    tag = f"{{{DC}}}description"
    for description in rdf.findall(f"{{{RDF}}}Description"):
        for old in description.findall(tag):
            description.remove(old)
        description.attrib.pop(tag, None)
    about = rdf.find(f"{{{RDF}}}Description")
    if about is None:
        about = ElementTree.SubElement(rdf, f"{{{RDF}}}Description", {f"{{{RDF}}}about": ""})
    choice = ElementTree.SubElement(ElementTree.SubElement(about, tag), f"{{{RDF}}}Alt")
    item = ElementTree.SubElement(choice, f"{{{RDF}}}li", {f"{{{XML}}}lang": "x-default"})
    item.text = text
    inside = ElementTree.tostring(root, encoding="unicode")
    return f"{OPENED}\n{inside}\n{CLOSED}".encode()
