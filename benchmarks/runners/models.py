"""The workloads' models as a PyTorch user writes them; graphc's runners read this very file."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn as nn

from benchmarks.cases import Case
from benchmarks.workloads import RESNET_STAGES

F = nn.functional
Config = dict[str, Any]


class MLP(nn.Module):
    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.count = len(sizes) - 1
        for i in range(self.count):
            self.add_module(f"fc{i + 1}", nn.Linear(sizes[i], sizes[i + 1]))

    def forward(self, x: Any) -> Any:
        for i in range(1, self.count):
            x = F.relu(getattr(self, f"fc{i}")(x))
        return getattr(self, f"fc{self.count}")(x)


class MnistCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = torch.flatten(F.max_pool2d(x, 2), 1)
        return self.fc2(F.relu(self.fc1(x)))


class BasicBlock(nn.Module):
    def __init__(self, n_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or n_in != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(n_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Any) -> Any:
        skip = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)) + skip)


class ResNet18(nn.Module):
    layer1: nn.Module
    layer2: nn.Module
    layer3: nn.Module
    layer4: nn.Module

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        n_in = 64
        for stage, (channels, stride) in enumerate(RESNET_STAGES, start=1):
            blocks = BasicBlock(n_in, channels, stride), BasicBlock(channels, channels, 1)
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
            n_in = channels
        self.fc = nn.Linear(512, 1000)

    def forward(self, x: Any) -> Any:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class Attention(nn.Module):
    def __init__(self, c: Config) -> None:
        super().__init__()
        self.n_head = c["n_head"]
        self.qkv = nn.Linear(c["n_embd"], 3 * c["n_embd"], bias=c["bias"])
        self.proj = nn.Linear(c["n_embd"], c["n_embd"], bias=c["bias"])

    def forward(self, x: Any) -> Any:
        batch, tokens, width = x.shape
        q, k, v = (
            t.view(batch, tokens, self.n_head, width // self.n_head).transpose(1, 2)
            for t in self.qkv(x).split(width, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(y.transpose(1, 2).contiguous().view(batch, tokens, width))


class FeedForward(nn.Module):
    def __init__(self, c: Config) -> None:
        super().__init__()
        self.fc = nn.Linear(c["n_embd"], 4 * c["n_embd"], bias=c["bias"])
        self.proj = nn.Linear(4 * c["n_embd"], c["n_embd"], bias=c["bias"])
        self.gelu = nn.GELU(approximate=c["gelu"])

    def forward(self, x: Any) -> Any:
        return self.proj(self.gelu(self.fc(x)))


class Block(nn.Module):
    def __init__(self, c: Config) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(c["n_embd"], bias=c["bias"])
        self.attn = Attention(c)
        self.ln_2 = nn.LayerNorm(c["n_embd"], bias=c["bias"])
        self.mlp = FeedForward(c)

    def forward(self, x: Any) -> Any:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, c: Config) -> None:
        super().__init__()
        self.wte = nn.Embedding(c["vocab"], c["n_embd"])
        self.wpe = nn.Embedding(c["block"], c["n_embd"])
        self.h = nn.ModuleList(Block(c) for _ in range(c["n_layer"]))
        self.ln_f = nn.LayerNorm(c["n_embd"], bias=c["bias"])
        self.head = None if c["tied"] else nn.Linear(c["n_embd"], c["vocab"], bias=False)

    def forward(self, tokens: Any) -> Any:
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.wte(tokens) + self.wpe(positions)
        for block in self.h:
            x = block(x)
        x = self.ln_f(x)
        return F.linear(x, self.wte.weight) if self.head is None else self.head(x)


class EwChain(nn.Module):
    def __init__(self, a: float, b: float, c: float, y0: float) -> None:
        super().__init__()
        self.a, self.b, self.c, self.y0 = a, b, c, y0

    def forward(self, x: Any) -> Any:
        gelu = F.gelu(x * self.a + self.b, approximate="tanh")
        return gelu * torch.sigmoid(x) + torch.tanh(self.c * x - self.y0)


class NormSoftmax(nn.Module):
    def __init__(self, columns: int, eps: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(columns))
        self.beta = nn.Parameter(torch.empty(columns))
        self.eps = eps

    def forward(self, x: Any) -> Any:
        return F.softmax(F.layer_norm(x, x.shape[-1:], self.gamma, self.beta, self.eps), dim=-1)


class MatmulGelu(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(size, size))
        self.b = nn.Parameter(torch.empty(size))

    def forward(self, x: Any) -> Any:
        return F.gelu(torch.addmm(self.b, x, self.w), approximate="tanh")


def empty_model(name: str, case: Case) -> Any:
    c = case.config
    if name.startswith("mlp"):
        return MLP(c["sizes"])
    if name == "cnn_mnist":
        return MnistCNN()
    if name.startswith("resnet18"):
        return ResNet18()
    if name.startswith("gpt"):
        return GPT(c)
    if name.startswith("ew_chain"):
        return EwChain(c["a"], c["b"], c["c"], c["y0"])
    if name.startswith("norm_softmax"):
        return NormSoftmax(len(case.params["gamma"]), c["eps"])
    return MatmulGelu(len(case.params["w"]))


def make_model(name: str, case: Case) -> Any:
    """The workload's model with the case's weights in it."""
    model = empty_model(name, case)
    state = {k: torch.from_numpy(v.copy()) for k, v in {**case.params, **case.buffers}.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = [k for k in missing if not k.endswith("num_batches_tracked")]
    assert not missing and not unexpected, (missing, unexpected)
    return model


def make_optimizer(model: Any, c: Config, **options: Any) -> Any:
    """The optimizer that the case asks for."""
    if c["optimizer"] == "sgd":
        lr, momentum = c["lr"], c["momentum"]
        return torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum, **options)
    adam = {"lr": c["lr"], "betas": c["betas"], "eps": c["eps"], **options}
    if c["optimizer"] == "adam":
        return torch.optim.Adam(model.parameters(), **adam)
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [
        {"params": decayed, "weight_decay": c["weight_decay"]},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, **adam)


def loss_of(model: Any, case: Case) -> Any:
    """The function from a batch to the loss."""
    if case.config["loss"] == "mse":
        return lambda x, y: F.mse_loss(model(x), y)

    def cross_entropy(x: Any, y: Any) -> Any:
        logits = model(x)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))

    return cross_entropy


def value_of(model: Any, case: Case) -> Any:
    """The number of which the gradient is taken where nothing is trained."""
    if "ct" not in case.inputs:
        return lambda x: model(x).sum()
    cotangent = torch.from_numpy(case.inputs["ct"])
    return lambda x: (model(x) * cotangent).sum()


def resetter(model: Any, optimizer: Any) -> Any:
    """Puts the weights back to what they are now, and the optimizer's state to zero."""
    initial = {k: v.clone() for k, v in model.state_dict().items()}

    def reset() -> None:
        with torch.no_grad():
            for k, v in model.state_dict().items():
                v.copy_(initial[k])
            for state in optimizer.state.values():
                for value in state.values():
                    if isinstance(value, torch.Tensor):
                        value.zero_()

    return reset


def weights(model: Any) -> Any:
    return {k: v.detach().contiguous().numpy().copy() for k, v in model.named_parameters()}
