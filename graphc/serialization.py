"""``save`` and ``load``, in PyTorch's file format: what the one writes the other can read.

A file is an uncompressed zip archive. ``data.pkl`` holds the object as a pickle in which tensors
are calls of ``torch._utils._rebuild_tensor_v2`` with a reference to their memory, which lies as
plain bytes in ``data/<number>``; views share it there as they do here. Unless ``weights_only`` is
false, reading a file runs no code but that which makes tensors and plain containers.
"""

from __future__ import annotations

import codecs
import pickle
import zipfile
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np

from graphc.device import Device, usable
from graphc.device_memory import accelerator, address_of, on_host
from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES
from graphc.ir.dtype import COMPLEX, DTYPES, DType
from graphc.nn.parameter import Buffer, Parameter, rebuild_parameter
from graphc.size import Size
from graphc.storage import Array, Storage
from graphc.strides import strided_view
from graphc.tensor import Tensor, from_storage

File = str | PathLike[str] | IO[bytes]
PROTOCOL = 2
"""Of pickles: the one that PyTorch writes."""
DATE = (1980, 1, 1, 0, 0, 0)
"""Of the files in an archive, so that equal objects give equal bytes."""


class _Global:
    """A name that is written into the pickle, whether or not there is a module of that name."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.__name__ = name

    def __call__(self, *args: Any) -> Any:
        raise GraphcRuntimeError(f"{self.module}.{self.__name__} is only written, never called")


class _Memory:
    """An array of numbers that goes into a file of its own."""

    def __init__(self, array: Array, dtype: DType, key: str, device: str) -> None:
        self.array = array
        self.dtype = dtype
        self.key = key
        self.device = device


_TENSOR = _Global("torch._utils", "_rebuild_tensor_v2")
_PARAMETER = _Global("torch._utils", "_rebuild_parameter")
_SIZE = _Global("torch", "Size")
_DEVICE = _Global("torch", "device")


_InPython: Any = vars(pickle)["_Pickler"]
"""The pickler that is written in Python, whose ``save`` can be replaced."""


class _Pickler(_InPython):  # type: ignore[misc]
    """Writes tensors, types and devices as PyTorch does, everything else as pickle does."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, PROTOCOL)
        self.memories: dict[int, _Memory] = {}
        self.kept: list[Any] = []
        """What must live until the end: places in memory are told apart by identity."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, DType):
            obj = _Global("torch", obj.name)
        if isinstance(obj, _Global):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.__name__}\n".encode())
            return
        super().save(obj, save_persistent_id)

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, _Memory):
            return None
        kind = _Global("torch", f"{C_NAMES[obj.dtype.name]}Storage")
        return ("storage", kind, obj.key, obj.device, int(obj.array.size))

    def reducer_override(self, obj: Any) -> Any:
        """How an object of ours is made again; ``NotImplemented`` leaves it to pickle."""
        if type(obj) in (Tensor, Buffer):
            return _TENSOR, self._parts(obj)
        if type(obj) is Parameter:
            return _PARAMETER, (obj.detach(), obj.requires_grad, OrderedDict())
        if isinstance(obj, Size):
            return _SIZE, (tuple(obj),)
        if isinstance(obj, Device):
            return _DEVICE, (str(obj),)
        return NotImplemented

    def _parts(self, tensor: Tensor) -> tuple[Any, ...]:
        """Memory, offset, shape and strides."""
        array: Any = tensor._memory()
        assert tensor._storage is not None
        root: Any = tensor._storage.root.array
        step = array.itemsize
        offset = address_of(array) - address_of(root)
        # The parts of complex numbers are another type's view of their memory.
        apart = array.dtype != root.dtype
        if apart or not root.flags.c_contiguous or min(array.strides, default=0) < 0:
            root, offset = np.ascontiguousarray(on_host(array)), 0
            strides = tuple(n // step for n in root.strides)
        else:
            strides = tuple(n // step for n in array.strides)
        self.kept.append((tensor, root))
        memory = self.memories.get(id(root))
        if memory is None:
            key = str(len(self.memories))
            memory = _Memory(on_host(root), tensor.dtype, key, tensor._storage.device)
            self.memories[id(root)] = memory
        place = (offset // step, tuple(tensor.shape), strides)
        return (memory, *place, tensor.requires_grad, OrderedDict())


def save(
    obj: Any,
    f: File,
    pickle_module: Any = None,
    pickle_protocol: int = PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write an object, such as a ``state_dict``, to a file that PyTorch can read too."""
    name = Path(f).stem if isinstance(f, str | PathLike) else "archive"
    with zipfile.ZipFile(f, "w") as archive:

        def write(path: str, content: Any) -> None:
            archive.writestr(zipfile.ZipInfo(f"{name}/{path}", DATE), content)

        with archive.open(zipfile.ZipInfo(f"{name}/data.pkl", DATE), "w") as file:
            pickler = _Pickler(file)
            pickler.dump(obj)
        write("byteorder", "little")
        for memory in pickler.memories.values():
            write(f"data/{memory.key}", memory.array.tobytes())
        write("version", "3\n")


