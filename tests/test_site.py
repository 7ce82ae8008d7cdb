"""The checks of the docs' site."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_site", ROOT / "docs" / "build_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_link_that_leads_nowhere_is_named(site: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.html").write_text(
        '<h2 id="here">A</h2><a href="#here">1</a><a href="#gone">2</a><a href="sub/b.html#there">3</a>'
        '<a href="sub/b.html#no">4</a><a href="c.html">5</a><a href="https://elsewhere.example/x">6</a>'
    )
    (tmp_path / "sub" / "b.html").write_text(
        '<p id="there"></p><img src="../no.png"><script src="https://x.example/y.js"></script><a href="../a.html">1</a>'
    )
    assert list(site.problems(tmp_path)) == [
        "a.html: #gone leads to no place on its page",
        "a.html: sub/b.html#no leads to no place on its page",
        "a.html: c.html leads to no file",
        "sub/b.html: https://x.example/y.js is fetched from elsewhere",
        "sub/b.html: ../no.png leads to no file",
    ]


def test_the_pages_of_the_site(site: ModuleType, tmp_path: Path) -> None:
    site.write_pages(ROOT, tmp_path / "pages")
    pages = {page.name: page.read_text() for page in (tmp_path / "pages").glob("*.md")}
    assert "](docs/" not in pages["index.md"] + pages["changelog.md"]
    assert "](../" not in "".join(pages.values())
    pictures = [path for name, text in pages.items() if name != "gallery.md" for path in site._PICTURE.findall(text)]
    assert len(pictures) > 10
    assert all(f"![{caption}]({path})" in pages["gallery.md"] for caption, path in pictures)
    menu = (ROOT / "mkdocs.yml").read_text()
    assert [name for name in pages if name not in menu] == []
