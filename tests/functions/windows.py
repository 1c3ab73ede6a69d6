"""Calls of convolutions and of pooling."""

from __future__ import annotations

from math import inf, nan

from tests.functions.calls import Call, Operand, call, f64, numbers

LINE, IMAGE, VOLUME = f64(2, 4, 7), f64(2, 4, 5, 6), f64(1, 2, 4, 5, 3)
OF_LINE, OF_IMAGE, OF_VOLUME = f64(6, 4, 3), f64(6, 4, 3, 2), f64(4, 2, 2, 3, 2)


def spatial(rank: int, *lead: int, dtype: str = "float64") -> Operand:
    """An operand of ``rank`` spatial dimensions behind the ``lead``."""
    return Operand(dtype, (*lead, *(6, 5, 4)[:rank]))


def convolutions(x: Operand, weight: Operand) -> list[Call]:
    """Calls of a convolution of any rank."""
    rank = len(weight.shape) - 2
    channels = weight.shape[0]
    grouped = Operand("float64", (channels, weight.shape[1] // 2, *weight.shape[2:]))
    return [
        call(x, weight),
        call(x, weight, f64(channels)),
        call(x, weight, f64(channels), 2),
        call(x, weight, None, 1, 1),
        call(x, weight, stride=(2,) * rank, padding=(1,) * rank, dilation=(1,) * rank),
        call(x, weight, dilation=2, padding=2),
        call(x, weight, padding="valid"),
        call(x, weight, padding="same"),
        call(x, weight, padding="same", stride=2),
        call(x, weight, padding="half"),
        call(x, grouped, f64(channels), groups=2),
        call(input=x, weight=weight, bias=f64(channels)),
        call(Operand("float64", x.shape[1:]), weight),
        call(Operand("float32", x.shape), Operand("float32", weight.shape)),
        call(Operand("float16", x.shape), Operand("float16", weight.shape), rounding=4),
        call(Operand("float64", (0, *x.shape[1:])), weight),
        call(x, Operand("float32", weight.shape)),
        call(x, Operand("float64", (channels, x.shape[1] + 1, *weight.shape[2:]))),
        call(x, weight, f64(channels + 1)),
        call(x, weight, groups=3),
        call(x, weight, stride=0),
        call(x, weight, padding=-1),
        call(Operand("float64", x.shape[2:]), weight),
        call(x, Operand("float64", (channels, x.shape[1], *(9,) * rank))),
        call(x, weight, stride=(1,) * (rank + 1)),
        call(x, 1.0),
    ]


def transposed(x: Operand, weight: Operand) -> list[Call]:
    """Calls of a transposed convolution of any rank."""
    rank = len(weight.shape) - 2
    channels = weight.shape[1]
    return [
        call(x, weight),
        call(x, weight, f64(channels)),
        call(x, weight, f64(channels), 2, 1),
        call(x, weight, stride=2, output_padding=1),
        call(x, weight, None, 2, 0, 1, 1),
        call(x, weight, stride=(2,) * rank, padding=1, dilation=2, output_padding=(1,) * rank),
        call(x, weight, groups=2),
        call(x, weight, f64(channels * 2), groups=2),
        call(Operand("float64", x.shape[1:]), weight),
        call(Operand("float32", x.shape), Operand("float32", weight.shape)),
        call(x, weight, output_padding=1),
        call(x, Operand("float32", weight.shape)),
        call(x, Operand("float64", (x.shape[1] + 1, *weight.shape[1:]))),
        call(x, weight, groups=3),
        call(x, weight, padding=-1),
        call(Operand("float64", x.shape[2:]), weight),
    ]


CONVOLUTIONS: dict[str, list[Call]] = {
    "conv1d": convolutions(LINE, OF_LINE),
    "conv2d": convolutions(IMAGE, OF_IMAGE),
    "conv3d": convolutions(VOLUME, OF_VOLUME),
    "conv_transpose1d": transposed(f64(2, 4, 5), f64(4, 3, 3)),
    "conv_transpose2d": transposed(f64(2, 4, 3, 4), f64(4, 3, 3, 2)),
    "conv_transpose3d": transposed(f64(1, 2, 3, 2, 3), f64(2, 3, 2, 2, 2)),
}

HOLES = numbers([[[1.0, nan, 3.0, -inf, 2.0, 2.0]]])


def maxima(rank: int) -> list[Call]:
    """Calls of a maximum pool of any rank."""
    x = spatial(rank, 2, 3)
    return [
        call(x, 2),
        call(x, (2,) * rank),
        call(x, 3, 2),
        call(x, 3, 2, 1),
        call(x, kernel_size=2, stride=1, dilation=2),
        call(x, 3, 2, 1, 1, True),
        call(x, 3, stride=2, ceil_mode=True),
        call(x, 2, return_indices=True),
        call(x, 3, 2, 1, return_indices=True),
        call(spatial(rank, 3), 2),
        call(spatial(rank, 2, 3, dtype="float16"), 2),
        call(spatial(rank, 2, 3, dtype="float32"), 2, 1),
        call(spatial(rank, 0, 3), 2),
        call(x, 3, padding=2),
        call(x, 9),
        call(x, 0),
        call(x, 2, 0),
        call(x, (2,) * (rank + 1)),
        call(spatial(rank), 2),
        call(x),
    ]


def means(rank: int) -> list[Call]:
    """Calls of an average pool of any rank."""
    x = spatial(rank, 2, 3)
    divided: list[Call] = [call(x, 2, divisor_override=3)] if rank > 1 else []
    # PyTorch has no pool of volumes of 16-bit floats.
    half = spatial(rank, 2, 3, dtype="float16")
    halves: list[Call] = [call(half, 2)] if rank < 3 else []
    return [
        call(x, 2),
        call(x, (2,) * rank),
        call(x, 3, 2),
        call(x, 3, 2, 1),
        call(x, 3, 2, 1, False, False),
        call(x, kernel_size=3, stride=2, padding=1, ceil_mode=True),
        call(x, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
        *divided,
        *halves,
        call(spatial(rank, 2, 3, dtype="int64"), 3, 2, 1),
        call(spatial(rank, 2, 3, dtype="int64"), 3, 2, 1, count_include_pad=False),
        call(spatial(rank, 2, 3, dtype="int32"), 2),
        call(spatial(rank, 3), 2),
        call(spatial(rank, 2, 3, dtype="float32"), 2, 1),
        call(spatial(rank, 0, 3), 2),
        call(x, 3, padding=2),
        call(x, 9),
        call(x, 0),
        call(x, (2,) * (rank + 1)),
        call(spatial(rank), 2),
        call(x),
    ]


def adaptive(rank: int) -> list[Call]:
    """Calls of an adaptive pool of any rank."""
    x = spatial(rank, 2, 3)
    several: list[Call] = [call(x, (2, *(None,) * (rank - 1)))] if rank > 1 else []
    return [
        call(x, 1),
        call(x, 3),
        call(x, (2,) * rank),
        *several,
        call(x, output_size=4),
        call(spatial(rank, 3), 2),
        call(spatial(rank, 2, 3, dtype="float32"), 3),
        call(spatial(rank, 2, 3, dtype="float16"), 3),
        call(spatial(rank, 0, 3), 2),
        call(Operand("float64", (2, 3, *(0,) * rank)), 2),
        # PyTorch's gradients of no windows are errors.
        call(x.fixed, 0),
        call(spatial(rank), 2),
        call(x, (2,) * (rank + 1)),
        call(spatial(rank, 2, 3, dtype="int64"), 2),
    ]


def powers(rank: int) -> list[Call]:
    """Calls of a power-average pool of any rank."""
    x = spatial(rank, 2, 3)
    return [
        call(x, 2, 2),
        call(x, 3, 3, 2),
        call(x.within(0.5, 2), 1.5, 2, 1),
        call(x, norm_type=2, kernel_size=3, stride=2, ceil_mode=True),
        call(spatial(rank, 2, 3, dtype="float32"), 2, 2),
        call(x, 2, 9),
    ]


POOLS: dict[str, list[Call]] = {
    **{f"max_pool{rank}d": maxima(rank) for rank in (1, 2, 3)},
    **{f"avg_pool{rank}d": means(rank) for rank in (1, 2, 3)},
    **{f"adaptive_avg_pool{rank}d": adaptive(rank) for rank in (1, 2, 3)},
    **{
        f"adaptive_max_pool{rank}d": [
            *adaptive(rank),
            call(spatial(rank, 2, 3), 3, return_indices=True),
            call(spatial(rank, 2, 3), 2, True),
        ]
        for rank in (1, 2, 3)
    },
    **{f"lp_pool{rank}d": powers(rank) for rank in (1, 2, 3)},
}
for _rank in (1, 2, 3):
    POOLS[f"max_pool{_rank}d_with_indices"] = maxima(_rank)[:6]
    POOLS[f"adaptive_max_pool{_rank}d_with_indices"] = adaptive(_rank)[:3]
POOLS["max_pool1d"] += [call(HOLES, 3, 1), call(HOLES, 2, 2, 1), call(spatial(1, 2, 3), 2, 1, 1)]
POOLS["adaptive_max_pool1d"] += [call(HOLES, 2)]
