"""Training curves."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ddrsa.figures.style import BLUE, GREEN, VERMILION, new_figure, tidy


def training_curves(epochs: pd.DataFrame) -> Figure:
    """Loss and learning rate by epoch, from the rows of training_log.csv."""
    figure = new_figure(7.2, 2.9)
    losses, rates = figure.subplots(1, 2, gridspec_kw={"width_ratios": (3, 2)})
    marker = "o" if len(epochs) <= 40 else ""
    losses.plot(epochs["epoch"], epochs["train_loss"], "--", color=VERMILION, marker=marker, ms=3, label="training")
    losses.plot(epochs["epoch"], epochs["validation_loss"], color=BLUE, marker=marker, ms=3, label="validation")
    best = epochs.iloc[int(epochs["validation_loss"].argmin())]
    label = f"best, epoch {int(best['epoch'])}"
    losses.plot(best["epoch"], best["validation_loss"], "*", color="black", ms=11, zorder=3, label=label)
    losses.set_xlabel("Epoch")
    losses.set_ylabel("Loss (mean per window)")
    losses.legend(frameon=False, fontsize="small")
    rates.plot(epochs["epoch"], epochs["learning_rate"], color=GREEN, marker=marker, ms=3)
    if (epochs["learning_rate"] > 0).any():  # a baseline has none
        rates.set_yscale("log")
    rates.set_xlabel("Epoch")
    rates.set_ylabel("Learning rate (log scale)")
    for ax in (losses, rates):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        tidy(ax)
    return figure
