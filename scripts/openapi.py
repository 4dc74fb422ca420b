"""Writes the description of the API to docs/: `make openapi`.

openapi.json is what the service answers. openapi-clients.json is for generators of clients, of which some stumble over
two types of body in one operation: it has the form where there are photos, and JSON elsewhere.
"""

import json
from pathlib import Path
from typing import Any, Final

from app.api.bodies import FORM_TYPE, JSON_TYPE
from app.main import create_app
from app.settings import Settings

DOCS: Final = Path(__file__).parents[1] / "docs"


def documents() -> dict[str, str]:
    """The documents of a service with the default settings by file name, as JSON that ends with a line break."""
    schema = create_app(Settings()).openapi()
    whole = _format(schema)
    for path in schema["paths"].values():
        for operation in path.values():
            content = operation.get("requestBody", {}).get("content", {})
            if content:
                form = schema["components"]["schemas"][content[FORM_TYPE]["schema"]["$ref"].rpartition("/")[2]]
                unused = content.pop(JSON_TYPE if "binary" in json.dumps(form) else FORM_TYPE)
                del schema["components"]["schemas"][unused["schema"]["$ref"].rpartition("/")[2]]
    return {"openapi.json": whole, "openapi-clients.json": _format(schema)}


def _format(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, text in documents().items():
        (DOCS / name).write_text(text)
