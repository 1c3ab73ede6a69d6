"""The names that programs tell kinds of layers by, and helpers of PyTorch's modules."""

from __future__ import annotations

import warnings
from typing import Any

from tests.nn.peers import both, both_fail

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


def test_batch_norms_of_several_processes() -> None:
    def program(m: Any) -> Any:
        net = m.nn.Sequential(m.nn.BatchNorm2d(2), m.nn.Sequential(m.nn.BatchNorm1d(2, bias=False)))
        net.train()
        weight = net[0].weight
        net = m.nn.SyncBatchNorm.convert_sync_batchnorm(net)
        out = net[1](net[0](m.arange(24.0).reshape(2, 2, 2, 3).sin()).flatten(2))
        kinds = [type(x).__name__ for x in net.modules()]
        kept = net[0].weight is weight, repr(net), list(net.state_dict())
        return kinds, kept, [round(x, 4) for x in out.flatten().tolist()]

    both(program)
    both_fail(lambda m: m.nn.SyncBatchNorm(2)(m.ones(3)))


def test_older_names_of_initial_values() -> None:
    def program(m: Any) -> Any:
        found = []
        for name in ("constant", "eye", "xavier_uniform", "kaiming_normal", "orthogonal", "sparse"):
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                more = {"constant": (2.0,), "sparse": (0.5,)}.get(name, ())
                x = getattr(m.nn.init, name)(m.zeros(3, 3), *more)
            said = [str(w.message) for w in seen if w.category is FutureWarning]
            found.append((said, tuple(x.shape), bool((x != 0).any())))
        return found

    both(program)
