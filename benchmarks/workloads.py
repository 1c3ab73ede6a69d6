"""The workloads: training steps, inference, and single kernels."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.cases import Case, Generator, Workload, batch_norm, conv, linear, normal, uniform

RESNET_STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
"""Channels, and the stride of the first block."""
ELEMENTS = 16 * 1024 * 1024
ROWS, COLUMNS = 4096, 1024


def mlp_seed(rng: Generator) -> Case:
    case = Case({"sizes": [10, 5, 1], "loss": "mse", "optimizer": "sgd", "lr": 0.01, "momentum": 0})
    linear(rng, case.params, "fc1", 10, 5)
    linear(rng, case.params, "fc2", 5, 1)
    case.inputs = {"x": normal(rng, (1, 10)), "y": normal(rng, (1, 1))}
    return case


def mlp_mnist(rng: Generator) -> Case:
    sizes = [784, 512, 512, 10]
    adam = {"optimizer": "adam", "lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}
    case = Case({"sizes": sizes, "loss": "cross_entropy", **adam})
    for i in range(3):
        linear(rng, case.params, f"fc{i + 1}", sizes[i], sizes[i + 1])
    case.inputs = {"x": rng.random((128, 784), dtype="f4"), "y": rng.integers(0, 10, 128)}
    return case


def cnn_mnist(rng: Generator) -> Case:
    case = Case({"loss": "cross_entropy", "optimizer": "sgd", "lr": 0.01, "momentum": 0.9})
    conv(rng, case.params, "conv1", 1, 32, 3)
    conv(rng, case.params, "conv2", 32, 64, 3)
    linear(rng, case.params, "fc1", 9216, 128)
    linear(rng, case.params, "fc2", 128, 10)
    case.inputs = {"x": normal(rng, (64, 1, 28, 28)), "y": rng.integers(0, 10, 64)}
    return case


def resnet18_params(rng: Generator, case: Case) -> None:
    conv(rng, case.params, "conv1", 3, 64, 7, bias=False)
    batch_norm(rng, case, "bn1", 64)
    n_in = 64
    for stage, (channels, stride) in enumerate(RESNET_STAGES, start=1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            conv(rng, case.params, f"{name}.conv1", n_in, channels, 3, bias=False)
            batch_norm(rng, case, f"{name}.bn1", channels)
            conv(rng, case.params, f"{name}.conv2", channels, channels, 3, bias=False)
            batch_norm(rng, case, f"{name}.bn2", channels)
            if block == 0 and (stride != 1 or n_in != channels):
                conv(rng, case.params, f"{name}.downsample.0", n_in, channels, 1, bias=False)
                batch_norm(rng, case, f"{name}.downsample.1", channels)
            n_in = channels
    linear(rng, case.params, "fc", 512, 1000)


def resnet18_flops(size: int) -> float:
    """The forward pass of one image."""
    side = size // 2
    total = side * side * 64 * 3 * 49
    side, n_in = side // 2, 64
    for channels, stride in RESNET_STAGES:
        side //= stride
        total += side * side * channels * (n_in if stride != 1 else 0)
        total += side * side * channels * (n_in + 3 * channels) * 9
        n_in = channels
    return 2.0 * (total + 512 * 1000)


def resnet18_infer(rng: Generator) -> Case:
    case = Case({})
    resnet18_params(rng, case)
    case.inputs = {"x": normal(rng, (1, 3, 224, 224))}
    return case


def resnet18_train(rng: Generator) -> Case:
    case = Case({"loss": "cross_entropy", "optimizer": "sgd", "lr": 0.001, "momentum": 0.9})
    resnet18_params(rng, case)
    case.inputs = {"x": normal(rng, (8, 3, 64, 64)), "y": rng.integers(0, 1000, 8)}
    return case


def gpt_params(rng: Generator, case: Case) -> None:
    c = case.config
    width, bias = c["n_embd"], c["bias"]

    def dense(name: str, n_in: int, n_out: int, scale: float = 0.02) -> None:
        case.params[f"{name}.weight"] = normal(rng, (n_out, n_in), scale)
        if bias:
            case.params[f"{name}.bias"] = normal(rng, (n_out,), 0.02)

    def layer_norm(name: str) -> None:
        case.params[f"{name}.weight"] = 1 + uniform(rng, (width,), 0.1)
        if bias:
            case.params[f"{name}.bias"] = uniform(rng, (width,), 0.1)

    case.params["wte.weight"] = normal(rng, (c["vocab"], width), 0.02)
    case.params["wpe.weight"] = normal(rng, (c["block"], width), 0.02)
    for i in range(c["n_layer"]):
        layer_norm(f"h.{i}.ln_1")
        dense(f"h.{i}.attn.qkv", width, 3 * width)
        dense(f"h.{i}.attn.proj", width, width, 0.02 / (2 * c["n_layer"]) ** 0.5)
        layer_norm(f"h.{i}.ln_2")
        dense(f"h.{i}.mlp.fc", width, 4 * width)
        dense(f"h.{i}.mlp.proj", 4 * width, width, 0.02 / (2 * c["n_layer"]) ** 0.5)
    layer_norm("ln_f")
    if not c["tied"]:
        case.params["head.weight"] = normal(rng, (c["vocab"], width), 0.02)


def gpt_flops(n_layer: int, width: int, vocab: int, batch: int, tokens: int) -> float:
    """The forward pass; attention is counted as the full square."""
    dense = 2.0 * batch * tokens * (n_layer * 12 * width * width + vocab * width)
    return dense + n_layer * 2 * 2.0 * batch * tokens * tokens * width


def gpt_nano_train(rng: Generator) -> Case:
    """nanoGPT's setting for a CPU: no biases, no dropout, no clipping of gradients."""
    shape = {"n_layer": 4, "n_head": 4, "n_embd": 128, "block": 64, "vocab": 65}
    model = {"bias": False, "tied": False, "gelu": "none"}
    adamw = {"optimizer": "adamw", "lr": 1e-3, "betas": (0.9, 0.99), "eps": 1e-8}
    case = Case({**shape, **model, "loss": "cross_entropy", **adamw, "weight_decay": 0.1})
    gpt_params(rng, case)
    tokens = rng.integers(0, 65, (12, 65))
    case.inputs = {"x": tokens[:, :-1].copy(), "y": tokens[:, 1:].copy()}
    return case


