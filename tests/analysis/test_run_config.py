"""Reading the config of a run, whole and key by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from generated_sweep import write_run
from omegaconf import OmegaConf

from ddrsa.analysis import run_config
from ddrsa.analysis.run_config import read_run_config
from ddrsa.schema import NOT_IDENTITY


def test_config_interpolations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDRSA_TEST_SECRET", "not to be read")
    path = tmp_path / "config.yaml"
    path.write_text("""
seed: 3
split_seed: ${seed}
gpu_index: ${gpu_index:}
lease: ${gpu_index}
key: ${oc.env:DDRSA_TEST_SECRET}
indirect: ${key}
data_dir: data
nested:
  list: [1, "${seed}"]
  unknown: ["${unknown:1}"]
  deep: [{a: "${oc.env:DDRSA_TEST_SECRET}"}]
loop: ${loop}
needed: ???
nothing: null
""")
    assert read_run_config(path) == {"seed": 3, "split_seed": 3, "nested.list": "[1, 3]", "nothing": None}


@pytest.mark.parametrize("text", ["a: [", "- 1", "7", "a: ${", "\x00", "a: 1\na: 2", "a: 1\nb"])
def test_config_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"config\.yaml"):
        read_run_config(path)


def test_key_by_key_is_the_same_as_whole(tmp_path: Path) -> None:
    # Everything that OmegaConf writes in another way than `key: value` in one line.
    content: dict[str, Any] = {
        "name": "a: b", "text": "two\nlines", "long": "word " * 60, "number": "1e-4",
        "small": 1e-5, "yes": "yes", "null_text": "null",
        "items": [1, {"a": 2}], "nested": {"deep": {"x": True}, "empty": {}}, "none": None,
        "hash": "# no comment", "anchor": "&a *b",
    }  # fmt: skip
    path = tmp_path / "config.yaml"
    OmegaConf.save(content, path)
    assert read_run_config(path) == {
        **{key: value for key, value in content.items() if key not in ("items", "nested")},
        "items": "[1, {'a': 2}]",
        "nested.deep.x": True,
    }


def test_anchors_lean_on_other_keys(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("base: &base\n  x: 1\nother: *base\n")
    assert read_run_config(path) == {"base.x": 1, "other.x": 1}


def test_a_run_as_it_is_written(tmp_path: Path) -> None:
    run = write_run(tmp_path, 0, {"model": "transformer", "learning_rate": 1e-05, "grad_clip": None})
    path = run / ".hydra" / "config.yaml"
    whole = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(whole, dict)
    expected = {str(key): value for key, value in whole.items() if key not in NOT_IDENTITY}
    flat = {
        f"{key}.{inner}" if inner else key: value
        for key, group in expected.items()
        for inner, value in (group.items() if isinstance(group, dict) else [("", group)])
    }
    assert read_run_config(path) == flat
    assert (flat["learning_rate"], flat["model.num_heads"], flat["grad_clip"]) == (1e-05, 4, None)


@pytest.mark.parametrize(
    "line",
    [
        *("a: 0", "a: -3", "a: 12", "a: 1.0", "a: -0.5", "a: 1.5e-05", "a: 2.0e+30", "a: 007", "a: 1_000", "a: 1e5"),
        *("a: 1e-05", "a: .5", "a: 5.", "a: 0x1f", "a: 1:30", "a: 1.0.0", "yes: 1", "Off: 2.0", "y: 1"),
        *("a: -0", "a: +1", "a: 1 # one", "a:  1", "a_1: 3"),
    ],
)
def test_a_number_is_what_yaml_reads(line: str) -> None:
    assert repr(run_config._load_block.__wrapped__(f"{line}\n")) == repr(run_config._parse(f"{line}\n"))
