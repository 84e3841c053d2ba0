"""Every data file of the package says on whose data it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
DATA = (".json", ".npz", ".csv", ".geojson", ".pbf", ".zip", ".parquet", ".gz")


def test_data_in_the_package_is_listed_with_its_licence() -> None:
    page = (ROOT / "docs" / "data_licences.md").read_text("utf-8")
    files = [file for file in (ROOT / "mmwave_gym").rglob("*") if file.suffix in DATA]
    for file in files:
        assert file.relative_to(ROOT).as_posix() in page
        assert _licence(file).split(",")[0] in page
    rows = list((ROOT / "baselines/mmwave_baselines/rows").rglob("*.xz"))
    measured = [file for file in rows if re.match(r"chicago|helsinki|melbourne", file.name)]
    patterns = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert len(measured) >= 8
    assert [file for file in measured if not any(file in ROOT.glob(pattern) for pattern in patterns)] == []


def _licence(file: Path) -> str:
    """What a data file says of itself."""
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as arrays:
            return str(arrays["licence"])
    return str(json.loads(file.read_text("utf-8"))["licence"])


def test_folders_on_the_page_exist() -> None:
    page = (ROOT / "docs" / "data_licences.md").read_text("utf-8")
    patterns = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert len(patterns) >= 5
    for pattern in patterns:
        assert list(ROOT.glob(pattern)), pattern
