"""The recurrent DDRSA model, LSTM or GRU (figure 1 of the paper)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ddrsa.models.base import DDRSAModel
from ddrsa.models.kernels.choice import WINDOWS_OF_TILE, compiles_layers, takes_compiled_kernel

# Windows times steps times units times layers that compiled layers work on at once on a CPU.
_KEPT_AT_ONCE = 704_000
CELLS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentDDRSA(DDRSAModel):
    """An RNN reads the window; another RNN, fed the encoder's last state at every step, emits L hazard logits.

    The encoder has no biases: its state then stays exactly zero while it reads the zeros of the padding, whatever
    their number, and the last channel, which is 1 on real rows, gives each gate of the first layer its bias.

    At first the encoder's units forget over times that are spread from 2 to K rows ("chrono initialisation"; Tallec and
    Ollivier, ICLR 2018): with PyTorch's own start they forget half of what they know at every row, and some seeds then
    never learn to look back far.

    Args:
        cell: lstm or gru.
        num_features: F, without the channel that marks the padding.
        lookback: K, the longest time that the encoder should remember at first.
        horizon: L.
        hidden_size: width of the encoder's and the decoder's state.
        num_layers: layers of each.
        dropout: after the encoder, between layers, and before the output.
    """

    def __init__(
        self,
        cell: Literal["lstm", "gru"],
        num_features: int,
        lookback: int,
        horizon: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.horizon = horizon
        self.cell = cell
        # oneDNN runs an LSTM whole, and faster in cache; a GRU goes step by step, and small steps cost more.
        self.steps_at_once = 24_576 if cell == "lstm" else 61_440
        between_layers = dropout if num_layers > 1 else 0.0
        self.encoder = CELLS[cell](
            num_features + 1, hidden_size, num_layers, bias=False, batch_first=True, dropout=between_layers
        )
        self._remember_up_to(lookback)
        self.decoder = CELLS[cell](hidden_size, hidden_size, num_layers, batch_first=True, dropout=between_layers)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, 1)

    def windows_at_once(self, lookback: int) -> int:
        units = self.encoder.hidden_size
        if not compiles_layers(units):
            return super().windows_at_once(lookback)
        # Of each window, step and unit they keep 20 bytes: 14 MB in all.
        kept = (lookback + self.horizon) * units * self.encoder.num_layers
        return WINDOWS_OF_TILE * max(1, _KEPT_AT_ONCE // (kept * WINDOWS_OF_TILE))

    def forward(self, windows: Tensor) -> Tensor:
        """Hazard logits (B, L) from windows (B, K, F + 1)."""
        if takes_compiled_kernel(windows, self.encoder.hidden_size):
            return self._compiled(windows)
        states, _ = self.encoder(windows)
        context = self.dropout(states[:, -1])
        decoded, _ = self.decoder(context[:, None].expand(-1, self.horizon, -1))
        logits: Tensor = self.output(self.dropout(decoded)).squeeze(-1)
        # A GRU's output lies step by step in memory, and the loss would jump from step to step.
        return logits.contiguous()

    def _compiled(self, windows: Tensor) -> Tensor:
        from ddrsa.models.kernels.function import Shape, recurrent_logits  # imports numba

        encoder = self.encoder
        lookback, inputs = windows.shape[1:]
        shape = Shape(self.cell == "lstm", inputs, encoder.hidden_size, encoder.num_layers, lookback, self.horizon)
        dropout = self.dropout.p if self.training else 0.0
        # Their order is that of PyTorch's layers.
        parameters = [*encoder.parameters(), *self.decoder.parameters(), *self.output.parameters()]
        return recurrent_logits(shape, windows, dropout, parameters)

    @torch.no_grad()
    def _remember_up_to(self, lookback: int) -> None:
        """Draw the encoder's first forgetting times from 2 to `lookback` rows, by the weights that act as biases."""
        hidden_size = self.encoder.hidden_size
        # A gate of sigmoid(log u) = 1 - 1 / (1 + u) keeps what a unit knows for about 1 + u rows.
        bias = torch.empty(hidden_size).uniform_(1, max(2, lookback - 1)).log()
        first_layer: Tensor = self.encoder.get_parameter("weight_ih_l0")
        gates = first_layer.view(-1, hidden_size, self.encoder.input_size)
        if isinstance(self.encoder, nn.LSTM):
            gates[0, :, -1], gates[1, :, -1] = -bias, bias  # PyTorch's order: input, forget, cell, output
        else:
            gates[1, :, -1] = bias  # reset, update, new