class _Reader:
    """What the names in a pickle stand for, and the memory that it refers to."""

    def __init__(self, archive: zipfile.ZipFile, prefix: str, map_location: Any) -> None:
        self.archive = archive
        self.prefix = prefix
        self.map_location = map_location
        self.memories: dict[str, tuple[Storage, list[Tensor]]] = {}
        names = archive.namelist()
        order = f"{prefix}byteorder"
        self.swapped = order in names and archive.read(order) == b"big"

    def memory(self, pid: Any) -> tuple[Storage, list[Tensor]]:
        """The memory that a reference names, with the tensors that look into it."""
        kind, dtype, key, location, _ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"unknown reference {kind!r}")
        device = self._place(location)
        if key not in self.memories:
            content = self.archive.read(f"{self.prefix}data/{key}")
            array = np.frombuffer(bytearray(content), dtype.numpy)
            if self.swapped:
                array = array.byteswap()
            self.memories[key] = Storage(array, device=device), []
        return self.memories[key]

    def _place(self, location: str) -> str:
        """The device for memory that was at ``location``."""
        wanted = self.map_location
        if isinstance(wanted, dict):
            wanted = wanted.get(location)
        if callable(wanted):
            return "cpu"  # what is read lies there, and PyTorch hands it to the function as it is
        if wanted is not None:
            return usable(wanted)
        if location.startswith("cuda") and not accelerator("cuda").explanation()[0]:
            raise GraphcRuntimeError(
                "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() "
                "is False. If you are running on a CPU-only machine, please use torch.load with "
                "map_location=torch.device('cpu') to map your storages to the CPU."
            )
        return usable(location)


def _tensor(
    memory: tuple[Storage, list[Tensor]],
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool = False,
    *_: Any,
) -> Tensor:
    storage, others = memory
    array = strided_view(storage.array, offset, tuple(size), tuple(stride))
    made = from_storage(Storage(array, storage))
    others.append(made)
    if len(others) > 1:
        storage.share_with(*others)
    return made.requires_grad_() if requires_grad else made


def _parameter(data: Tensor, requires_grad: bool, *_: Any) -> Parameter:
    return rebuild_parameter(data._memory(), requires_grad)


def _of_type(rebuild: Callable[..., Any], kind: Any, args: Any, state: Any) -> Any:
    made = rebuild(*args)
    if isinstance(state, dict):
        made.__dict__.update(state)
    return made


KNOWN: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _of_type,
    ("torch", "Size"): Size,
    ("torch", "device"): Device,
    ("torch", "Tensor"): Tensor,
    ("torch.nn.parameter", "Parameter"): Parameter,
    ("torch.nn.parameter", "Buffer"): Buffer,
    **{("torch", dtype.name): dtype for dtype in (*DTYPES, *COMPLEX)},
    **{("torch", f"{C_NAMES[dtype.name]}Storage"): dtype for dtype in (*DTYPES, *COMPLEX)},
    ("_codecs", "encode"): codecs.encode,
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "Counter"): Counter,
    ("collections", "defaultdict"): defaultdict,
    **{("builtins", kind.__name__): kind for kind in (set, frozenset, bytearray, complex, slice)},
    **{("__builtin__", kind.__name__): kind for kind in (set, frozenset, bytearray, complex)},
}
"""What a file may name that is read with ``weights_only``."""
NUMPY = frozenset({"_reconstruct", "scalar", "ndarray", "dtype"})
"""What makes numpy's arrays and numbers again, wherever numpy keeps it."""


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], reader: _Reader, weights_only: bool) -> None:
        super().__init__(file)
        self.reader = reader
        self.weights_only = weights_only

    def persistent_load(self, pid: Any) -> Any:
        return self.reader.memory(pid)

    def find_class(self, module: str, name: str) -> Any:
        found = KNOWN.get((module, name))
        if found is not None:
            return found
        if module.split(".")[0] == "numpy" and name in NUMPY:
            return super().find_class(module, name)
        if (module, name) == ("ml_dtypes", "bfloat16"):
            return ml_dtypes.bfloat16
        if not self.weights_only:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(
            "Weights only load failed. In PyTorch 2.6, we changed the default value of the "
            "`weights_only` argument in `torch.load` from `False` to `True`. Re-running "
            "`torch.load` with `weights_only` set to `False` will likely succeed, but it can "
            "result in arbitrary code execution. Do it only if you got the file from a trusted "
            f"source. WeightsUnpickler error: Unsupported global: GLOBAL {module}.{name} was not "
            "an allowed global by default."
        )


def load(
    f: File,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool = True,
    mmap: bool | None = None,
) -> Any:
    """The object that ``save``, here or in PyTorch, wrote to a file."""
    if not zipfile.is_zipfile(f):
        raise GraphcRuntimeError(
            "this is no file of torch.save's: a zip archive is expected, as it writes since 1.6"
        )
    with zipfile.ZipFile(f) as archive:
        index = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(index) != 1:
            raise GraphcRuntimeError("the archive holds no data.pkl: torch.save did not write it")
        reader = _Reader(archive, index[0].removesuffix("data.pkl"), map_location)
        with archive.open(index[0]) as file:
            return _Unpickler(file, reader, weights_only).load()
