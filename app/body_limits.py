"""How large the body of a request may be."""

from dataclasses import dataclass
from typing import Final

from app.errors import RequestTooLarge
from model.errors import ImageTooLarge

MAX_FIELDS_BYTES: Final = 64 * 1024  # of all fields that are not photos, and of every body without photos
MOST_PHOTOS: Final = 2  # in one request
# Base64 takes 4 bytes for 3; some clients escape slashes and plus signs in it, or break its lines.
BASE64_GROWTH: Final = 1.5


def largest_body(photos: int, max_image_bytes: int) -> int:
    """Returns the bytes of the largest body with so many photos."""
    return MAX_FIELDS_BYTES + int(photos * max_image_bytes * BASE64_GROWTH)


@dataclass(frozen=True)
class BodyLimits:
    """The largest body by path. `photos` says how many a route takes; all other routes take none."""

    photos: dict[str, int]
    max_image_bytes: int
    max_held_bytes: int  # of all bodies that are held at once

    def largest(self, path: str) -> int:
        """Returns the largest body that the path accepts, in bytes."""
        return largest_body(self.photos.get(path, 0), self.max_image_bytes)

    def refusal(self, path: str) -> Exception:
        """Returns the error of a body that is larger."""
        words = f"The request is larger than {self.largest(path):,} bytes."
        if path in self.photos:
            return ImageTooLarge(f"{words} Send smaller photos.")
        return RequestTooLarge(f"{words} This route takes no photos; send less.")
