"""Construction of a model from its options."""

from __future__ import annotations

from ddrsa.models.base import DDRSAModel
from ddrsa.models.boosting import BoostedDDRSA
from ddrsa.models.kaplan_meier import KaplanMeierDDRSA
from ddrsa.models.options import (
    BoostingOptions,
    KaplanMeierOptions,
    ModelOptions,
    ProbSparseOptions,
    RecurrentOptions,
    TemporalConvolutionOptions,
)
from ddrsa.models.rnn import RecurrentDDRSA
from ddrsa.models.tcn import TemporalConvolutionDDRSA
from ddrsa.models.transformer import TransformerDDRSA


def build_model(options: ModelOptions, *, num_features: int, lookback: int, horizon: int, dropout: float) -> DDRSAModel:
    """The model that `options` describe, with fresh weights from torch's random generator.

    Args:
        options: the config group `model`.
        num_features: F, the features of a row.
        lookback: K, the rows of a window.
        horizon: L, the number of hazard logits.
        dropout: the share that is dropped, in [0, 1).
    """
    if isinstance(options, KaplanMeierOptions):
        return KaplanMeierDDRSA(horizon)
    if isinstance(options, BoostingOptions):
        return BoostedDDRSA(num_features, horizon)
    if isinstance(options, RecurrentOptions):
        return RecurrentDDRSA(
            cell="gru" if options.name.startswith("gru") else "lstm",
            num_features=num_features,
            lookback=lookback,
            horizon=horizon,
            hidden_size=options.hidden_size,
            num_layers=options.num_layers,
            dropout=dropout,
        )
    if isinstance(options, TemporalConvolutionOptions):
        convolution = TemporalConvolutionDDRSA(
            num_features=num_features,
            lookback=lookback,
            horizon=horizon,
            channels=options.channels,
            kernel_size=options.kernel_size,
            dropout=dropout,
        )
        convolution.windows_per_segment = options.windows_per_segment or 1
        convolution.segment_stride = options.segment_stride
        return convolution
    return TransformerDDRSA(
        num_features=num_features,
        horizon=horizon,
        d_model=options.d_model,
        num_heads=options.num_heads,
        num_encoder_layers=options.num_encoder_layers,
        num_decoder_layers=options.num_decoder_layers,
        feedforward_size=options.feedforward_size,
        rows_per_token=options.rows_per_token,
        activation=options.activation,
        dropout=dropout,
        steps_per_query=options.steps_per_query,
        probsparse_factor=options.factor if isinstance(options, ProbSparseOptions) else None,
    )
