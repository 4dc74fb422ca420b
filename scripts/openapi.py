"""Prints the description of the API: `make openapi` writes it to docs/openapi.json."""

import json

from app.main import create_app
from app.settings import Settings


def document() -> str:
    """The OpenAPI document of a service with the default settings, as JSON that ends with a line break."""
    return json.dumps(create_app(Settings()).openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(document(), end="")
