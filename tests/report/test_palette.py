import itertools

import numpy as np
import pytest

from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.report.page import style
from nasaudit.report.palette import COLOURS, CROWD, DARK, DARK_GROUND, styles
from nasaudit.spec.study import ArchChoice

# Machado, Oliveira & Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# 2009: full deficiency, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> np.ndarray:
    coded = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of linear sRGB."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_every_pair_of_colours_stays_apart(deficiency: str) -> None:
    seen = [lab(np.array(DEFICIENCIES[deficiency]) @ linear(colour)) for colour in COLOURS]
    closest = min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2))
    assert closest > 10  # about 2 is the least difference that an eye sees; dash and marker differ as well


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: of relative luminances, the lighter over the darker."""
    dark, light = sorted(
        float(linear(colour) @ np.array([0.2126, 0.7152, 0.0722])) for colour in (one, other)
    )
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", COLOURS)
def test_contrast_with_white_and_with_a_dark_ground(colour: str) -> None:
    assert contrast(colour, "#ffffff") >= 3
    assert contrast(DARK[colour], DARK_GROUND) >= 4.5


def test_the_page_is_as_dark_as_the_palette_expects() -> None:
    assert f"--page: {DARK_GROUND};" in style()


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_colours_on_a_dark_ground_stay_apart_too(deficiency: str) -> None:
    seen = [lab(np.array(DEFICIENCIES[deficiency]) @ linear(DARK[colour])) for colour in COLOURS]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > 10


def test_no_two_architectures_of_the_catalogue_look_alike() -> None:
    names = list(CATALOGUE)[:CROWD]  # more of them have the looks of their groups
    specs = [resolve(ArchChoice(name=name), "mini", 10, (3, 28, 28)) for name in names]
    looks = [(style.colour, style.shape) for style in styles(specs).values()]
    assert len(set(looks)) == len(specs) >= 17
