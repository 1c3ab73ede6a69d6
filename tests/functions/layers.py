"""Calls of convolutions, pooling, padding, normalisation, resizing and look-ups."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from tests.functions.calls import Call, Operand, call, each, f16, f32, f64, i32, i64, numbers, u8

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

FRAMES = [
    call(f64(2, 3), (1, 2)),
    call(f64(2, 3), [1, 2, 3, 0]),
    call(f64(2, 3), (1, 1), value=2.5),
    call(f64(2, 3), (1, 1), "constant", 2),
    call(f64(2, 3), (-1, 1)),
    call(f64(2, 3), (-1, -1, 1, 0)),
    call(f64(2, 3), (0, 0)),
    call(f64(2, 3), ()),
    call(f32(), ()),
    call(f32(0, 3), (1, 1)),
    call(i64(2, 3), (1, 1)),
    call(i64(2, 3), (1, 1), value=1.7),
    call(u8(3), (1, 1), value=5),
    call(numbers([True, False], "bool"), (1, 1), value=True),
    call(f16(3), (1, 1), value=0.1),
    call(input=f64(3), pad=(1, 0)),
    call(f64(2, 3), (1,)),
    call(f64(2, 3), (1, 1, 1, 1, 1, 1)),
    call(f64(2, 3), (-2, -2)),
    call(f64(2, 3), (1, 1), "mirror"),
    call(f64(2, 3), 1),
    call(f64(2, 3), (1.5, 1)),
]


def reflected(mode: str) -> list[Call]:
    """Calls of a padding with elements of the operand."""
    return [
        call(f64(2, 3, 4), (1, 2), mode),
        call(f64(3, 4), (1, 2), mode=mode),
        call(f64(2, 3, 4, 5), (1, 2, 3, 0), mode),
        call(f64(3, 4, 5), (1, 2, 3, 0), mode),
        call(f64(1, 2, 3, 4, 3), (1, 1, 2, 0, 0, 1), mode),
        call(f64(2, 3, 4), (-1, 2), mode),
        call(f32(2, 3, 4), (0, 0), mode),
        call(i64(2, 3, 4), (1, 1), mode),
        call(f64(4), (1, 1), mode),
        call(f64(2, 3, 4), (1, 1, 1, 1, 1, 1), mode),
        call(f64(2, 3, 4), (1, 1), mode, 1.0),
        call(f64(2, 3, 4), (5, 0), mode),
    ]


PADDING: dict[str, list[Call]] = {
    "pad": [
        *FRAMES,
        *[c for mode in ("reflect", "replicate", "circular") for c in reflected(mode)],
    ],
}

ROWS = [
    call(f64(2, 3, 4), (4,)),
    call(f64(2, 3, 4), [3, 4]),
    call(f64(2, 3, 4), (4,), f64(4)),
    call(f64(2, 3, 4), normalized_shape=(4,), weight=f64(4), eps=0.1),
    call(f16(2, 8), (8,)),
    call(f32(2, 8), (8,), f32(8)),
    call(f32(0, 8), (8,)),
    call(numbers([[1.0, 1.0], [inf, 2.0], [nan, 1.0]]).fixed, (2,)),
    call(f64(2, 3, 4), (3,)),
    call(f64(2, 3, 4), (4,), f64(3)),
    call(f64(2, 3, 4), ()),
    call(i64(2, 4), (4,)),
]
GROUPS = [
    call(f64(2, 4), 2),
    call(f64(2, 4, 3), 2),
    call(f64(2, 4, 3, 2), 4, f64(4), f64(4)),
    call(f64(2, 4, 3), num_groups=1, weight=f64(4), eps=0.1),
    call(f16(2, 4, 3), 2),
    call(f32(2, 4, 3), 2, f32(4), f32(4)),
    call(f64(2, 4, 3), 3),
    call(f64(4), 2),
    call(f64(1, 2), 2),
    call(f64(2, 4, 3), 2, f64(2)),
    call(i64(2, 4), 2),
]
CHANNELS = [
    call(f64(4, 3), f64(3).fixed, f64(3).within(0.5, 2).fixed),
    call(f64(4, 3, 5), f64(3).fixed, f64(3).within(0.5, 2).fixed, f64(3), f64(3)),
    call(f64(2, 3, 2, 2), f64(3).fixed, f64(3).within(0.5, 2).fixed, weight=f64(3)),
    call(f64(2, 3, 2), f64(3).fixed, f64(3).within(0.5, 2).fixed, None, None, False, 0.1, 0.5),
    call(f64(4, 3), f64(2).fixed, f64(3).fixed),
    call(f64(4, 3), f64(3).fixed, f64(3).within(0.5, 2).fixed, f64(2)),
    call(f64(4, 3), None, None),
]
TRAINED = [
    call(f64(4, 3), f64(3).fixed, f64(3).fixed, training=True),
    call(f64(4, 3, 5), f64(3).fixed, f64(3).fixed, f64(3), f64(3), True),
    call(f64(2, 3, 2, 2), None, None, f64(3), f64(3), True),
    call(f64(4, 3), f64(3).fixed, f64(3).fixed, training=True, momentum=0.5, eps=0.1),
    call(f32(4, 3), f32(3).fixed, f32(3).fixed, training=True),
    call(f64(1, 3), None, None, training=True),
    call(f64(3), None, None, training=True),
    call(i64(4, 3), None, None, training=True),
]
SINGLE = [
    call(f64(2, 3, 5)),
    call(f64(2, 3, 2, 4)),
    call(f64(2, 3, 5), weight=f64(3), bias=f64(3)),
    call(f64(2, 3, 5), f64(3).fixed, f64(3).fixed),
    call(f64(2, 3, 5), f64(3).fixed, f64(3).fixed, f64(3), f64(3), True, 0.5, 0.1),
    call(f64(2, 3, 5), f64(3).fixed, f64(3).within(0.5, 2).fixed, use_input_stats=False),
    call(f16(2, 3, 5)),
    call(f64(2, 3, 1)),
    call(f64(2, 3, 5), weight=f64(2)),
]
NORMALIZATIONS: dict[str, list[Call]] = {
    "layer_norm": [*ROWS, call(f64(2, 3, 4), (4,), f64(4), f64(4), 0.1)],
    "rms_norm": [*ROWS, call(f64(2, 3, 4), (4,), f64(4), 0.1), call(f64(2, 4), (4,), None, None)],
    "group_norm": GROUPS,
    "batch_norm": [*CHANNELS, *TRAINED],
    "instance_norm": SINGLE,
    "local_response_norm": [
        call(f64(2, 5, 3), 2),
        call(f64(2, 5, 3), 3),
        call(f64(2, 5, 3, 2), 3, 0.5, 0.5, 2.0),
        call(f64(1, 5, 2, 2, 2), size=2, alpha=0.1),
        call(f32(2, 4, 3), 2),
        call(f64(2, 5), 2),
    ],
}

REARRANGEMENTS: dict[str, list[Call]] = {
    "pixel_shuffle": [
        call(f64(1, 8, 2, 3), 2),
        call(f64(9, 2, 2), 3),
        call(f64(2, 2, 4, 2, 3), upscale_factor=2),
        call(i64(4, 1, 1), 2),
        call(f64(1, 6, 2, 2), 2),
        call(f64(4, 2), 2),
        call(f64(1, 4, 2, 2), 0),
    ],
    "pixel_unshuffle": [
        call(f64(1, 2, 4, 6), 2),
        call(f64(1, 3, 3), 3),
        call(f64(2, 2, 1, 2, 4), downscale_factor=2),
        call(f64(1, 2, 3, 4), 2),
        call(f64(1, 2, 4, 3), 2),
        call(f64(4, 2), 2),
        call(f64(1, 4, 2, 2), 0),
    ],
    "channel_shuffle": [
        call(f64(1, 6, 2, 3), 2),
        call(f64(2, 6, 3), groups=3),
        call(f64(1, 6, 2, 2), 4),
        call(f64(2, 6), 2),
        call(f64(6), 2),
        call(f64(1, 6, 2, 2), 0),
    ],
    "native_channel_shuffle": [call(f64(1, 6, 2, 3), 2), call(f64(1, 6, 2, 2), 4)],
    "unfold": [
        call(f64(2, 3, 5, 6), 2),
        call(f64(2, 3, 5, 6), (2, 3), 2, 1, 2),
        call(f64(3, 5, 6), kernel_size=2, stride=(2, 1)),
        call(f64(2, 3, 5, 6), 7),
        call(f64(5, 6), 2),
        call(f64(2, 3, 5, 6), 0),
        call(f64(2, 3, 5), 2),
    ],
    "fold": [
        call(f64(2, 12, 20), (5, 6), 2),
        call(f64(12, 20), (5, 6), (2, 2)),
        call(f64(2, 12, 6), output_size=(5, 6), kernel_size=2, stride=2),
        call(f64(2, 12, 19), (5, 6), 2),
        call(f64(2, 13, 20), (5, 6), 2),
        call(f64(2, 12, 30), (5, 6), 2, 1, (1, 0)),
        call(f64(12), (5, 6), 2),
    ],
}


def resized() -> list[Call]:
    """Calls of an interpolation."""
    line, image, volume = f64(2, 3, 5), f64(1, 2, 4, 5), f64(1, 2, 3, 2, 3)
    modes: list[tuple[Operand, str]] = [
        *[
            (x, mode)
            for mode in ("nearest", "nearest-exact", "area")
            for x in (line, image, volume)
        ],
        (line, "linear"),
        (image, "bilinear"),
        (image, "bicubic"),
        (volume, "trilinear"),
    ]
    found = []
    for x, mode in modes:
        found += [
            call(x, 7, mode=mode),
            call(x, scale_factor=1.7, mode=mode),
            call(x, 2, None, mode),
        ]
        if mode.endswith(("linear", "cubic")):
            found += [
                call(x, 7, mode=mode, align_corners=True),
                call(x, 1, mode=mode, align_corners=True),
                call(x, scale_factor=0.6, mode=mode, recompute_scale_factor=True),
            ]
    return [
        *found,
        call(image, (3, 8)),
        call(image, scale_factor=(2, 0.5)),
        call(f32(1, 2, 4, 5), (3, 8), mode="bilinear"),
        call(image),
        call(image, 8, 2.0),
        call(image, (8, 8, 8)),
        call(image, scale_factor=(2.0,)),
        call(image, 8, align_corners=True),
        call(image, 8, mode="cubic"),
        call(image, 8, mode="trilinear"),
        call(line, 8, mode="bilinear"),
        call(image, 0),
        call(f64(3, 4), 8),
    ]


TABLE = f64(5, 3)
INDEX = numbers([[0, 2, 2], [4, 0, 1]], "int64")
LOOKUPS: dict[str, list[Call]] = {
    "interpolate": resized(),
    "embedding": [
        call(INDEX, TABLE),
        call(numbers([1, 1], "int32"), TABLE),
        call(numbers(3, "int64"), TABLE),
        call(Operand("int64", (0,)), TABLE),
        call(INDEX, TABLE, 0),
        call(INDEX, TABLE, padding_idx=-5),
        call(INDEX, TABLE, scale_grad_by_freq=True),
        call(INDEX, TABLE.fixed, max_norm=1.0),
        call(INDEX, TABLE.fixed, max_norm=1.0, norm_type=1.0),
        call(INDEX, f16(5, 3)),
        call(INDEX, f64(5)),
        call(INDEX, i64(5, 3)),
        call(f64(3), TABLE),
        call(numbers([5], "int64"), TABLE),
        call(numbers([-1], "int64"), TABLE),
    ],
    "one_hot": [
        call(INDEX, 5),
        call(INDEX),
        call(INDEX, -1),
        call(numbers(2, "int64"), 4),
        call(tensor=numbers([0, 1], "int64"), num_classes=2),
        call(Operand("int64", (0,)), 3),
        call(Operand("int64", (0,))),
        call(INDEX, 3),
        call(INDEX, 0),
        call(numbers([-1], "int64"), 2),
        call(i32(3), 5),
        call(f64(3), 5),
    ],
}

SHORT: dict[str, Any] = {"dropout_p": 0.0}
ATTENTION: dict[str, list[Call]] = {
    "scaled_dot_product_attention": [
        call(f64(2, 3, 4), f64(2, 5, 4), f64(2, 5, 6)),
        call(f64(2, 2, 3, 4), f64(2, 2, 3, 4), f64(2, 2, 3, 4), is_causal=True),
        call(f64(3, 4), f64(5, 4), f64(5, 2), scale=0.3, **SHORT),
        call(f64(2, 3, 4), f64(2, 5, 4), f64(2, 5, 4), f64(3, 5)),
        call(f64(2, 3, 4), f64(2, 5, 4), f64(2, 5, 4), attn_mask=numbers(
            [[True, False, True, True, False], [True] * 5, [False, True, False, False, True]],
            "bool",
        )),
        call(f64(2, 4, 3, 4), f64(2, 2, 5, 4), f64(2, 2, 5, 4), enable_gqa=True),
        call(f32(1, 2, 3, 4), f32(1, 2, 3, 4), f32(1, 2, 3, 4)),
        call(f16(1, 2, 3, 4), f16(1, 2, 3, 4), f16(1, 2, 3, 4), rounding=2),
        call(f64(2, 3, 4), f64(2, 5, 3), f64(2, 5, 4)),
        call(f64(2, 3, 4), f32(2, 5, 4), f64(2, 5, 4)),
        call(f64(2, 3, 4), f64(2, 5, 4), f64(2, 5, 4), f64(3, 5).fixed, is_causal=True),
        call(f64(4), f64(4), f64(4)),
    ],
}  # fmt: skip

LINEAR: dict[str, list[Call]] = {
    "linear": [
        call(f64(3, 4), f64(5, 4)),
        call(f64(3, 4), f64(5, 4), f64(5)),
        call(f64(2, 3, 4), f64(5, 4), f64(5)),
        call(f64(2, 3, 4), f64(5, 4)),
        call(f64(4), f64(5, 4), f64(5)),
        call(f64(4), f64(5, 4)),
        call(f64(3, 4), f64(4)),
        call(f64(3, 4), f64(5, 3)),
        call(f32(3, 4), f64(5, 4)),
        call(f32(0, 4), f32(5, 4), f32(5)),
    ],
    "bilinear": [call(f64(2, 3), f64(2, 4), f64(5, 3, 4), f64(5))],
    "tanh": each(f64(3)),
}

LAYERS: dict[str, list[Call]] = {
    **CONVOLUTIONS,
    **POOLS,
    **PADDING,
    **NORMALIZATIONS,
    **REARRANGEMENTS,
    **LOOKUPS,
    **ATTENTION,
    **LINEAR,
}
