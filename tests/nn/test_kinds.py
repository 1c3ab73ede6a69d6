"""The names that programs tell kinds of layers by, and helpers of PyTorch's modules."""

from __future__ import annotations

from typing import Any

from tests.nn.peers import both

KINDS = (
    "batchnorm._BatchNorm",
    "batchnorm._NormBase",
    "instancenorm._InstanceNorm",
    "conv._ConvNd",
    "conv._ConvTransposeNd",
    "dropout._DropoutNd",
    "loss._Loss",
    "loss._WeightedLoss",
)


def test_layers_are_of_pytorchs_kinds() -> None:
    def program(m: Any) -> Any:
        nn = m.nn
        layers = [
            nn.BatchNorm1d(2),
            nn.BatchNorm3d(2),
            nn.InstanceNorm2d(2),
            nn.GroupNorm(1, 2),
            nn.LayerNorm(2),
            nn.Conv2d(2, 2, 1),
            nn.ConvTranspose1d(2, 2, 1),
            nn.Linear(2, 2),
            nn.Dropout(),
            nn.AlphaDropout(),
            nn.CrossEntropyLoss(),
            nn.MSELoss(),
        ]
        found = {}
        for kind in KINDS:
            module, name = kind.split(".")
            base = getattr(getattr(nn.modules, module), name)
            found[kind] = [isinstance(layer, base) for layer in layers]
        return found

    both(program)


def test_settings_as_tuples() -> None:
    def program(m: Any) -> Any:
        utils = m.nn.modules.utils
        makers = (utils._single, utils._pair, utils._triple, utils._quadruple, utils._ntuple(5))
        made = [make(x) for make in makers for x in (3, "same", [1, 2], (4,), range(2))]
        return made, utils._pair.__name__, utils._reverse_repeat_tuple((1, 2, 3), 2)

    both(program)


def test_a_prefix_is_taken_off_a_state() -> None:
    def program(m: Any) -> Any:
        net = m.nn.Sequential()
        net.add_module("module", m.nn.Sequential(m.nn.Linear(2, 2), m.nn.BatchNorm1d(2)))
        net.add_module("other", m.nn.Linear(1, 1))
        state = net.state_dict()
        plain = {"module.a": 1, "b": 2}
        for x in (state, plain):
            m.nn.modules.utils.consume_prefix_in_state_dict_if_present(x, "module.")
        return list(state), state._metadata, plain

    both(program)


def test_a_model_for_several_devices_is_the_model_where_there_are_none() -> None:
    def program(m: Any) -> Any:
        net = m.nn.DataParallel(m.nn.Linear(2, 1), device_ids=[0])
        with m.no_grad():
            for p in net.parameters():
                p.fill_(0.5)
        loss = net(m.ones(3, 2)).sum()
        loss.backward()
        names = list(net.state_dict())
        return loss.item(), names, net.device_ids, net.module.bias.grad.tolist(), repr(net)

    both(program)
