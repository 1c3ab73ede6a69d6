"""How numpy spells each elementwise primitive and each reduction.

An elementwise spelling is one or more statements, a line each. ``{0}``, ``{1}``, ``{2}`` are the
operands (arrays or literals, broadcast to the result), ``{out}`` the array for the result,
``{t0}``, ``{t1}`` scratch of the result's shape and type, ``{m0}`` scratch of truth values.
Only a spelling of one statement may be given an ``{out}`` that is one of its operands.
"""

from __future__ import annotations

SCALAR = {
    "add": "np.add({0}, {1}, out={out})",
    "sub": "np.subtract({0}, {1}, out={out})",
    "mul": "np.multiply({0}, {1}, out={out})",
    "div": "np.divide({0}, {1}, out={out})",
    "pow": "np.power({0}, {1}, out={out})",
    "maximum": "np.maximum({0}, {1}, out={out})",
    "minimum": "np.minimum({0}, {1}, out={out})",
    "neg": "np.negative({0}, out={out})",
    "exp": "np.exp({0}, out={out})",
    "relu": "np.maximum({0}, 0, out={out})",
    "lt": "np.less({0}, {1}, out={out})",
    "where": "np.copyto({out}, {2})\nnp.copyto({out}, {1}, where={0})",
    "cast": "np.copyto({out}, {0}, casting='unsafe')",
}

REDUCE = {
    "sum": "np.sum({0}, axis={axes}, keepdims=True, out={out})",
    "prod": "np.prod({0}, axis={axes}, keepdims=True, out={out})",
    "max": "np.max({0}, axis={axes}, keepdims=True, out={out})",
    "min": "np.min({0}, axis={axes}, keepdims=True, out={out})",
    "any": "np.any({0}, axis={axes}, keepdims=True, out={out})",
    "all": "np.all({0}, axis={axes}, keepdims=True, out={out})",
}
