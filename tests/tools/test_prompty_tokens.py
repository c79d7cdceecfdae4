import struct
import sys
import types

import pytest

from penstock.prompts.image import Image
from penstock.prompts.prompty_read import read_prompty
from penstock.prompts.prompty_render import Rendering
from penstock.tools.prompty_tokens import count_tokens


@pytest.fixture
def prompty(tmp_path):
    (tmp_path / "x.prompty").write_text("---\nmodel: gpt-4o\n---\nuser:\nhi\n")
    return read_prompty(tmp_path / "x.prompty", {})


def png(width, height):
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return Image(content, "image/png").to_base64(with_type=True)


@pytest.mark.parametrize(
    ("url", "tokens"),
    [
        (png(100, 100), 85 + 170),
        (png(512, 513), 85 + 2 * 170),
        (png(1024, 1024), 85 + 4 * 170),
        (png(4096, 1024), 85 + 4 * 170),
        (png(1024, 4096), 85 + 4 * 170),
        ("https://example.org/a.png", 765),
        ("data:image/png;base64,!!", 765),
    ],
)
def test_pictures_count_by_their_tiles(prompty, url, tokens):
    said = [{"type": "text", "text": "1234"}, {"type": "image_url", "image_url": {"url": url}}, {"type": "other"}]
    rendering = Rendering({}, [{"role": "user", "name": "Bob", "content": said}])
    # 3 to begin the answer, 3 for the message, 1 each for role, name and text, 1 more for having a name.
    assert count_tokens(prompty, rendering, exact=False) == 3 + 3 + 1 + 2 + 1 + tokens


def test_tiktoken_counts_where_it_is_there(prompty, monkeypatch, caplog):
    class Encoding:
        @staticmethod
        def encode(text, disallowed_special):
            return text.split()

    def unknown(model):
        raise KeyError(model)

    fake = types.SimpleNamespace(encoding_for_model=lambda model: Encoding, get_encoding=lambda name: Encoding)
    monkeypatch.setitem(sys.modules, "tiktoken", fake)
    rendering = Rendering({}, text="one two three")
    assert count_tokens(prompty, rendering, exact=True) == 3
    fake.encoding_for_model = unknown
    assert count_tokens(prompty, rendering, exact=True) == 3
    fake.get_encoding = unknown
    assert count_tokens(prompty, rendering, exact=True) == 4
    assert "tiktoken cannot be used" in caplog.text
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    assert count_tokens(prompty, rendering, exact=True) == 4
    assert "tiktoken is not installed" in caplog.text
