"""Places in a document that are filled from the files of the networks, so that the two cannot differ."""

import re
from collections.abc import Mapping

from training.data.errors import DataError


def fill_places(document: str, texts: Mapping[str, str]) -> str:
    """The document with each text between `<!-- figures: NAME -->` and the `<!-- end -->` that follows.

    Raises DataError if the document has no place for one of the texts.
    """
    for name, text in texts.items():
        place = re.compile(rf"(<!-- figures: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not place.search(document):
            raise DataError(
                f"The document has no place for {name}. Add the lines <!-- figures: {name} --> and <!-- end --> to it."
            )
        document = place.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", document)  # type: ignore[misc]
    return document
