"""Captions in the metadata of files: read back by others, with everything else as it was."""

import io
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from captioner.serving.descriptions import EXIF, XMP, describe
from captioner.serving.limits import RefusedError
from captioner.serving.metadata import DC, RDF, describe_exif, describe_xmp
from serving_clients import picture

CAPTION = "Ein Hündchen & <eine> Katze 犬"
ORIENTATION, ARTIST, DESCRIPTION, CAMERA, GPS = 0x0112, 0x013B, 0x010E, 0x8769, 0x8825
OLD_XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/>
<rdf:Description rdf:about="" xmlns:dc="{DC}"><dc:description><rdf:Alt>
<rdf:li xml:lang="x-default">old</rdf:li><rdf:li xml:lang="de">alt</rdf:li></rdf:Alt>
</dc:description><dc:creator><rdf:Seq><rdf:li>Ada</rdf:li></rdf:Seq></dc:creator>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>""".encode()


def exif(order: str = "<") -> bytes:
    """With what cameras write: other entries, tables within tables, notes, an old description."""
    made = Image.Exif()
    made.endian = order
    made[ORIENTATION], made[ARTIST], made[DESCRIPTION] = 6, "Ada", "OLYMPUS DIGITAL CAMERA"
    made.get_ifd(CAMERA)[0x9003] = "2020:01:02 03:04:05"
    made.get_ifd(CAMERA)[0x927C] = b"a camera's own notes"
    made.get_ifd(GPS)[1] = "N"
    return made.tobytes()


def xmp_of(image: Image.Image) -> bytes:
    found = image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode()
    return found


def descriptions(packet: bytes) -> list[tuple[str | None, str | None]]:
    root = ElementTree.fromstring(packet.decode("utf-8-sig").strip("\x00"))
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    items = root.findall(f".//{{{DC}}}description/{{{RDF}}}Alt/{{{RDF}}}li")
    return [(item.get(language), item.text) for item in items]


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGBA"))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_jpeg_keeps_all_but_its_description(order: str) -> None:
    photo = picture(1, exif=exif(order), xmp=OLD_XMP, dpi=(300, 300), comment=b"a comment",
                    icc_profile=b"not a profile")  # fmt: skip
    written = describe(photo, CAPTION)
    assert (pixels(written) == pixels(photo)).all()
    scan = photo.index(b"\xff\xda")
    assert written.endswith(photo[scan:])  # not encoded again
    before, after = Image.open(io.BytesIO(photo)), Image.open(io.BytesIO(written))
    for key in ("dpi", "comment", "icc_profile", "jfif_version"):
        assert after.info[key] == before.info[key]
    old, new = before.getexif(), after.getexif()
    assert new[DESCRIPTION].encode("latin-1").decode() == CAPTION
    assert {**new, DESCRIPTION: 0} == {**old, DESCRIPTION: 0}
    for table in (CAMERA, GPS):
        assert new.get_ifd(table) == old.get_ifd(table) != {}
    assert descriptions(xmp_of(after)) == [("x-default", CAPTION)]
    assert b"Ada" in xmp_of(after)
    assert b'xmp:Rating="4"' in xmp_of(after)
    again = describe(written, "a dog")
    assert Image.open(io.BytesIO(again)).getexif()[DESCRIPTION] == "a dog"
    assert again.count(XMP) == again.count(EXIF) == 1
    assert (pixels(again) == pixels(photo)).all()


def test_a_jpeg_without_any_metadata() -> None:
    photo = picture(2)
    written = describe(photo, "a dog")
    with Image.open(io.BytesIO(written)) as image:
        image.load()
        assert dict(image.getexif()) == {DESCRIPTION: "a dog"}
        assert descriptions(xmp_of(image)) == [("x-default", "a dog")]
    assert (pixels(written) == pixels(photo)).all()
    assert written[:4] == b"\xff\xd8\xff\xe0"  # JFIF stays the first
    short = describe(photo, "dog")  # so short that it stands in the entry itself
    assert Image.open(io.BytesIO(short)).getexif()[DESCRIPTION] == "dog"


def test_the_small_preview_of_a_camera_stays() -> None:
    """It is in a second table, which others lose when they write the first one anew."""
    tag = struct.pack("<HHII", 0x0201, 4, 1, 44)  # JPEGInterchangeFormat: where it is
    block = (
        b"II*\x00" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", ORIENTATION, 3, 1, 1)
        + struct.pack("<I", 26) + struct.pack("<H", 1) + tag + struct.pack("<I", 0) + b"preview"
    )  # fmt: skip
    written = describe_exif(block, "a dog")
    assert written[8 : len(block)] == block[8:]
    info = TiffImagePlugin.ImageFileDirectory_v2(written[:8])
    file = io.BytesIO(written)
    file.seek(info.next)
    info.load(file)
    assert dict(info) == {ORIENTATION: 1, DESCRIPTION: "a dog"}
    assert info.next == 26
    assert written[44:51] == b"preview"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "I;16"])
def test_a_png_keeps_all_but_its_description(mode: str) -> None:
    image = Image.linear_gradient("L").resize((20, 10))
    image = image.convert("I").convert(mode) if mode == "I;16" else image.convert(mode)
    file = io.BytesIO()
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Author", "Ada")
    info.add_text("Description", "old")
    info.add_itxt("XML:com.adobe.xmp", OLD_XMP.decode(), zip=True)
    image.save(file, "PNG", pnginfo=info, dpi=(300, 300))
    photo = file.getvalue()
    for _ in range(2):
        written = describe(photo, CAPTION)
        with Image.open(io.BytesIO(written)) as after:
            after.load()
            assert after.text["Description"] == CAPTION
            assert after.text["Author"] == "Ada"
            assert descriptions(xmp_of(after)) == [("x-default", CAPTION)]
            assert b'xmp:Rating="4"' in xmp_of(after)
        assert (pixels(written) == pixels(photo)).all()
        assert written.count(b"Description\x00") == 1
        photo = written


def test_text_is_one_line() -> None:
    written = describe(picture(0), " a\ndog\x00 \x1b[31m runs ")
    assert Image.open(io.BytesIO(written)).getexif()[DESCRIPTION] == "a dog [31m runs"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


BOMB = b"XML:com.adobe.xmp\x00\x01\x00\x00\x00" + zlib.compress(bytes(30_000_000))
ENTITIES = b'<!DOCTYPE a [<!ENTITY x "y">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&x;</x:xmpmeta>'


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 415),
        (b"no photo", 415),
        (picture(0, "WEBP"), 415),
        (picture(0)[:30], 422),
        (picture(0)[:2] + b"\xff\xe1\x00\x00" + picture(0)[2:], 422),
        (picture(0, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff"), 422),
        (picture(0, exif=b"Exif\x00\x00XX*\x00\x08\x00\x00\x00"), 422),
        (picture(0, xmp=ENTITIES), 422),
        (picture(0, xmp=b"<not xml"), 422),
        (picture(0, exif=exif() + bytes(65_300)), 422),
        (picture(0, "PNG")[:40], 422),
        (picture(0, "PNG")[:33] + chunk(b"iTXt", BOMB) + picture(0, "PNG")[33:], 422),
    ],
)
def test_what_cannot_be_written_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(RefusedError) as told:
        describe(data, "a dog")
    assert told.value.status == status


def test_packets_in_other_shapes() -> None:
    bare = f'<rdf:RDF xmlns:rdf="{RDF}"/>'.encode()
    assert descriptions(describe_xmp(bare, "a dog")) == [("x-default", "a dog")]
    short = (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description '
        f'rdf:about="" xmlns:dc="{DC}" dc:description="old"/></rdf:RDF></x:xmpmeta>'
    )
    written = describe_xmp(short.encode(), "a dog")
    assert descriptions(written) == [("x-default", "a dog")]
    assert b"old" not in written
