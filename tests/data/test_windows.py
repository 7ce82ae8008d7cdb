import numpy as np
import pytest
import torch

from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows


@pytest.mark.parametrize("lookback", [1, 4, 50])
def test_windows_are_the_last_rows_of_their_unit(fleet: Sequences, lookback: int) -> None:
    windows = Windows(fleet, lookback)
    batch = windows.gather(torch.arange(len(windows)))
    for row in range(fleet.num_rows):
        first = max(fleet.unit_start_of_row[row], row - lookback + 1)
        expected = np.zeros((lookback, 3), np.float32)
        rows = fleet.features[first : row + 1]
        expected[lookback - len(rows) :, :2] = rows
        expected[lookback - len(rows) :, 2] = 1
        np.testing.assert_array_equal(batch.windows[row], expected)
    np.testing.assert_array_equal(batch.time_to_event, fleet.time_to_event)
    np.testing.assert_array_equal(batch.event_observed, fleet.event_observed)


def test_order_holds_each_window_once(fleet: Sequences) -> None:
    windows = Windows(fleet, 3)

    def shuffled(seed: int) -> torch.Tensor:
        return windows.order(torch.Generator().manual_seed(seed))

    assert torch.equal(shuffled(1), shuffled(1))
    assert not torch.equal(shuffled(1), shuffled(2))
    assert torch.equal(shuffled(1).sort()[0], torch.arange(fleet.num_rows))
    in_order = torch.cat([batch.time_to_event for batch in windows.batches(16)])
    np.testing.assert_array_equal(in_order, fleet.time_to_event)


def test_no_window_is_materialised(fleet: Sequences) -> None:
    lookback = 40
    windows = Windows(fleet, lookback)
    held = sum(t.untyped_storage().nbytes() for t in vars(windows).values() if isinstance(t, torch.Tensor))
    # The rows with their padding once (held through two names), and one number per row for index, rows before it, unit,
    # time and event.
    rows = (fleet.num_rows + fleet.num_units * (lookback - 1)) * 3 * 4
    assert held <= 2 * rows + fleet.num_rows * (8 + 8 + 8 + 4 + 1)
