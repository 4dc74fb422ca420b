"""Hooks of MkDocs: pages of the site may link to files of the repository beside docs/, which the site shows as well."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

# Pages that lie outside docs/, by their address in the site.
OUTSIDE = {"model-card.md": "model/MODEL_CARD.md"}
LINKS = {
    "../model/MODEL_CARD.md": "model-card.md",
    "../../model/MODEL_CARD.md": "../model-card.md",
    "../training/configs": "training.md",
}


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages that lie outside docs/."""
    root = Path(config["config_file_path"]).parent
    for address, path in OUTSIDE.items():
        files.append(File.generated(config, address, content=(root / path).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turns links that leave docs/ into links within the site."""
    for outside, inside in LINKS.items():
        markdown = markdown.replace(f"]({outside}", f"]({inside}")
    if page.file.src_uri in OUTSIDE:
        markdown = markdown.replace("](../docs/", "](")
    return markdown
