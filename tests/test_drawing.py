"""The colours of the figures are told apart by readers who are colour-blind, on light ground and on dark."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from ethos.drawing import COLOURS
from ethos.report import FOLDER

# Machado, Oliveira & Fernandes (2009), doi:10.1109/TVCG.2009.113: linear RGB as it is seen without one kind of cone.
SEEN = {
    "all cones": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
# IEC 61966-2-1 (sRGB), and CIE 15 for L*a*b*.
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
LEAST = 15  # of CIE76; about 2 is just noticeable side by side


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    x, y, z = TO_XYZ @ rgb / TO_XYZ.sum(axis=1)
    fx, fy, fz = (np.cbrt(v) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


def distance(one: str, other: str, seen: str) -> float:
    first, second = (lab(np.clip(np.array(SEEN[seen]) @ linear(colour), 0, 1)) for colour in (one, other))
    return float(np.linalg.norm(first - second))


def contrast(one: str, other: str) -> float:
    """Of WCAG 2: 3 is asked of graphics."""
    dark, light = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def test_the_distance_is_that_of_known_colours():
    assert distance("#ffffff", "#000000", "all cones") == pytest.approx(100, abs=0.01)
    assert distance("#ff0000", "#00ff00", "all cones") == pytest.approx(170.6, abs=0.5)
    assert distance("#8a8f98", "#cc79a7", "deuteranopia") < 5  # a grey and a pink that were taken for each other


@pytest.mark.parametrize("seen", SEEN)
def test_every_two_colours_are_told_apart(seen):
    close = [pair for pair in combinations(COLOURS, 2) if distance(*(COLOURS[name] for name in pair), seen) < LEAST]
    assert close == []


def test_base_stands_out_on_light_ground_and_on_dark():
    style = (FOLDER / "style.css").read_text()
    assert "--card: #ffffff" in style and "--card: #1c1f25" in style
    assert min(contrast(COLOURS["base"], ground) for ground in ("#ffffff", "#1c1f25")) >= 3
