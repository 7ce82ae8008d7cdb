"""Options of the models: the keys of the config group `model`, with their checks."""

from __future__ import annotations

from dataclasses import dataclass

from ddrsa.checks import require

ACTIVATIONS = ("relu", "gelu")
# What recurrent layers are computed with on a CPU: the fastest, or PyTorch's own layers.
KERNELS = ("auto", "torch")


@dataclass(frozen=True)
class RecurrentOptions:
    """conf/model/lstm.yaml, gru.yaml, lstm_complex.yaml, gru_complex.yaml."""

    name: str
    hidden_size: int
    num_layers: int

    def __post_init__(self) -> None:
        _require_positive(self, "hidden_size", "num_layers")


@dataclass(frozen=True)
class TransformerOptions:
    """conf/model/transformer.yaml, transformer_complex.yaml."""

    name: str
    d_model: int
    num_heads: int
    num_encoder_layers: int
    num_decoder_layers: int
    feedforward_size: int
    rows_per_token: int
    activation: str = "relu"
    steps_per_query: int = 1

    def __post_init__(self) -> None:
        _check_attention(self)


@dataclass(frozen=True)
class ProbSparseOptions:
    """conf/model/probsparse.yaml."""

    name: str
    d_model: int
    num_heads: int
    num_encoder_layers: int
    num_decoder_layers: int
    feedforward_size: int
    rows_per_token: int
    factor: int
    activation: str
    steps_per_query: int = 1

    def __post_init__(self) -> None:
        _check_attention(self)
        _require_positive(self, "factor")


@dataclass(frozen=True)
class TemporalConvolutionOptions:
    """conf/model/tcn.yaml."""

    name: str
    channels: int
    kernel_size: int
    windows_per_segment: int | None = None
    segment_stride: int = 16

    def __post_init__(self) -> None:
        _require_positive(self, "channels", "segment_stride")
        require("model.kernel_size", self.kernel_size, self.kernel_size >= 2, "2 or more")
        size = self.windows_per_segment
        require("model.windows_per_segment", size, size is None or size >= 1, "1 or more, or null")


@dataclass(frozen=True)
class KaplanMeierOptions:
    """conf/model/kaplan_meier.yaml."""

    name: str


@dataclass(frozen=True)
class BoostingOptions:
    """conf/model/boosting.yaml."""

    name: str
    trees_per_epoch: int
    shrinkage: float
    max_leaf_nodes: int
    min_samples_leaf: int
    max_rows: int

    def __post_init__(self) -> None:
        _require_positive(self, "trees_per_epoch", "min_samples_leaf")
        shrinkage = self.shrinkage
        number = isinstance(shrinkage, int | float) and not isinstance(shrinkage, bool)
        require("model.shrinkage", shrinkage, number and 0 < shrinkage <= 1, "above 0 and at most 1")
        require("model.max_leaf_nodes", self.max_leaf_nodes, self.max_leaf_nodes >= 2, "2 or more")
        require("model.max_rows", self.max_rows, self.max_rows >= 1000, "1000 or more")


BaselineOptions = KaplanMeierOptions | BoostingOptions
ModelOptions = RecurrentOptions | TransformerOptions | ProbSparseOptions | TemporalConvolutionOptions | BaselineOptions

OPTIONS: dict[str, type[ModelOptions]] = {
    "lstm": RecurrentOptions,
    "gru": RecurrentOptions,
    "transformer": TransformerOptions,
    "probsparse": ProbSparseOptions,
    "tcn": TemporalConvolutionOptions,
    "lstm_complex": RecurrentOptions,
    "gru_complex": RecurrentOptions,
    "transformer_complex": TransformerOptions,
    "kaplan_meier": KaplanMeierOptions,
    "boosting": BoostingOptions,
}


def _check_attention(options: TransformerOptions | ProbSparseOptions) -> None:
    _require_positive(
        options,
        "d_model",
        "num_heads",
        "num_encoder_layers",
        "num_decoder_layers",
        "feedforward_size",
        "rows_per_token",
        "steps_per_query",
    )
    require("model.d_model", options.d_model, options.d_model % 2 == 0, "an even number")
    divides = options.d_model % options.num_heads == 0
    require("model.num_heads", options.num_heads, divides, f"a divisor of model.d_model={options.d_model}")
    require("model.activation", options.activation, options.activation in ACTIVATIONS, ", ".join(ACTIVATIONS))


def _require_positive(options: ModelOptions, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        require(f"model.{name}", value, value >= 1, "1 or more")
