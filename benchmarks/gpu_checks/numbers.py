"""Each model's forecasts, loss and gradients on the GPU against the CPU, and the time of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable

from gpu_checks.bench import Bench, NotRunError

SHORT = ("lstm", "gru", "tcn", "transformer")
ALL = (*SHORT, "probsparse", "lstm_complex", "gru_complex", "transformer_complex")
FEATURES, LOOKBACK, HORIZON = 24, 128, 100


def _models(bench: Bench) -> tuple[str, ...]:
    return ALL if bench.full else SHORT


def _model(name: str, features: int = FEATURES, dropout: float = 0.1):  # type: ignore[no-untyped-def]
    import torch
    from hydra import compose, initialize_config_dir

    import ddrsa.task  # noqa: F401 - registers the schema
    from ddrsa.compat_hydra import VERSION_BASE
    from ddrsa.config import parse_config
    from ddrsa.models.build import build_model
    from gpu_checks.bench import ROOT

    with initialize_config_dir(str(ROOT / "conf"), **VERSION_BASE):
        config = parse_config(compose("config", overrides=[f"model={name}", "device=cpu"]))
    torch.manual_seed(0)
    shape = {"num_features": features, "lookback": LOOKBACK, "horizon": HORIZON, "dropout": dropout}
    return build_model(config.model, **shape)


def _batch(size: int, device: str):  # type: ignore[no-untyped-def]
    import torch

    generator = torch.Generator().manual_seed(1)
    windows = torch.randn(size, LOOKBACK, FEATURES + 1, generator=generator)
    windows[..., -1] = 1
    return windows.to(device)


def equality(bench: Bench) -> str:
    """Logits, and gradients of their mean square, with the same weights: relative to the largest, 1e-4 is allowed."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    parts, worst = [], 0.0
    for name in _models(bench):
        found = []
        for device in ("cpu", bench.device):
            model = _model(name, dropout=0.0).to(device).train()
            if name == "probsparse":
                torch.manual_seed(0)  # it draws keys; on another device others
            logits = model(_batch(32, device))
            logits.square().mean().backward()
            gradient = torch.cat([each.grad.flatten().cpu() for each in model.parameters() if each.grad is not None])
            found.append((logits.detach().cpu(), gradient))
        (a, da), (b, db) = found
        forward, backward = _relative(a, b), _relative(da, db)
        parts.append(f"{name} {forward:.0e}/{backward:.0e}")
        if name != "probsparse":
            worst = max(worst, forward, backward)
    text = "logits/gradients " + ", ".join(parts)
    if worst > 1e-4:
        raise RuntimeError(f"{text}: 1e-4 is allowed")
    return text


def _relative(one, other) -> float:  # type: ignore[no-untyped-def]
    return float((one - other).abs().max() / one.abs().max())


def throughput(bench: Bench) -> str:
    """Windows per second of a training epoch as runs do it, beside the bare step; 0.85 of it is wanted."""
    import torch
    from hydra import compose, initialize_config_dir

    from ddrsa.compat_hydra import VERSION_BASE
    from ddrsa.config import parse_config
    from ddrsa.data.load import load_dataset
    from ddrsa.data.windows import Windows
    from ddrsa.training.schedule import Schedule
    from ddrsa.training.trainer import train_epoch
    from gpu_checks.bench import ROOT

    size = 128
    with initialize_config_dir(str(ROOT / "conf"), **VERSION_BASE):
        units = 60 if bench.device == "cuda" else 6
        overrides = [f"dataset.num_units={units}", f"lookback={LOOKBACK}", f"horizon={HORIZON}", f"batch_size={size}"]
        config = parse_config(compose("config", overrides=[*overrides, "device=cpu"]))
    options = config.training
    dataset = load_dataset(vars(config.dataset), data_dir=".", cache_dir=None, seed=0)
    windows = Windows(dataset.training, LOOKBACK)
    device = torch.device(bench.device)

    def measure(name: str) -> str:
        features = len(dataset.training.feature_names)
        model, bare_model = (_model(name, features).to(device) for _ in range(2))
        optimizer, bare_optimizer = (torch.optim.AdamW(each.parameters(), fused=True) for each in (model, bare_model))
        steps = -(-len(windows) // size)
        schedule = Schedule(optimizer, options.schedule, steps, 100 * steps, options.patience)
        random = torch.randn(size, LOOKBACK, features + 1, device=device)
        random[..., -1] = 1

        def bare() -> None:
            for _ in range(steps):
                bare_optimizer.zero_grad()
                bare_model(random).mean().backward()
                bare_optimizer.step()

        epochs = iter(range(1, 1000))
        ours = _least(lambda: train_epoch(model, windows, options, optimizer, schedule, next(epochs)), device)
        theirs = _least(bare, device)
        return f"{name} {len(windows) / ours:,.0f}/s, {theirs / ours:.2f} of the bare step"

    return "; ".join(map(measure, _models(bench)))


def _least(do: Callable[[], object], device, rounds: int = 3) -> float:  # type: ignore[no-untyped-def]
    import torch

    seconds = []
    for _ in range(rounds + 1):
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        do()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def cudnn_and_graphs(bench: Bench) -> str:
    """Milliseconds of a training step of small recurrent models: without cuDNN, with it, and as a CUDA graph."""
    bench.require_gpu()
    import torch

    parts = []
    for name in ("lstm", "gru"):
        for size in (32, 128, 512):
            times = [_step(name, size, way) for way in ("plain", "cudnn", "graph")]
            shown = [f"{1000 * each:.2f}" if isinstance(each, float) else each for each in times]
            parts.append(f"{name} B={size} plain {shown[0]}, cudnn {shown[1]}, graph {shown[2]} ms")
    if not torch.backends.cudnn.is_available():
        raise NotRunError("no cuDNN")
    return "; ".join(parts)


def _step(name: str, size: int, way: str) -> float | str:
    import torch

    device = torch.device("cuda")
    model = _model(name).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True, capturable=way == "graph")
    windows = _batch(size, "cuda")

    def step() -> None:
        optimizer.zero_grad(set_to_none=False)
        model(windows).square().mean().backward()
        optimizer.step()

    with torch.backends.cudnn.flags(enabled=way != "plain"):
        try:
            stream = torch.cuda.Stream()
            with torch.cuda.stream(stream):
                for _ in range(3):
                    step()
            torch.cuda.current_stream().wait_stream(stream)
            do = step
            if way == "graph":
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    step()
                do = graph.replay
            return _least(lambda: [do() for _ in range(20)], device) / 20
        except RuntimeError as error:
            return f"not possible ({str(error).splitlines()[0][:60]})"
