"""What can be wrong with a photo, in words that a person can act on.

PhotoError
 ├─ EmptyImage          no bytes at all
 ├─ UnsupportedImage    not an image format that we read
 ├─ CorruptImage        an image, but cut off or damaged
 ├─ ImageTooLarge       too many bytes or too many pixels
 ├─ NoFaceFound         nothing that looks like a face, in any of four orientations
 └─ SeveralFaces        more than one face where exactly one was asked for
"""


class PhotoError(Exception):
    """A photo that cannot be used; `code` is the stable name that clients switch on."""

    code = "photo_error"
    field: str | None = None  # which photo of a request it is about, where one brings several


class EmptyImage(PhotoError):
    code = "empty_image"


class UnsupportedImage(PhotoError):
    code = "unsupported_image"


class CorruptImage(PhotoError):
    code = "corrupt_image"


class ImageTooLarge(PhotoError):
    code = "image_too_large"


class NoFaceFound(PhotoError):
    code = "no_face_found"


class SeveralFaces(PhotoError):
    code = "several_faces"
