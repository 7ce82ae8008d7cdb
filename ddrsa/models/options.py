"""The options of each model: the keys of the config group `model`, with their checks."""

from __future__ import annotations

from dataclasses import dataclass

from ddrsa.errors import ConfigError


@dataclass(frozen=True)
class RecurrentOptions:
    """conf/model/lstm.yaml, conf/model/gru.yaml."""

    name: str
    hidden_size: int
    num_layers: int

    def __post_init__(self) -> None:
        _require_positive(self, "hidden_size", "num_layers")


@dataclass(frozen=True)
class TransformerOptions:
    """conf/model/transformer.yaml."""

    name: str
    d_model: int
    num_heads: int
    num_encoder_layers: int
    num_decoder_layers: int
    feedforward_size: int
    rows_per_token: int

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
        if self.d_model % 2:
            raise ConfigError(f"model.d_model={self.d_model}: an even number is allowed")
        if self.d_model % self.num_heads:
            raise ConfigError(f"model.num_heads={self.num_heads}: it must divide model.d_model={self.d_model}")


ModelOptions = RecurrentOptions | TransformerOptions

OPTIONS: dict[str, type[RecurrentOptions] | type[TransformerOptions]] = {
    "lstm": RecurrentOptions,
    "gru": RecurrentOptions,
    "transformer": TransformerOptions,
}


def _require_positive(options: ModelOptions, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        if value < 1:
            raise ConfigError(f"model.{name}={value}: 1 or more is allowed")
