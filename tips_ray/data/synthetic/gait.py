"""Walking and running: joint angles over the gait cycle, as Fourier series that approximate
published curves."""

import numpy as np
from scipy.interpolate import CubicSpline

NUM_HARMONICS = 6

WALK_HIP = {0: 20, 10: 17, 30: 2, 50: -11, 60: -6, 75: 14, 86: 22, 94: 21}
WALK_KNEE = {0: 4, 7: 14, 15: 21, 28: 12, 40: 5, 50: 11, 60: 38, 72: 65, 84: 38, 95: 4}
"""Degrees of flexion at percent of the cycle (0: heel strike) at natural cadence: rounded points
that approximate the normative curves of Winter (1991), The Biomechanics and Motor Control of Human
Gait; not a transcript of its tables."""

RUN_HIP = {0: 38, 12: 32, 25: 10, 40: -8, 50: 2, 62: 30, 78: 52, 92: 44}
RUN_KNEE = {0: 18, 8: 36, 16: 44, 28: 30, 38: 20, 50: 58, 65: 98, 80: 60, 93: 18}
"""The same at about 3.2 m/s, approximating Novacheck (1998), The biomechanics of running, Gait &
Posture 7."""


def fourier(points: dict[int, int]) -> np.ndarray:
    """Complex Fourier coefficients (harmonics + 1,) of the smooth periodic curve through points at
    percents of the cycle."""
    percent, degrees = [*points, 100], [*points.values(), points[0]]
    curve = CubicSpline(percent, degrees, bc_type="periodic")(np.arange(100))
    coefficients = np.fft.rfft(curve)[: NUM_HARMONICS + 1] / 50
    coefficients[0] /= 2
    return coefficients


SERIES = {
    name: fourier(points)
    for name, points in (("walk_hip", WALK_HIP), ("walk_knee", WALK_KNEE), ("run_hip", RUN_HIP), ("run_knee", RUN_KNEE))
}


def gait_angle(curve: str, phase: np.ndarray, size: float = 1.0) -> np.ndarray:
    """Degrees (frames,) of `SERIES[curve]` at `phase` (turns; 0: this side's heel strike), with
    `size` times the usual swing."""
    coefficients = SERIES[curve]
    waves = np.exp(2j * np.pi * phase[:, None] * np.arange(1, len(coefficients)))
    return coefficients[0].real + size * np.real(waves @ coefficients[1:])
