"""Calibration: the correction of the odds of an event inside the horizon, and measures of what is left to correct.

The event probability of a forecast is F = P(tau < L), its law inside the horizon q[k] = P(tau = k | tau < L). The DDRSA
loss of an event window is -log F - lambda log q(tau), that of a window that survives the horizon
-(1 - lambda) log(1 - F). So its minimiser has q right, and the odds of F 1 / (1 - lambda) times too high.
"""

METHODS = ("none", "odds", "fitted")  # where a correction comes from; here, torch is not imported
