"""Losses are scaled so that small gradients do not vanish in float16."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from graphc.autograd.grad_mode import no_grad
from graphc.cuda import is_available
from graphc.device import usable
from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.ir.dtype import float16, float32, int32
from graphc.memory import full
from graphc.optim.optimizer import Optimizer
from graphc.surface import LIFTED
from graphc.tensor import Tensor

READY, UNSCALED, STEPPED = range(3)
"""How far an optimizer has come since the last ``update``."""


class GradScaler:
    """Multiplies losses by a scale, which grows until gradients overflow; such steps are undone.

    All of it is recorded: nothing is read, so that a step may be compiled as a whole. A step whose
    gradients are not finite leaves parameters and the optimizer's state as they were.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if enabled and device == "cuda" and not is_available():
            warnings.warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
                stacklevel=2,
            )
            enabled = False
        self._device, self._enabled = device, enabled
        if not enabled:
            return
        if growth_factor <= 1.0:
            raise GraphcValueError("The growth factor must be > 1.0.")
        if backoff_factor >= 1.0:
            raise GraphcValueError("The backoff factor must be < 1.0.")
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        place = usable(device)
        self._scale = full((), init_scale, float32, place)
        self._growth_tracker = full((), 0, int32, place)
        self._stages: dict[int, int] = {}
        self._found: dict[int, Tensor] = {}
        """For each optimizer whether a gradient was not finite."""

    def scale(self, outputs: Any) -> Any:
        """A loss, or each of a nest of losses, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale.to(outputs.device)
        if isinstance(outputs, list | tuple):
            return type(outputs)(map(self.scale, outputs))
        if isinstance(outputs, Iterable):
            return map(self.scale, outputs)
        raise GraphcValueError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimizer's parameters by the scale, in place."""
        if not self._enabled:
            return
        stage = self._stages.get(id(optimizer), READY)
        if stage == UNSCALED:
            raise GraphcRuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        if stage == STEPPED:
            raise GraphcRuntimeError("unscale_() is being called after step().")
        factor = 1.0 / self._scale
        finite = []
        with no_grad():
            for p in _parameters(optimizer):
                if p.grad.dtype is float16:
                    raise GraphcValueError("Attempting to unscale FP16 gradients.")
                p.grad.mul_(factor.to(p.grad.device))
                finite.append(LIFTED["isfinite"](p.grad).all().to(self._scale.device))
            if not finite:
                raise AssertionError("No inf checks were recorded for this optimizer.")
            self._found[id(optimizer)] = ~LIFTED["stack"](finite).all()
        self._stages[id(optimizer)] = UNSCALED

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """The optimizer's step, which changes nothing where a gradient is not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise GraphcRuntimeError(
                "Closure use is not currently supported if GradScaler is enabled."
            )
        stage = self._stages.get(id(optimizer), READY)
        if stage == STEPPED:
            raise GraphcRuntimeError("step() has already been called since the last update().")
        if stage == READY:
            self.unscale_(optimizer)
        found = self._found[id(optimizer)]
        with no_grad():
            optimizer.begin()
            changing = _changing(optimizer)
            before = [x.detach().clone() for x in changing]
            result = optimizer.step(*args, **kwargs)
            for x, old in zip(changing, before, strict=True):
                x.copy_(LIFTED["where"](found.to(x.device), old, x.detach()))
        self._stages[id(optimizer)] = STEPPED
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Let the scale grow after enough finite steps, and shrink after one that was not."""
        if not self._enabled:
            return
        with no_grad():
            if new_scale is not None:
                self._scale.copy_(_as_scale(new_scale, self._scale))
            else:
                self._adapt()
        self._stages.clear()
        self._found.clear()

    def _adapt(self) -> None:
        if not self._found:
            raise AssertionError("No inf checks were recorded prior to update.")
        where, found = LIFTED["where"], LIFTED["stack"](list(self._found.values())).any()
        count = self._growth_tracker.detach() + 1
        grows = count == self._growth_interval
        scale = self._scale.detach()
        grown = scale * self._growth_factor
        grown = where(LIFTED["isfinite"](grown), grown, scale)
        kept = where(grows, grown, scale)
        self._scale.copy_(where(found, scale * self._backoff_factor, kept))
        self._growth_tracker.copy_(where(found | grows, count * 0, count))

    # -- what it is set to -------------------------------------------------------------------------

    def is_enabled(self) -> bool:
        """Whether losses are scaled."""
        return self._enabled

    def get_scale(self) -> float:
        """The scale, as a number; 1 where losses are not scaled."""
        return float(self._scale) if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """What the scale is multiplied by after enough finite steps."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set what the scale is multiplied by after enough finite steps."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the scale is multiplied by after a step that was not finite."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set what the scale is multiplied by after a step that was not finite."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many finite steps in a row the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set after how many finite steps in a row the scale grows."""
        self._growth_interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """The scale and how it changes; empty where losses are not scaled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": int(self._growth_tracker),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` gave."""
        if not self._enabled:
            return
        if not state_dict:
            raise GraphcRuntimeError(
                "The source state dict is empty, possibly because it was saved "
                "from a disabled instance of GradScaler."
            )
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        with no_grad():
            self._scale.fill_(state_dict["scale"])
            self._growth_tracker.fill_(state_dict["_growth_tracker"])


def _parameters(optimizer: Optimizer) -> list[Any]:
    return [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]


def _changing(optimizer: Optimizer) -> list[Any]:
    """The tensors that a step of an optimizer writes to, each once."""
    found = _parameters(optimizer)
    for p in list(found):
        found += [x for x in optimizer.state.get(p, {}).values() if isinstance(x, Tensor)]
    return list({id(x): x for x in found}.values())


def _as_scale(given: float | Tensor, own: Tensor) -> Any:
    if not isinstance(given, Tensor):
        return full((), float(given), float32, own._place)
    if given.numel() != 1 or given.requires_grad or given.dtype is not float32:
        raise GraphcTypeError(
            "new_scale should be a float or a 1-element torch.cuda.FloatTensor or "
            "torch.FloatTensor with requires_grad=False."
        )
    return given.reshape(()).to(own.device)
