"""Pictures made on the spot, for ``thumbnails.py`` to work on: hills under a sky, no two alike."""

from __future__ import annotations

import colorsys
import math
import random
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (1200, 900)
_HILLS = 5


def draw_folder(folder: Path, count: int) -> list[Path]:
    """Draw so many pictures into a folder; the same ones each time."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"landscape-{number:02}.jpg" for number in range(1, count + 1)]
    for number, path in enumerate(paths):
        _landscape(random.Random(number), number / count).save(path, quality=88)
    return paths


def _landscape(chance: random.Random, hue: float) -> Image.Image:
    """One picture; ``hue`` (0 to 1) sets its mood."""
    width, height = SIZE
    low, high = _color(hue + 0.40, 0.22, 1.0), _color(hue + 0.55, 0.60, 0.62)
    shade = Image.linear_gradient("L").resize(SIZE)
    picture = Image.composite(Image.new("RGB", SIZE, low), Image.new("RGB", SIZE, high), shade)
    _sun(picture, chance, _color(hue + 0.30, 0.10, 1.0))
    draw = ImageDraw.Draw(picture)
    for layer in range(_HILLS):
        depth = layer / (_HILLS - 1)
        base = height * (0.45 + 0.4 * depth)
        waves = [(chance.uniform(1, 3) * 2**k, chance.uniform(0, 6.3), 0.5**k) for k in range(4)]
        ridge = [
            (x, base - 68 * sum(tall * math.sin(x / width * many + shift) for many, shift, tall in waves))
            for x in range(0, width + 8, 8)
        ]
        fill = _color(hue + 0.5, 0.35 + 0.35 * depth, 0.6 - 0.45 * depth)
        draw.polygon([*ridge, (width, height), (0, height)], fill=fill)
    return picture


def _sun(picture: Image.Image, chance: random.Random, color: tuple[int, int, int]) -> None:
    width, height = picture.size
    x, y, radius = chance.uniform(0.2, 0.8) * width, chance.uniform(0.15, 0.4) * height, chance.uniform(38, 84)
    glow = Image.new("L", picture.size, 0)
    for size, light in ((3.0, 70), (1.0, 255)):
        reach = radius * size
        ImageDraw.Draw(glow).ellipse((x - reach, y - reach, x + reach, y + reach), fill=light)
        glow = glow.filter(ImageFilter.GaussianBlur(reach / 4 if size > 1 else 2))
    picture.paste(Image.new("RGB", picture.size, color), mask=glow)


def _color(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
