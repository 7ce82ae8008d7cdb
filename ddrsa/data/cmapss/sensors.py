"""Sensors of the simulated engine: a linear stand-in for the C-MAPSS response surfaces.

The names and units of the sensors are those of table 2 of Saxena, Goebel, Simon, Eklund, "Damage Propagation Modeling
for Aircraft Engine Run-to-Failure Simulation", PHM 2008. The numbers are rounded from NASA's published files:
baselines are the means per operating condition in FD002 more than 150 cycles before the failure; the shift by a worn
high-pressure compressor (HPC) is the change from there to the last cycles of FD001 and FD002; the shift by a worn fan
is what is left of FD004, which mixes both; the noise is the spread in FD001 more than 150 cycles before the failure,
where there is little wear.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Sensor(NamedTuple):
    """One sensor. `shift` (HPC, fan) and `noise` hold at sea level; at other conditions they scale as the baseline.

    efficiency_share: the part of the shift that follows the loss of efficiency; the rest follows the loss of flow.
    """

    name: str
    baseline: tuple[float, float, float, float, float, float]
    shift: tuple[float, float] = (0.0, 0.0)
    efficiency_share: float = 0.0
    noise: float = 0.0


# The six flight conditions of C-MAPSS: altitude in 1000 ft, Mach number, throttle resolver angle (TRA) in percent.
CONDITIONS: NDArray[np.float64] = np.array(
    [(0, 0, 100), (10, 0.25, 100), (20, 0.7, 100), (25, 0.62, 60), (35, 0.84, 100), (42, 0.84, 100)], dtype=np.float64
)

# The spread of the settings within a condition, from FD001; TRA does not vary.
SETTING_NOISE: NDArray[np.float64] = np.array([0.0022, 0.0003, 0.0])

# Temperatures follow the efficiency (a worn compressor must put in more heat for the same pressure), pressures and
# coolant flows follow the flow. Speeds rise with the loss of efficiency and fall with the loss of flow, so that they
# differ most between units, as Nc and NRc do in FD001. Sensors without shift and noise are constant in FD001 too.
# fmt: off
SENSORS: tuple[Sensor, ...] = (
    Sensor("T2 (R)", (518.67, 489.05, 491.19, 462.54, 449.44, 445.00)),
    Sensor("T24 (R)", (642.3, 604.5, 607.2, 536.6, 555.4, 549.4), (1.5, 1.3), 0.8, 0.33),
    Sensor("T30 (R)", (1586.0, 1498.0, 1482.0, 1259.0, 1363.0, 1351.0), (17.0, 18.0), 0.9, 4.2),
    Sensor("T50 (R)", (1402.0, 1305.0, 1248.0, 1046.0, 1126.0, 1122.0), (30.0, 28.0), 0.8, 5.0),
    Sensor("P2 (psia)", (14.62, 10.52, 9.35, 7.05, 5.48, 3.91)),
    # Its last digit flips now and then, as in FD001: a feature that is almost constant.
    Sensor("P15 (psia)", (21.61, 15.49, 13.65, 9.03, 8.00, 5.71), (0.0, 0.0), 0.0, 0.0025),
    Sensor("P30 (psia)", (554.0, 394.8, 334.9, 175.6, 194.7, 138.8), (-2.9, 11.0), 0.2, 0.55),
    Sensor("Nf (rpm)", (2388.05, 2318.9, 2323.9, 1915.3, 2222.9, 2211.9), (0.2, 0.5), 0.7, 0.05),
    Sensor("Nc (rpm)", (9055.0, 8778.0, 8723.0, 8010.0, 8350.0, 8321.0), (40.0, 65.0), 2.0, 6.0),
    Sensor("epr (-)", (1.30, 1.26, 1.08, 0.94, 1.02, 1.02)),
    Sensor("Ps30 (psia)", (47.33, 45.3, 44.27, 36.65, 41.8, 41.97), (0.93, 1.0), 0.6, 0.15),
    Sensor("phi (pps/psi)", (522.0, 371.9, 315.2, 164.7, 183.2, 130.7), (-2.5, 11.0), 0.2, 0.43),
    Sensor("NRf (rpm)", (2388.05, 2388.1, 2388.1, 2028.2, 2388.1, 2388.0), (0.2, 0.5), 0.7, 0.05),
    Sensor("NRc (rpm)", (8137.0, 8131.0, 8062.0, 7874.0, 8068.0, 8084.0), (30.0, 50.0), 2.0, 5.5),
    Sensor("BPR (-)", (8.416, 8.637, 9.205, 10.882, 9.304, 9.351), (0.12, -0.1), 0.4, 0.022),
    Sensor("farB (-)", (0.03, 0.03, 0.02, 0.02, 0.02, 0.02)),
    Sensor("htBleed (-)", (392.1, 368.7, 364.4, 306.6, 333.4, 330.2), (4.6, 5.0), 0.8, 1.0),
    Sensor("Nf_dmd (rpm)", (2388.0, 2319.0, 2324.0, 1915.0, 2223.0, 2212.0)),
    Sensor("PCNfR_dmd (%)", (100.0, 100.0, 100.0, 84.93, 100.0, 100.0)),
    Sensor("W31 (lbm/s)", (38.94, 28.61, 24.53, 14.30, 14.88, 10.62), (-0.56, 0.4), 0.3, 0.11),
    Sensor("W32 (lbm/s)", (23.36, 17.17, 14.71, 8.58, 8.92, 6.37), (-0.33, 0.24), 0.3, 0.068),
)
# fmt: on

FAULT_MODES = ("HPC", "fan")
"""The order of `Sensor.shift`."""


def sensor_values(
    condition: NDArray[np.int64],
    fault_mode: int,
    efficiency_loss: NDArray[np.float64],
    flow_loss: NDArray[np.float64],
    noise: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The 21 sensors (T, 21) at T cycles.

    condition: (T,) index into `CONDITIONS`. fault_mode: index into `FAULT_MODES`.
    efficiency_loss, flow_loss: (T,) as shares of the loss at which the engine fails (0 healthy, 1 failed).
    noise: (T, 21) in standard deviations of each sensor's noise.
    """
    baseline = np.array([sensor.baseline for sensor in SENSORS]).T
    shift = np.array([sensor.shift[fault_mode] for sensor in SENSORS])
    share = np.array([sensor.efficiency_share for sensor in SENSORS])
    spread = np.array([sensor.noise for sensor in SENSORS])
    response = shift * (efficiency_loss[:, None] * share + flow_loss[:, None] * (1 - share))
    return np.asarray(baseline[condition] * (1 + (response + spread * noise) / baseline[0]))
