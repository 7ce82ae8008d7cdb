"""JSON files whose lists are written item by item."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddrsa.rundir.files import json_text, read_json, write_json, write_json_lists


def test_the_content_is_that_of_a_file_written_whole(tmp_path: Path) -> None:
    items = [{"number": 1, "text": 'a "b"\n c'}, {"number": float("nan"), "list": [1, float("inf"), None]}, {}]
    head = {"updated_at": "now", "counts": {"completed": 2}}
    write_json(tmp_path / "whole.json", {**head, "runs": items, "earlier_runs": []})
    lists = {"runs": map(json_text, items), "earlier_runs": iter(())}
    write_json_lists(tmp_path / "lines.json", head, lists)
    assert read_json(tmp_path / "lines.json") == read_json(tmp_path / "whole.json")
    text = (tmp_path / "lines.json").read_text()
    assert sum('"number"' in line for line in text.splitlines()) == 2
    (tmp_path / "lines.json").write_text(text.replace('"number":1', '"number":7'))
    with pytest.raises(ValueError, match="the checksum differs"):
        read_json(tmp_path / "lines.json")


def test_the_order_within_the_head_stays_and_items_with_other_keys_than_texts_are_read_again(tmp_path: Path) -> None:
    head = {"columns": {"z": "last", "a": "first"}}
    write_json_lists(tmp_path / "lines.json", head, {"runs": map(json_text, [{"k": {10: 1, 9: 2, "b": float("nan")}}])})
    content = read_json(tmp_path / "lines.json") or {}
    assert list(content["columns"]) == ["z", "a"]
    assert content["runs"] == [{"k": {"10": 1, "9": 2, "b": None}}]
