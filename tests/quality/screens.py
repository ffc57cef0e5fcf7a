"""Pictures of mails in a browser, small enough to keep, and how far two of them differ.

A picture is kept at a quarter of its size in sixteen colours: enough to see columns, cards, gaps and grounds. Two are
compared by squares of sixteen pixels of the screen, so that the smoothing of letters does not count. Not here: which
mails, and what may differ (``test_screens``).
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from browser import chromium
from PIL import Image, ImageChops

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FloatRect, Route

WIDTHS = (320, 600, 1200)
SCHEMES = ("light", "dark")
_HEIGHT = 3000  # of a page as it is kept: head, lead, and the first cards; the foot is in a short mail's picture
_SCALE = 4
_SQUARE = 4  # pixels of a kept picture
_COLOURS = 16
_LOUD = 20  # of 255: a difference that is seen
_PHOTO = Image.new("RGB", (1200, 640), "#7a8fb0")  # in place of every image that a mail shows


def pictures(
    mails: dict[str, str], *, widths: Sequence[int] = WIDTHS, schemes: Sequence[str] = SCHEMES, whole: bool = False
) -> Iterator[tuple[str, Image.Image]]:
    """Yield the picture of each mail's HTML on each screen, by a name; where it has images, with and without them.

    With *whole* they are as large as life, to be looked at.
    """
    with chromium() as browser:
        for name, source in mails.items():
            for images in (True, False) if "<img" in source else (False,):
                for width in widths:
                    for scheme in schemes:
                        height = None if whole else _HEIGHT
                        taken = _taken(browser, source, width, scheme, images=images, height=height)
                        shown = f"{name}-{width}-{scheme}{'-images' if images else ''}"
                        yield shown, taken if whole else kept(taken)


def kept(taken: Image.Image) -> Image.Image:
    """Return a picture as it is kept."""
    return taken.reduce(_SCALE).quantize(_COLOURS, dither=Image.Dither.NONE)


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return which share of the squares differs so that it is seen; 1.0 where the sizes are not about the same."""
    if one.width != other.width or abs(one.height - other.height) > 0.02 * max(one.height, other.height):
        return 1.0
    box = (0, 0, one.width, min(one.height, other.height))
    squares = [image.convert("RGB").crop(box).reduce(_SQUARE) for image in (one, other)]
    channels = ImageChops.difference(*squares).split()
    loudest = ImageChops.lighter(ImageChops.lighter(channels[0], channels[1]), channels[2])
    histogram = loudest.histogram()
    return sum(histogram[_LOUD:]) / sum(histogram)


def _taken(
    browser: "Browser", source: str, width: int, scheme: str, *, images: bool, height: int | None
) -> Image.Image:
    """Return what a screen shows, down to *height*. Nothing is fetched: images are one grey photograph, or missing."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)

    def answer(route: "Route") -> None:
        if images:
            route.fulfill(body=photo.getvalue(), content_type="image/png")
        else:
            route.abort()

    photo = BytesIO()
    _PHOTO.save(photo, "PNG")
    page.route("**/*", answer)
    page.set_content(source)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"scrolls sideways at {width} px"
    lasts = page.evaluate("document.documentElement.scrollHeight")
    clip: FloatRect = {"x": 0, "y": 0, "width": width, "height": min(lasts, height or lasts)}
    picture = page.screenshot(full_page=True, clip=clip)
    page.close()
    return Image.open(BytesIO(picture)).convert("RGB")
