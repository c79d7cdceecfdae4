"""Images and annotated text as values of a flow: read from data in both message formats, written back to it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from penstock.errors import InputError, UsageError
from penstock.prompts import guard, mime

MAX_BYTES = 20_000_000  # what the large vision models take
_BASIC_KEY = re.compile(r"data:image/(.*);(path|base64|url)")
_DATA_URI = re.compile(r"data:(image/[^;,]*)(?:;[^;,]*)*;base64,")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_SHOWN = 80
# Of types whose files are not called like them.
_SUFFIXES = {"jpeg": ".jpg", "svg+xml": ".svg", "x-icon": ".ico", "vnd.microsoft.icon": ".ico"}


class PFBytes(bytes):
    """Bytes with a media type and, where they were fetched, their address."""

    def __new__(cls, value: bytes, *_args: Any, **_kwargs: Any) -> PFBytes:
        """The bytes alone; ``__init__`` keeps the rest."""
        return super().__new__(cls, value)

    def __init__(self, value: bytes, mime_type: str, source_url: str | None = None) -> None:
        super().__init__()
        self._hash = hashlib.sha1(value, usedforsecurity=False).hexdigest()[:8]
        self._mime_type = mime_type.lower()
        self._source_url = source_url

    @property
    def mime_type(self) -> str:
        """``image/png``, or ``image/*`` where it is not known."""
        return self._mime_type

    @property
    def source_url(self) -> str | None:
        """Where it was fetched from, if it was."""
        return self._source_url

    def to_base64(self, with_type: bool = False) -> str:
        """The content in base64; ``with_type`` makes it a data URI."""
        text = base64.b64encode(self).decode("ascii")
        return f"data:{self._mime_type};base64,{text}" if with_type else text


class Image(PFBytes):
    """An image. As text it is ``Image(<first 8 hex digits of its sha1>)``, never its content.

    Args:
        value: The file's bytes.
        mime_type: Taken from the content where it is not given.
        source_url: Where it came from.
    """

    def __init__(self, value: bytes, mime_type: str | None = None, source_url: str | None = None) -> None:
        super().__init__(value, mime_type or mime.guess(value) or "image/*", source_url)

    def __str__(self) -> str:
        return f"Image({self._hash})"

    __repr__ = __str__

    def serialize(self, encoder: Callable[[Image], Any] | None = None) -> Any:
        """What ``encoder`` makes of it, else its short text."""
        return str(self) if encoder is None else encoder(self)


class Text(str):
    """A text part of an ``openai-vision`` message, with its annotations."""

    _annotations: list[Any] | None

    def __new__(cls, value: str, annotations: list[Any] | None = None) -> Text:
        """A string with the annotations it came with."""
        made = super().__new__(cls, value)
        made._annotations = annotations
        return made

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Text:
        """From ``{"type": "text", "text": str | {"value": str, "annotations": list}}``."""
        text = data.get("text", "")
        if isinstance(text, dict):
            return cls(text.get("value", ""), text.get("annotations", []))
        return cls(text)

    def serialize(self) -> dict[str, Any]:
        """Back to the dict it was read from."""
        plain = str(self)
        text = plain if self._annotations is None else {"value": plain, "annotations": self._annotations}
        return {"type": "text", "text": text}


@dataclass(frozen=True, slots=True)
class ImageRules:
    """From where images may be read.

    Args:
        folders: Folders beside the one that relative paths start from whose files may be read.
        any_path: Any file that the process can read (a person's own command line, never a server).
        local_urls: Also addresses of this machine and its network.
        max_bytes: The most that one image may have.
        seconds: The most that one download may take.
        kept: Folder of what a run fetched; an address of which it has a copy is not asked again.
    """

    folders: tuple[Path, ...] = ()
    any_path: bool = False
    local_urls: bool = False
    max_bytes: int = MAX_BYTES
    seconds: float = 20.0
    kept: Path | None = None


OWN_FOLDER_ONLY = ImageRules()


def image_rules(table: Mapping[str, Any]) -> ImageRules:
    """The rules that the table ``[images]`` of ``penstock.toml`` sets: ``folders`` (a list) and ``local_urls``.

    Raises:
        UsageError: The table has another key, or a value of another kind.
    """
    odd = [key for key in table if key not in ("folders", "local_urls")]
    if odd:
        raise UsageError(f"penstock.toml: [images] has the unknown key {odd[0]!r}; there are folders and local_urls.")
    folders, local = table.get("folders", []), table.get("local_urls", False)
    if not isinstance(folders, list) or not all(isinstance(item, str) for item in folders):
        raise UsageError(f"penstock.toml: folders of [images] is a list of paths, not {folders!r}.")
    if not isinstance(local, bool):
        raise UsageError(f"penstock.toml: local_urls of [images] is true or false, not {local!r}.")
    return ImageRules(tuple(Path(item).expanduser().absolute() for item in folders), local_urls=local)


def load_images(value: Any, *, folder: Path, message_format: str = "basic", rules: ImageRules = OWN_FOLDER_ONLY) -> Any:
    """A copy of ``value`` in which every image dict, at any depth, is an ``Image`` (and every text dict a ``Text``).

    Args:
        value: Any JSON-like value.
        folder: What relative paths start from.
        message_format: ``basic``, i.e. ``{"data:image/png;path": "a.png"}``, or ``openai-vision``, i.e.
            ``{"type": "image_url", "image_url": {"url": …}}``.
        rules: From where images may be read.

    Raises:
        InputError: An image that cannot or must not be read, or an unknown format.
    """
    vision = _is_vision(message_format)
    return _load(value, Path(folder), vision, rules)


def _load(value: Any, folder: Path, vision: bool, rules: ImageRules) -> Any:
    if isinstance(value, list):
        return [_load(item, folder, vision, rules) for item in value]
    if not isinstance(value, dict):
        return value
    if vision:
        if _is_vision_image(value):
            return _from_vision(value, folder, rules)
        if _is_vision_text(value):
            return Text.deserialize(value)
    elif _is_basic_image(value):
        return _from_basic(value, folder, rules)
    return {key: _load(item, folder, vision, rules) for key, item in value.items()}


def to_image(value: Any, folder: Path, *, message_format: str = "basic", rules: ImageRules = OWN_FOLDER_ONLY) -> Any:
    """The value of an input of type image: an ``Image``, or a list of them for a list.

    A text is a file first where it looks like one and the file is there, then base64, then a URL, then a path.

    Raises:
        InputError: The value is no image, or one that cannot or must not be read.
    """
    folder = Path(folder)
    if isinstance(value, PFBytes):
        return value
    if isinstance(value, list):
        return [to_image(item, folder, message_format=message_format, rules=rules) for item in value]
    if isinstance(value, dict):
        if _is_vision(message_format):
            if _is_vision_image(value):
                return _from_vision(value, folder, rules)
            shape = '{"type": "image_url", "image_url": {"url": …}}'
        else:
            if _is_basic_image(value):
                return _from_basic(value, folder, rules)
            shape = '{"data:image/<type>;<path|base64|url>": …}'
        raise _invalid(
            f"An image given as a dict has the form {shape}; this one has the keys {sorted(map(str, value))}"
        )
    if isinstance(value, str):
        if not value:
            raise _invalid("An image input is empty")
        return _from_string(value, folder, rules)
    raise _invalid(f"An image is given as a string or a dict, not as {type(value).__name__}")


def dump_images(
    value: Any, save: Callable[[Image], str | dict[str, Any]] | None = None, *, message_format: str = "basic"
) -> Any:
    """A copy of ``value`` in which every ``Image`` is a dict of the message format again, ready for JSON.

    Args:
        value: Any value.
        save: Stores an image and returns its path (or the whole dict); not asked for images that came from a URL.
            Without it all images are written inline as base64.
        message_format: ``basic`` or ``openai-vision``.
    """
    vision = _is_vision(message_format)
    if isinstance(value, Image):
        return _dump(value, save, vision)
    if isinstance(value, Text) and vision:
        return value.serialize()
    if isinstance(value, (list, tuple)):
        return [dump_images(item, save, message_format=message_format) for item in value]
    if isinstance(value, dict):
        return {key: dump_images(item, save, message_format=message_format) for key, item in value.items()}
    return value


def stored_name(image: Image) -> str:
    """The name of the file that an image is stored as: by content, so that the same picture is one file whoever writes it."""
    return hashlib.sha1(bytes(image), usedforsecurity=False).hexdigest() + suffix_of(image)


def suffix_of(image: Image) -> str:
    """The file suffix an image is stored under: ``.png``, or ``.bin`` where its type is not known."""
    kind = image.mime_type.rpartition("/")[2]
    plain = kind.replace("-", "").replace(".", "").replace("+", "").isalnum()
    return _SUFFIXES.get(kind) or (f".{kind}" if plain else ".bin")


def reference(image: Image, message_format: str, path: str | None = None) -> dict[str, Any]:
    """The dict of the message format that stands for ``image``: its URL, else the file at ``path``, else its content."""
    vision = _is_vision(message_format)
    if image.source_url and path is None:
        if vision:
            return {"type": "image_url", "image_url": {"url": image.source_url}}
        return {f"data:{image.mime_type};url": image.source_url}
    if path is not None:
        return (
            {"type": "image_file", "image_file": {"path": path}} if vision else {f"data:{image.mime_type};path": path}
        )
    if vision:
        return {"type": "image_url", "image_url": {"url": image.to_base64(with_type=True)}}
    return {f"data:{image.mime_type};base64": image.to_base64()}


def stem_of(url: str) -> str:
    """The name, without its suffix, of the file in which a run keeps what it fetched from ``url``."""
    return "url-" + hashlib.sha1(url.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def kept_copy(url: str, folder: Path) -> Path | None:
    """The file below ``folder`` in which a run keeps what it fetched from ``url``."""
    return next(folder.glob(f"{stem_of(url)}.*"), None)


def _dump(image: Image, save: Callable[[Image], str | dict[str, Any]] | None, vision: bool) -> dict[str, Any]:
    style = "openai-vision" if vision else "basic"
    if save is None:
        inline = Image(bytes(image), image.mime_type)
        return reference(inline, style)
    if image.source_url:
        return reference(image, style)
    saved = save(image)
    return saved if isinstance(saved, dict) else reference(image, style, saved)


def _is_vision(message_format: str | None) -> bool:
    match (message_format or "basic").lower():
        case "basic":
            return False
        case "openai-vision":
            return True
        case _:
            raise InputError(
                f"The message format {message_format!r} is unknown; there are 'basic' and 'openai-vision'.",
                code="InvalidMessageFormatType",
            )


def _is_basic_image(value: dict[Any, Any]) -> bool:
    return len(value) == 1 and isinstance(key := next(iter(value)), str) and bool(_BASIC_KEY.fullmatch(key))


def _is_vision_image(value: dict[Any, Any]) -> bool:
    kind = value.get("type")
    if len(value) != 2 or not isinstance(kind, str) or not isinstance(value.get(kind), dict):
        return False
    return (kind == "image_url" and "url" in value[kind]) or (kind == "image_file" and "path" in value[kind])


def _is_vision_text(value: dict[Any, Any]) -> bool:
    if len(value) != 2 or value.get("type") != "text":
        return False
    text = value.get("text")
    return isinstance(text, str) or (isinstance(text, dict) and isinstance(text.get("value"), str))


def _from_basic(value: dict[str, Any], folder: Path, rules: ImageRules) -> Image:
    ((key, source),) = value.items()
    found = _BASIC_KEY.fullmatch(key)
    assert found is not None  # the caller checked it
    if not isinstance(source, str):
        raise _invalid(f"The value of {key!r} is a string, not {type(source).__name__}")
    mime_type = f"image/{found[1]}" if found[1] != "*" else None
    match found[2]:
        case "path":
            return _from_path(source, folder, rules, mime_type)
        case "url":
            return _from_url(source, rules, mime_type)
        case _:
            return _from_base64(source, rules, mime_type)


def _from_vision(value: dict[str, Any], folder: Path, rules: ImageRules) -> Image:
    if value["type"] == "image_file":
        return _from_path(str(value["image_file"]["path"]), folder, rules, None)
    url = str(value["image_url"]["url"])
    if _DATA_URI.match(url) or not _looks_like_url(url):
        return _from_base64(url, rules, None)
    return _from_url(url, rules, None)


def _from_string(value: str, folder: Path, rules: ImageRules) -> Image:
    if len(value) < 1024 and _looks_like_path(value) and _is_file(value, folder):
        return _from_path(value, folder, rules, None)
    if _DATA_URI.match(value) or (len(value) % 4 == 0 and _BASE64.fullmatch(value)):
        return _from_base64(value, rules, None)
    if _looks_like_url(value):
        return _from_url(value, rules, None)
    return _from_path(value, folder, rules, None)


def _from_base64(text: str, rules: ImageRules, mime_type: str | None) -> Image:
    prefix = _DATA_URI.match(text)
    body = text[prefix.end() :] if prefix else text
    if len(body) > rules.max_bytes * 4 // 3 + 4:
        raise _too_large("The base64 image", rules)
    try:
        content = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise _invalid(f"{_shorten(text)} is neither an image in base64 nor a URL") from None
    if mime_type is None and prefix and mime.guess(content) is None and prefix[1] != "image/*":
        mime_type = prefix[1]
    return Image(content, mime_type)


def _from_url(url: str, rules: ImageRules, mime_type: str | None) -> Image:
    copy = kept_copy(url, rules.kept) if rules.kept is not None else None
    if copy is not None:
        return Image(copy.read_bytes(), mime_type, url)
    try:
        content = guard.fetch(url, allow_local=rules.local_urls, max_bytes=rules.max_bytes, seconds=rules.seconds)
    except guard.FetchRefused as error:
        raise _invalid(f"The image at {_shorten(url)} was not fetched: {error}") from error
    return Image(content, mime_type, url)


def _from_path(text: str, folder: Path, rules: ImageRules, mime_type: str | None) -> Image:
    if "\0" in text:
        raise _invalid(f"The image path {_shorten(text)} has a zero byte")
    try:
        path = (folder / text).resolve()
        allowed = [folder.resolve(), *(other.resolve() for other in rules.folders)]
        if not rules.any_path and not any(path.is_relative_to(root) for root in allowed):
            raise _invalid(
                f"The image path {_shorten(text)} leads outside {', '.join(str(root) for root in allowed)}; "
                'put the file there, or allow its folder in penstock.toml: [images] folders = ["…"]'
            )
        if not path.is_file():
            raise _invalid(f"The image file {_shorten(text)} is not in {folder}")
        with path.open("rb") as file:
            content = file.read(rules.max_bytes + 1)
    except (OSError, RuntimeError, ValueError) as error:
        raise _invalid(
            f"The image file {_shorten(text)} cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}"
        ) from error
    if len(content) > rules.max_bytes:
        raise _too_large(f"The image file {_shorten(text)}", rules)
    return Image(content, mime_type)


def _looks_like_path(value: str) -> bool:
    return "/" in value or "\\" in value or Path(value).suffix.lower() in mime.SUFFIXES


def _is_file(value: str, folder: Path) -> bool:
    try:
        return (folder / value).is_file()
    except (OSError, ValueError):
        return False


def _looks_like_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def _invalid(sentence: str) -> InputError:
    return InputError(f"{sentence}.", code="InvalidImageInput")


def _too_large(what: str, rules: ImageRules) -> InputError:
    return _invalid(f"{what} is larger than {rules.max_bytes:,} bytes")


def _shorten(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
