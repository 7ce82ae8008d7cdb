from __future__ import annotations

import itertools
import os
from typing import Any
from unittest import mock

import pytest
import torch
from gpu_holders import SetGpus
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.sweep.gpu.visible import Gpu, requested_gpus, visible_gpus

UUIDS = ["GPU-aa1-1111", "GPU-aa2-2222", "GPU-bb3-3333", "GPU-cc4-4444"]


@pytest.fixture
def four_gpus(fake_driver: SetGpus) -> None:
    fake_driver(*(f"{uuid}=0" for uuid in UUIDS))


def identities(gpus: list[Gpu]) -> list[str]:
    assert [gpu.index for gpu in gpus] == list(range(len(gpus)))
    return [gpu.identity for gpu in gpus]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ("2,0", [2, 0]),
        ("", []),
        ("-1", []),
        ("1,-1,2", [1]),
        ("0,7,1", [0]),
        ("no,1", []),
        ("1,1", []),
        ("GPU-bb", [2]),
        ("GPU-cc4-4444,GPU-aa2", [3, 1]),
        ("GPU-bb,GPU-aa,GPU-cc", [2]),  # two GPUs begin with GPU-aa
        ("GPU-bb,1", [2]),
    ],
)
@pytest.mark.usefixtures("four_gpus")
def test_cuda_visible_devices(visible: str | None, expected: list[int]) -> None:
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert identities(visible_gpus(environ)) == [UUIDS[i] for i in expected]


def torch_reads(visible: str) -> list[str]:
    with mock.patch.dict(os.environ, CUDA_VISIBLE_DEVICES=visible):
        entries: list[Any] = torch.cuda._parse_visible_devices()
    if entries and isinstance(entries[0], str):
        return [UUIDS[i] for i in torch.cuda._transform_uuid_to_ordinals(entries, UUIDS)]
    return [UUIDS[i] for i in itertools.takewhile(lambda i: i < len(UUIDS), entries)]


ENTRIES = ["0", "1", "2", " 3", "+1", "9", "-1", "1gpu", "x", "", "GPU-aa", "GPU-aa1", "GPU-aa1-", "GPU-bb", "GPU-zz"]


@given(st.lists(st.sampled_from(ENTRIES), min_size=1, max_size=5).map(",".join))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@pytest.mark.usefixtures("four_gpus")
def test_reads_cuda_visible_devices_as_torch_does(visible: str) -> None:
    assert identities(visible_gpus({"CUDA_VISIBLE_DEVICES": visible})) == torch_reads(visible)


@pytest.mark.usefixtures("four_gpus")
def test_mig_devices_are_taken_as_given() -> None:
    assert identities(visible_gpus({"CUDA_VISIBLE_DEVICES": "MIG-1,MIG-2"})) == ["MIG-1", "MIG-2"]


def test_no_driver_no_gpus(fake_driver: SetGpus) -> None:  # noqa: ARG001
    assert visible_gpus({}) == []
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "0"}) == []


def test_a_broken_driver_is_no_gpu_and_is_said(fake_driver: SetGpus, caplog: pytest.LogCaptureFixture) -> None:
    fake_driver("mismatch")
    assert visible_gpus({}) == []
    assert "NVML error 18" in caplog.text


def test_a_withheld_gpu_is_not_counted(fake_driver: SetGpus) -> None:
    fake_driver("GPU-a=0", "withheld=0", "GPU-c=0")
    assert visible_gpus({}) == [Gpu(0, "GPU-a"), Gpu(1, "GPU-c")]


@pytest.mark.usefixtures("four_gpus")
def test_another_device_order_is_refused() -> None:
    assert len(visible_gpus({"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})) == 4
    with pytest.raises(ConfigError, match="CUDA_DEVICE_ORDER is 'FASTEST_FIRST'"):
        visible_gpus({"CUDA_DEVICE_ORDER": "FASTEST_FIRST"})


@pytest.mark.usefixtures("four_gpus")
def test_a_list_means_positions_among_the_visible() -> None:
    environ = {"CUDA_VISIBLE_DEVICES": "3,1,0"}
    assert requested_gpus([2, 0], environ) == [Gpu(2, UUIDS[0]), Gpu(0, UUIDS[3])]
    assert requested_gpus(OmegaConf.create([1]), environ) == [Gpu(1, UUIDS[1])]
    assert requested_gpus("auto", environ) == visible_gpus(environ)
    with pytest.raises(ConfigError, match=r"gpus is \[0, 3\]: there is no GPU 3, this process sees 0 to 2"):
        requested_gpus([0, 3], environ)


@pytest.mark.parametrize("gpus", ["all", [], [-1], [0, 0], [True], ["0"], [0.0], 1, None])
@pytest.mark.usefixtures("four_gpus")
def test_refuses_what_is_no_list_of_indices(gpus: Any) -> None:
    with pytest.raises(ConfigError, match="gpus is"):
        requested_gpus(gpus, {})


def test_without_gpus_a_list_is_taken_as_it_is(fake_driver: SetGpus) -> None:  # noqa: ARG001
    assert requested_gpus([0, 5], {}) == [Gpu(0, "index-0"), Gpu(5, "index-5")]
    assert requested_gpus("auto", {}) == []
