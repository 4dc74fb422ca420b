"""Problems with a photo. The messages say what to do.

PhotoError
 ├─ EmptyImage          no bytes
 ├─ UnsupportedImage    not a supported image format
 ├─ CorruptImage        an image, but truncated or damaged
 ├─ ImageTooLarge       too many bytes or pixels
 ├─ PhotoTooExpensive   takes too much time or memory to decode
 ├─ NoFaceFound         no face in any of four orientations
 ├─ SeveralFaces        several faces although one was required
 └─ UnrecognizableFace  a face that the encoder cannot recognise reliably
"""


class PhotoError(Exception):
    """A photo that cannot be used. `code` is stable: clients may switch on it."""

    code = "photo_error"
    field: str | None = None  # the request's field with the photo, if it has several


class EmptyImage(PhotoError):
    code = "empty_image"


class UnsupportedImage(PhotoError):
    code = "unsupported_image"


class CorruptImage(PhotoError):
    code = "corrupt_image"


class ImageTooLarge(PhotoError):
    code = "image_too_large"


class PhotoTooExpensive(PhotoError):
    code = "photo_too_expensive"


class NoFaceFound(PhotoError):
    code = "no_face_found"


class SeveralFaces(PhotoError):
    code = "several_faces"


class UnrecognizableFace(PhotoError):
    code = "unrecognizable_face"