def gpt2_infer(rng: Generator) -> Case:
    shape = {"n_layer": 12, "n_head": 12, "n_embd": 768, "block": 1024, "vocab": 50257}
    case = Case({**shape, "bias": True, "tied": True, "gelu": "tanh"})
    gpt_params(rng, case)
    case.inputs = {"x": rng.integers(0, 50257, (1, 128))}
    return case


def ew_chain(rng: Generator) -> Case:
    x = normal(rng, (ELEMENTS,))
    return Case({"a": 1.1, "b": 0.3, "c": 0.7, "y0": 0.2}, inputs={"x": x})


def norm_softmax(rng: Generator) -> Case:
    case = Case({"eps": 1e-5})
    case.params = {
        "gamma": 1 + uniform(rng, (COLUMNS,), 0.2),
        "beta": uniform(rng, (COLUMNS,), 0.2),
    }
    case.inputs = {"x": normal(rng, (ROWS, COLUMNS), 2.0), "ct": normal(rng, (ROWS, COLUMNS))}
    return case


def matmul(size: int) -> Callable[[Generator], Case]:
    def make(rng: Generator) -> Case:
        case = Case({"gelu": "tanh"})
        case.params = {
            "w": normal(rng, (size, size), size**-0.5),
            "b": normal(rng, (size,), 0.1),
        }
        case.inputs = {"x": normal(rng, (size, size))}
        return case

    return make


MLP_MNIST_MACS = 128 * (784 * 512 + 512 * 512 + 512 * 10)
CNN_MACS = 64 * (26 * 26 * 32 * 9 + 24 * 24 * 64 * 288 + 9216 * 128 + 128 * 10)
CHAIN_BYTES = 2 * 4 * ELEMENTS
TABLE_BYTES = 4 * ROWS * COLUMNS

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(
            "mlp_seed",
            "train",
            "10-5-1 MLP, batch 1, MSE, SGD: one train step",
            mlp_seed,
            flops=2.0 * (55 * 2 + 5),
        ),
        Workload(
            "mlp_mnist",
            "train",
            "784-512-512-10 MLP, batch 128, cross-entropy, Adam: one train step",
            mlp_mnist,
            flops=2.0 * (3 * MLP_MNIST_MACS - 128 * 784 * 512),
        ),
        Workload(
            "cnn_mnist",
            "train",
            "PyTorch examples' MNIST CNN without dropout, batch 64, SGD momentum: one train step",
            cnn_mnist,
            flops=2.0 * (3 * CNN_MACS - 64 * 26 * 26 * 32 * 9),
        ),
        Workload(
            "resnet18_infer",
            "infer",
            "ResNet-18, eval, 1x3x224x224",
            resnet18_infer,
            flops=resnet18_flops(224),
        ),
        Workload(
            "resnet18_train",
            "train",
            "ResNet-18, 8x3x64x64, cross-entropy, SGD momentum: one train step",
            resnet18_train,
            flops=8 * (3 * resnet18_flops(64) - 2.0 * 32 * 32 * 64 * 147),
        ),
        Workload(
            "gpt_nano_train",
            "train",
            "4 layers, 4 heads, width 128, 12x64 tokens, vocab 65, AdamW: one train step",
            gpt_nano_train,
            flops=3 * gpt_flops(4, 128, 65, 12, 64),
        ),
        Workload(
            "gpt2_infer",
            "infer",
            "GPT-2 small, 1x128 tokens, all logits",
            gpt2_infer,
            flops=gpt_flops(12, 768, 50257, 1, 128),
        ),
        Workload(
            "ew_chain",
            "infer",
            "gelu_tanh(x*a+b)*sigmoid(x)+tanh(c*x-y0), 16M floats",
            ew_chain,
            traffic=CHAIN_BYTES,
        ),
        Workload(
            "ew_chain_bwd",
            "grad",
            "value and gradient of its sum with respect to x",
            ew_chain,
            traffic=CHAIN_BYTES,
        ),
        Workload(
            "norm_softmax",
            "infer",
            "softmax(layernorm(x)), 4096x1024",
            norm_softmax,
            traffic=2 * TABLE_BYTES,
        ),
        Workload(
            "norm_softmax_bwd",
            "grad",
            "value and gradients (x, gamma, beta) of sum(softmax(layernorm(x))*ct)",
            norm_softmax,
            traffic=3 * TABLE_BYTES,
        ),
        Workload("matmul_512", "infer", "gelu_tanh(x@w+b), 512", matmul(512), flops=2.0 * 512**3),
        Workload(
            "matmul_2048", "infer", "gelu_tanh(x@w+b), 2048", matmul(2048), flops=2.0 * 2048**3
        ),
    )
}
