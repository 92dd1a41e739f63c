"""A caption into a photo's description: a copy of the file with other metadata, the same pixels.

Only the metadata's own parts of a file are written anew. What holds the pixels is copied byte by
byte, so that nothing is encoded a second time.
"""

import struct
import zlib
from collections.abc import Iterator

from captioner.serving.limits import RefusedError
from captioner.serving.metadata import describe_exif, describe_xmp

EXIF = b"Exif\x00\x00"
XMP = b"http://ns.adobe.com/xap/1.0/\x00"
PNG = b"\x89PNG\r\n\x1a\n"
PNG_XMP = b"XML:com.adobe.xmp"
PNG_TEXT = b"Description"
"""Keyword that the PNG specification names for descriptions."""
APP0, APP1, SCAN, END = 0xE0, 0xE1, 0xDA, 0xD9
LONGEST = 65_533
"""Bytes of a JPEG segment."""


def describe(data: bytes, text: str) -> bytes:
    """The file with a description: EXIF and XMP in a JPEG, a text and XMP in a PNG.

    Args:
        data: A JPEG or PNG file.
        text: The description; control characters count as spaces.

    Raises:
        RefusedError: 415 another kind of file, 422 damaged, or no text.
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if not text:
        raise RefusedError(422, "caption: nothing to write into the photo")
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _describe_jpeg(data, text)
        if data.startswith(PNG):
            return _describe_png(data, text)
    except (IndexError, struct.error, zlib.error):
        raise RefusedError(422, "the photo is damaged or cut short") from None
    raise RefusedError(
        415, "only JPEG and PNG files take a description; save the photo as one of them"
    )


def _describe_jpeg(data: bytes, text: str) -> bytes:
    segments, rest = _segments(data)
    exif = next((body for mark, body in segments if mark == APP1 and body.startswith(EXIF)), None)
    xmp = next((body for mark, body in segments if mark == APP1 and body.startswith(XMP)), None)
    new = [
        EXIF + describe_exif(exif and exif[len(EXIF) :], text),
        XMP + describe_xmp(xmp and xmp[len(XMP) :], text),
    ]
    if any(len(body) > LONGEST for body in new):
        raise RefusedError(422, "the photo's metadata leave no room for a description")
    kept = [(mark, body) for mark, body in segments if not (mark == APP1 and body in (exif, xmp))]
    first = [part for part in kept[:1] if part[0] == APP0]  # JFIF wants to be the first
    parts = [*first, *((APP1, body) for body in new), *kept[len(first) :]]
    written = (bytes((0xFF, mark)) + struct.pack(">H", len(b) + 2) + b for mark, b in parts)
    return data[:2] + b"".join(written) + rest


def _segments(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Marks and bodies of the segments before the first scan, and all from there on."""
    found: list[tuple[int, bytes]] = []
    place = 2
    while True:
        if data[place] != 0xFF:
            raise IndexError
        while data[place + 1] == 0xFF:  # padding
            place += 1
        mark = data[place + 1]
        if mark in (SCAN, END):
            return found, data[place:]
        (length,) = struct.unpack_from(">H", data, place + 2)
        body = data[place + 4 : place + 2 + length]
        if length < 2 or len(body) != length - 2:
            raise IndexError
        found.append((mark, body))
        place += 2 + length


def _describe_png(data: bytes, text: str) -> bytes:
    chunks = list(_chunks(data))
    if not chunks or chunks[0][0] != b"IHDR":
        raise IndexError
    packets = [_text_of(body) for kind, body in chunks if _keyword(kind, body) == PNG_XMP]
    new = [
        (b"iTXt", _international(PNG_TEXT, text.encode())),
        (b"iTXt", _international(PNG_XMP, describe_xmp(packets[0] if packets else None, text))),
    ]
    kept = [part for part in chunks if _keyword(*part) not in (PNG_TEXT, PNG_XMP)]
    parts = [kept[0], *new, *kept[1:]]
    return PNG + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(PNG)
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        if len(body) != length:
            raise IndexError
        yield kind, body
        if kind == b"IEND":
            return
        place += 12 + length


def _keyword(kind: bytes, body: bytes) -> bytes | None:
    """Of a chunk with text, None for others."""
    return body.partition(b"\x00")[0] if kind in (b"tEXt", b"zTXt", b"iTXt") else None


def _international(keyword: bytes, text: bytes) -> bytes:
    """Body of an iTXt chunk, not compressed, in no language in particular."""
    return keyword + b"\x00\x00\x00\x00\x00" + text


def _text_of(body: bytes) -> bytes:
    """The text in the body of an iTXt chunk.

    >>> _text_of(_international(b"Description", b"a dog"))
    b'a dog'
    """
    rest = body.partition(b"\x00")[2]
    compressed, rest = rest[0], rest[2:]
    text = rest.split(b"\x00", 2)[2]
    if not compressed:
        return text
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(text, LONGEST * 16)  # a small chunk may unpack to any size
    if unpacker.unconsumed_tail:
        raise IndexError
    return text
