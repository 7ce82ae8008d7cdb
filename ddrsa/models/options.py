"""The options of each model: the keys of the config group `model`, with their checks."""

from __future__ import annotations

from dataclasses import dataclass

from ddrsa.errors import ConfigError

ACTIVATIONS = ("relu", "gelu")


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
    activation: str

    def __post_init__(self) -> None:
        _require_positive(
            self,
            "d_model",
            "num_heads",
            "num_encoder_layers",
            "num_decoder_layers",
            "feedforward_size",
            "rows_per_token",
        )
        _check_heads(self.d_model, self.num_heads)
        if self.activation not in ACTIVATIONS:
            raise ConfigError(f"model.activation={self.activation}: allowed are {', '.join(ACTIVATIONS)}")


@dataclass(frozen=True)
class TemporalConvolutionOptions:
    """conf/model/tcn.yaml."""

    name: str
    channels: int
    kernel_size: int

    def __post_init__(self) -> None:
        _require_positive(self, "channels")
        if self.kernel_size < 2:
            raise ConfigError(f"model.kernel_size={self.kernel_size}: 2 or more is allowed")


ModelOptions = RecurrentOptions | TransformerOptions | TemporalConvolutionOptions

OPTIONS: dict[str, type[ModelOptions]] = {
    "lstm": RecurrentOptions,
    "gru": RecurrentOptions,
    "transformer": TransformerOptions,
    "tcn": TemporalConvolutionOptions,
    "lstm_complex": RecurrentOptions,
    "gru_complex": RecurrentOptions,
    "transformer_complex": TransformerOptions,
}


def _check_heads(d_model: int, num_heads: int) -> None:
    if d_model % 2:
        raise ConfigError(f"model.d_model={d_model}: an even number is allowed")
    if d_model % num_heads:
        raise ConfigError(f"model.num_heads={num_heads}: it must divide model.d_model={d_model}")


def _require_positive(options: ModelOptions, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        if value < 1:
            raise ConfigError(f"model.{name}={value}: 1 or more is allowed")
