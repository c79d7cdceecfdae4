"""The pictures in the manual are those that the examples give now."""

from pathlib import Path

import pytest

from penstock.drawing.scene import scene_of
from penstock.drawing.svg import svg
from penstock.frontends.load import load

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "pictures").glob("*.svg")), ids=lambda path: path.stem)
def test_picture_in_the_manual_is_up_to_date(picture):
    drawn = svg(scene_of(load(ROOT / "examples" / picture.stem)))
    assert picture.read_text(encoding="utf-8") == drawn, f"penstock flow show examples/{picture.stem} -o {picture}"
