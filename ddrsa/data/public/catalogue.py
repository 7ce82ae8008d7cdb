"""Catalogue of the public data sets: their origins, and the SHA-256 of every file, to know the originals by.

The checksums of `turbofan` are those of the files in NASA's CMAPSSData.zip, those of `azure_pm` of the files that
Microsoft published; each was found the same in at least two independent copies. An archive is not compared as such
where its files are: the same files may be packed anew.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """One place to fetch a data set from.

    archive: the URL of a zip archive with all files, in any folder, or in a zip archive inside it.
    base: or else the URL before each file's name.
    archive_hash: what the archive itself must have, as `pooch` writes it; None where only its files are compared.
    """

    archive: str | None = None
    base: str | None = None
    archive_hash: str | None = None


@dataclass(frozen=True)
class PublicData:
    """A data set: its files with their SHA-256, the places to fetch them from, and what to do by hand."""

    files: dict[str, str]
    origins: tuple[Origin, ...]
    by_hand: str


_TURBOFAN = {
    "train_FD001.txt": "963b5e22825b34d8b21c69e1aeb4af3e647050eb672ee8834ba4b5d91d2de0f8",
    "train_FD002.txt": "dac6c4dbc4e7c1bdeb5747da3d313d05c395bb99801b44a002b26a2ba13d788f",
    "train_FD003.txt": "2abbe9968cc5e8eb091980f51b20f62bb4127336d3482cb52071d53bf23329e2",
    "train_FD004.txt": "27ef6160b6a1dcb2613a88de9c239f763b223f02cdc41dc5cdedc5dc189b6218",
    "test_FD001.txt": "3cda7109ce17bafb5443f2ac926cfcf88154b941b8c4cf95eb55d1ddd6f52851",
    "test_FD002.txt": "de7b5bf7e998a985c378488480528b7c02cff1406a46740def362dda8d9b4e02",
    "test_FD003.txt": "299babd63c8d987cef079c4a425429f33b3a34797d803bbe2ad48c29dbd0d790",
    "test_FD004.txt": "1dc675fff0624bac10786927c6715b37d1297657137400d2b1a3138d777a3ba5",
    "RUL_FD001.txt": "a19c8ec94931949d0485bdc35118206e9c81c4547b422efb9cf86f4ceddbceca",
    "RUL_FD002.txt": "c851dd96a6ea6998d3c4a8f834d3c8013aa90e93a6ed950dc826ad0655b2906b",
    "RUL_FD003.txt": "df1e0566306b174a2de41c67a3e7a51877889598b78643fc3e5685259091b7cb",
    "RUL_FD004.txt": "196b836b85a95ac7fdbbf29c5fdf1657382eafa445644d114ffaaf50dc2975e1",
}

_AZURE = {
    "PdM_telemetry.csv": "d957f3c45bb83416b716600da8cffd72f4b6961db89867d9696ad19f7cb1bd4e",
    "PdM_errors.csv": "9c2a2a010ad77227e2bb0c94e7971bca78810790ddd1f28a8bee4f12c2f62370",
    "PdM_maint.csv": "481ed4e155f609e6ca6130754d2c035453093902a507cce5b3f3e235995f1db6",
    "PdM_failures.csv": "0c6c31a4fd52ef2df95ad7c44e8b0c8c32917bcef29ba5a1ba3ba45531ded3b7",
    "PdM_machines.csv": "5e8e1571c4999bf88abb7cae3925964c218d946fe851a9a100bb3d19330652bc",
}

PUBLIC_DATA = {
    "turbofan": PublicData(
        _TURBOFAN,
        (
            Origin("https://phm-datasets.s3.amazonaws.com/NASA/6.+Turbofan+Engine+Degradation+Simulation+Data+Set.zip"),
            Origin(
                "https://zenodo.org/records/15346912/files/CMAPSSData.zip?download=1",
                archive_hash="md5:79a22f36e80606c69d0e9e4da5bb2b7a",
            ),
        ),
        'Download "Turbofan Engine Degradation Simulation" from the data repository of the NASA Prognostics Center of '
        "Excellence, or https://zenodo.org/records/15346912, and unpack it: CMAPSSData.zip may lie in another archive.",
    ),
    "azure_pm": PublicData(
        _AZURE,
        (
            Origin(base="https://azuremlsampleexperiments.blob.core.windows.net/datasets/"),
            Origin(
                "https://www.kaggle.com/api/v1/datasets/download/arnabbiswas1/microsoft-azure-predictive-maintenance"
            ),
        ),
        "Download https://www.kaggle.com/datasets/arnabbiswas1/microsoft-azure-predictive-maintenance in a browser and "
        "unpack it.",
    ),
}
