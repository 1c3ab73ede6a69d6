"""Sampling of images, with what PyTorch asks of its arguments and warns of."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from graphc.errors import GraphcNotImplementedError, GraphcValueError
from graphc.surface import LIFTED
from graphc.tensor import Tensor


def _aligned(given: bool | None) -> bool:
    if given is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False "
            "since 1.3.0. Please specify align_corners=True if the old behavior is desired. See "
            "the documentation of grid_sample for details.",
            stacklevel=3,
        )
    return bool(given)


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Images at the places that ``grid`` names, of which -1 and 1 are the ends."""
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise GraphcValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise GraphcValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    aligned = _aligned(align_corners)
    result: Tensor = LIFTED["grid_sampled"](input, grid, mode, padding_mode, aligned)
    return result


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid by which ``grid_sample`` carries out the affine maps ``theta``."""
    aligned = _aligned(align_corners)
    if not theta.dtype.is_floating_point:
        raise GraphcValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    dims = len(size) - 2
    if dims not in (2, 3):
        raise GraphcNotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}."
        )
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (dims, dims + 1):
        raise GraphcValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size "
            f"{size}. Got {theta.shape}."
        )
    if aligned and min(size[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when "
            "align_corners=True. This is not an intended use case of affine_grid. See the "
            "documentation of affine_grid for details.",
            stacklevel=2,
        )
    elif min(size) <= 0:
        raise GraphcValueError(f"Expected non-zero, positive output size. Got {size}")
    result: Tensor = LIFTED["affine_places"](theta, tuple(size), aligned)
    return result
