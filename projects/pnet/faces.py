"""Windows cut from 100 pictures with a face and 100 without, each with what P-Net is to say of it.

The pictures come with scikit-image (25 x 25 grey pixels, from Labeled Faces in the Wild; a few of the 100 without a
face show a part of one). The faces are aligned, so one box holds for all of them: FACE, from the brows to the chin.
There are no landmarks. As in the paper (Zhang et al., 2016, https://arxiv.org/abs/1604.02878), the overlap of a window
with the box, as intersection over union, says what the window is:

    face        0.65 and more           is classified, and has a box
    part        0.40 to 0.65            has a box
    background  below 0.30, or any window of a picture without a face: is classified

Windows are squares of 13 to 25 pixels (background in pictures with a face: 7 to 13), scaled to the 12 x 12 of P-Net.
"""

from typing import NamedTuple

import numpy as np
import torch
from skimage.data import lfw_subset
from torch.nn.functional import affine_grid, grid_sample

PICTURE, INPUT = 25, 12
FACE = np.array([3.0, 4.0, 22.0, 23.0])  # left, top, right, bottom, in pixels
SPLIT_SEED = 0
VALIDATION_SEED, VALIDATION_CROPS = 1, 16
BACKGROUND, IS_FACE, PART = 0, 1, 2


class Windows(NamedTuple):
    """n windows: `pixels` (n, 1, 12, 12) in -1..1, `kind` (n,), `box` (n, 4), `picture` (n,).

    The box is how far the face's left, top, right and bottom lie from those of the window, as shares of its side; 0 for
    background, where it counts for nothing. `picture` is the number of the picture that the window was cut from.
    """

    pixels: torch.Tensor
    kind: torch.Tensor
    box: torch.Tensor
    picture: torch.Tensor


def load_windows(crops, seed):
    """Return the windows (to train on, to validate with), `crops` of each kind from a picture to train on.

    The pictures are halved once, faces and others alike, so that no picture is in both halves; the windows to validate
    with are the same in every run. The seed places those to train on.
    """
    pictures = lfw_subset()
    to_train, to_validate = split()
    validation = cut_all(pictures, to_validate, VALIDATION_CROPS, np.random.default_rng(VALIDATION_SEED))
    return cut_all(pictures, to_train, crops, np.random.default_rng([seed, 2])), validation


def split():
    """Return the numbers of the pictures to train on, and of those to validate with: 50 faces and 50 others each."""
    rng = np.random.default_rng(SPLIT_SEED)
    faces, others = rng.permutation(100), 100 + rng.permutation(100)
    return tuple(np.concatenate([faces[half], others[half]]) for half in (slice(50), slice(50, 100)))


def cut_all(pictures, numbers, crops, rng):
    """Return `crops` windows of each kind that a picture can give, for every picture of these numbers."""
    faces, others = numbers[numbers < 100], numbers[numbers >= 100]
    parts = [cut(pictures, faces, crops, kind, rng) for kind in (IS_FACE, PART, BACKGROUND)]
    parts.append(cut(pictures, others, crops, BACKGROUND, rng))
    return Windows(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def cut(pictures, numbers, crops, kind, rng):
    """Return `crops` windows of one kind from each of the pictures."""
    source = np.repeat(numbers, crops)
    corners = place(len(source), kind, bool((numbers < 100).all()), rng)
    side = corners[:, 2:3] - corners[:, :1]
    box = (FACE - corners) / side if kind != BACKGROUND else np.zeros_like(corners)
    pixels = 2 * scale(pictures[source], corners) - 1
    return Windows(pixels, torch.full((len(source),), kind), torch.tensor(box).float(), torch.tensor(source))


def place(count, kind, has_face, rng):
    """Return the corners (count, 4) of random windows whose overlap with the face makes them of this kind."""
    found = np.empty((0, 4))
    while len(found) < count:
        side = rng.uniform(*((7, 13) if kind == BACKGROUND and has_face else (13, PICTURE)), (count, 1))
        left_top = rng.uniform(size=(count, 2)) * (PICTURE - side)
        corners = np.concatenate([left_top, left_top + side], axis=1)
        overlap = overlaps(corners)
        of_kind = {BACKGROUND: (overlap < 0.3) | (not has_face), IS_FACE: overlap >= 0.65}
        found = np.concatenate([found, corners[of_kind.get(kind, (overlap >= 0.4) & (overlap < 0.65))]])
    return found[:count]


def overlaps(corners):
    """Return each window's intersection over union with the face's box."""
    low, high = np.maximum(corners[:, :2], FACE[:2]), np.minimum(corners[:, 2:], FACE[2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    return shared / ((corners[:, 2] - corners[:, 0]) ** 2 + (FACE[2:] - FACE[:2]).prod() - shared)


def scale(pictures, corners):
    """Return the windows of the pictures (n, 25, 25), one each, as (n, 1, 12, 12), interpolated."""
    count = len(corners)
    place = torch.zeros(count, 2, 3)
    place[:, 0, 0] = place[:, 1, 1] = torch.tensor(corners[:, 2] - corners[:, 0]) / PICTURE
    place[:, :, 2] = torch.tensor(corners[:, :2] + corners[:, 2:]) / PICTURE - 1
    grid = affine_grid(place, [count, 1, INPUT, INPUT], align_corners=False)
    return grid_sample(torch.tensor(pictures).float()[:, None], grid, padding_mode="border", align_corners=False)
