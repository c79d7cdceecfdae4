import struct

import pytest

from penstock.prompts.image_size import image_size

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + b"\x08\x06"
GIF = b"GIF89a" + struct.pack("<HH", 3, 4)
BMP = b"BM" + bytes(16) + struct.pack("<ii", 7, -8)
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08" + struct.pack(">HH", 200, 300) + bytes(20)
VP8X = b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + (99).to_bytes(3, "little") + (49).to_bytes(3, "little")
VP8L = b"RIFF\0\0\0\0WEBPVP8L" + bytes(4) + b"\x2f" + struct.pack("<I", (10 - 1) | (20 - 1) << 14)
VP8 = b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + struct.pack("<HH", 30, 40)


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (PNG, (640, 480)),
        (GIF, (3, 4)),
        (BMP, (7, 8)),
        (JPEG, (300, 200)),
        (VP8X, (100, 50)),
        (VP8L, (10, 20)),
        (VP8, (30, 40)),
        (b"", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"\xff\xd8\xff\xe0\x00\x00" + bytes(12), None),
        (b"text", None),
    ],
)
def test_a_picture_tells_its_size(content, size):
    assert image_size(content) == size
