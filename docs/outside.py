"""Takes files from outside docs/ that its pages link to into the site, where they are linked."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

LINK = re.compile(r"(\]\()\.\./([^)#\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Adds every file that a page links to by ../path, at that path of the site."""
    root = Path(config["config_file_path"]).parent
    pages = Path(config["docs_dir"]).glob("*.md")
    linked = {path for page in pages for _, path in LINK.findall(page.read_text("utf-8"))}
    for path in sorted(linked):
        files.append(File.generated(config, path, abs_src_path=str(root / path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to these files, from the top of the site on."""
    return LINK.sub(r"\1\2", markdown)
