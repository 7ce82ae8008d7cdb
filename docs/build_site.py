"""The docs as a site: python docs/build_site.py writes build/site, and names every link that leads nowhere.

The pages are those of docs/, with the README in front. The gallery and the reference are made here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
SOURCE, SITE = ROOT / "build" / "docs", ROOT / "build" / "site"

GALLERY = """\
# Gallery

The pictures of these pages, each with the page that explains it.
"""

_PICTURE = re.compile(r"^!\[([^\]]+)\]\((images/[^)]+)\)", re.MULTILINE)
# Elements whose link the browser follows by itself, to show the page.
_FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


def write_pages(root: Path, target: Path) -> None:
    """Gather the pages of the site in `target`: those of docs/, the README, the changelog, and the gallery."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(root / "docs", target, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for page in target.glob("*.md"):
        page.write_text(_without_files_of_the_clone(page.read_text()))
    for page, name in (("README.md", "index.md"), ("CHANGELOG.md", "changelog.md")):
        (target / name).write_text(_without_files_of_the_clone((root / page).read_text().replace("](docs/", "](")))
    (target / "gallery.md").write_text(gallery(target))


def _without_files_of_the_clone(text: str) -> str:
    """Links to files that are no pages as their names alone: [slurm.yaml](../conf/slurm.yaml)."""
    return re.sub(r"\[([^\]]+)\]\(\.\./([^)]+)\)", r"`\2`", text)


def gallery(pages: Path) -> str:
    """A page with every picture of the others, below the title of the page that it stands on."""
    parts = [GALLERY]
    for page in sorted(pages.glob("*.md")):
        text = page.read_text()
        pictures = _PICTURE.findall(text)
        if pictures and page.name != "index.md":
            parts.append(f"## {text.splitlines()[0].removeprefix('# ')}\n\n[What they show]({page.name})\n")
            parts += [f"![{caption}]({path})\n\n{caption}.\n" for caption, path in pictures]
    return "\n".join(parts)


class _Page(HTMLParser):
    """The links of a page, those that are fetched with it, and the anchors on it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in _FETCHED and _FETCHED[tag] in given and given.get("rel") not in ("canonical", "next", "prev"):
            self.fetched.append(given[_FETCHED[tag]])


def problems(site: Path) -> Iterator[str]:
    """A line for each link of the pages to no file, to no place on its page, or that is fetched from elsewhere."""
    pages = {path.resolve(): _Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    for path, page in pages.items():
        where = path.relative_to(site.resolve())
        for link in page.fetched:
            if urlsplit(link).netloc:
                yield f"{where}: {link} is fetched from elsewhere"
        for link in dict.fromkeys([*page.links, *page.fetched]):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                yield f"{where}: {link} leads to no file"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{where}: {link} leads to no place on its page"


def main() -> int:
    """Build the site; return 1 where a link leads nowhere, or a page is not on the menu."""
    write_pages(ROOT, SOURCE)
    menu = (ROOT / "mkdocs.yml").read_text()
    missing = [page.name for page in sorted(SOURCE.glob("*.md")) if page.name not in menu]
    shutil.rmtree(SITE, ignore_errors=True)
    built = subprocess.run([sys.executable, "-m", "zensical", "build", "--strict", "--clean"], cwd=ROOT, check=False)
    if built.returncode:
        return built.returncode
    wrong = [*(f"{name} is not in the nav of mkdocs.yml" for name in missing), *problems(SITE)]
    print(*wrong or [f"{SITE / 'index.html'}: every link leads somewhere"], sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
