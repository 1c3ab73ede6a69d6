"""Calls of padding, normalisation, resizing, look-ups, attention and products."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from tests.functions.calls import Call, Operand, call, each, f16, f32, f64, i32, i64, numbers, u8

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
        *[
            call(x, *settings, antialias=True, **named)
            for mode in ("bilinear", "bicubic", "lanczos")
            for x, settings, named in (
                (f64(1, 2, 9, 7), ((3, 8), None, mode), {}),
                (f64(1, 2, 9, 7), (4, None, mode), {"align_corners": False}),
                (f64(2, 1, 9, 7), (None, 0.4, mode), {}),
                (f64(2, 1, 9, 7), (2, None, mode), {"align_corners": mode != "lanczos"}),
                (Operand("float32", (1, 1, 12, 12)), (5, None, mode), {}),
            )
        ],
        call(image, 3, mode="lanczos"),
        call(image, 3, mode="lanczos", align_corners=True, antialias=True),
        call(image, 3, antialias=True),
        call(line, 3, mode="linear", antialias=True),
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
        call(f64(2, 3, 4), f64(2, 5, 4), f64(2, 5, 4), dropout_p=1.0),
        call(f64(2, 3, 4), f64(2, 5, 4), f64(2, 5, 4), dropout_p=1.5),
        call(f64(4), f64(4), f64(4), dropout_p=0.5),
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


def cell(gates: int) -> list[Call]:
    """Calls of a step of a recurrent layer with so many gates."""
    own, hidden, shift = f64(gates * 4, 3), f64(gates * 4, 4), f64(gates * 4)
    return [
        call(f64(2, 3), f64(2, 4), own, hidden),
        call(f64(2, 3), f64(2, 4), own, hidden, shift, shift),
        call(f64(2, 3), hx=f64(2, 4), w_ih=own, w_hh=hidden),
        call(f64(2, 2), f64(2, 4), own, hidden),
        call(f64(2, 3), f64(2, 5), own, hidden),
        call(f64(2, 3), f64(3, 4), own, hidden),
        call(f64(2, 3), f64(2, 4), own),
    ]


STATE = (f64(2, 4), f64(2, 4))
CELLS: dict[str, list[Call]] = {
    "rnn_tanh_cell": cell(1),
    "rnn_relu_cell": cell(1),
    "gru_cell": cell(3),
    "lstm_cell": [
        call(f64(2, 3), STATE, f64(16, 3), f64(16, 4)),
        call(f64(2, 3), STATE, f64(16, 3), f64(16, 4), f64(16), f64(16)),
        call(f64(2, 3), STATE[:1], f64(16, 3), f64(16, 4)),
        call(f64(2, 2), STATE, f64(16, 3), f64(16, 4)),
    ],
}

LAYERS: dict[str, list[Call]] = {
    **PADDING,
    **NORMALIZATIONS,
    **REARRANGEMENTS,
    **LOOKUPS,
    **ATTENTION,
    **LINEAR,
}
