"""What kind of image some bytes are, by their first bytes."""

from __future__ import annotations

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"GIF", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II\xbc", "image/vnd.ms-photo"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"gimp xcf", "image/x-xcf"),
)
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
}

SUFFIXES = frozenset(
    {
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".webp",
        ".bmp",
        ".tif",
        ".tiff",
        ".ico",
        ".heic",
        ".avif",
        ".jp2",
        ".svg",
        ".psd",
    }
)


def guess(content: bytes) -> str | None:
    """``image/png`` and so on, or None where the bytes are no image we know."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        # An animation says so before its first picture.
        return "image/apng" if b"acTL" in content[: max(content.find(b"IDAT"), 0)] else "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[:4] in {b"II*\x00", b"MM\x00*"}:
        return "image/x-canon-cr2" if content[8:10] == b"CR" else "image/tiff"
    if content[4:8] == b"ftyp":
        return _BRANDS.get(content[8:12])
    for start, mime in _STARTS:
        if content.startswith(start):
            return mime
    return None
