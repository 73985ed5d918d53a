"""In random walks, what is done in slices is done in the thinnest ones."""

import pytest

from data_service.namenode.replicas import full_reports


@pytest.fixture(autouse=True)
def thin_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """One replica, or one row of the block map, at once."""
    for name in ("SLICE_BLOCKS", "SLICE_ROWS", "SLICES_OF_ROWS"):
        monkeypatch.setattr(full_reports, name, 1)
