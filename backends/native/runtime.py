"""The library that all programs of a process share: its pool of threads, and the way in."""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from contextlib import suppress
from functools import cache
from threading import Thread

import numpy as np

from graphc.backends.native.build import Build
from graphc.backends.native.compilers import compiler
from graphc.backends.native.flags import QUICK
from graphc.backends.native.locks import Exclusion
from graphc.errors import GraphcRuntimeError
from graphc.kernels_templates import FOLDER, render

FUNCTIONS = (
    ("object *", "PyCFunction_NewEx", "const method *, object *self, object *module"),
    ("object *", "PyCapsule_New", "void *, const char *name, void (*destroy)(object *)"),
    ("void *", "PyCapsule_GetPointer", "object *, const char *name"),
    ("object *", "PyObject_CallFunctionObjArgs", "object *, ..."),
    ("object *", "PyList_New", "intptr_t"),
    ("int ", "PyList_SetItem", "object *, intptr_t, object *"),
    ("object *", "PyTuple_New", "intptr_t"),
    ("int ", "PyTuple_SetItem", "object *, intptr_t, object *"),
    ("object *", "PyTuple_GetItem", "object *, intptr_t"),
    ("object *", "PyLong_FromLongLong", "long long"),
    ("long long ", "PyLong_AsLongLong", "object *"),
    ("object *", "PyObject_GetAttr", "object *, object *name"),
    ("int ", "PyObject_SetAttr", "object *, object *name, object *"),
    ("object *", "PyDict_GetItemWithError", "object *, object *key"),
    ("object *", "PyCell_Get", "object *"),
    ("object *", "PyWeakref_NewRef", "object *, object *callback"),
    ("object *", "PyWeakref_GetObject", "object *"),
    ("object *", "PyCFunction_GetSelf", "object *"),
    ("method_function ", "PyCFunction_GetFunction", "object *"),
    ("object *", "PyDescr_NewMethod", "object *class, const method *"),
    (
        "object *",
        "PyObject_Vectorcall",
        "object *, object *const *arguments, size_t count, object *names",
    ),
    ("void *", "PyType_GetSlot", "void *type, int"),
    ("int ", "PyType_IsSubtype", "void *type, void *base"),
    ("void ", "PyErr_Clear", "void"),
    ("void ", "Py_IncRef", "object *"),
    ("void ", "Py_DecRef", "object *"),
    ("void *", "PyEval_SaveThread", "void"),
    ("void ", "PyEval_RestoreThread", "void *"),
)
"""Functions of Python's stable interface that the library calls: result, name, parameters."""
LIMIT = 256
"""Threads that can ever work on one stage."""
SPIN = 50_000
"""Nanoseconds for which a worker looks for the next stage before it sleeps: as long as it takes to
wake a thread, and longer than what lies between two steps of a loop."""
LOCK = Exclusion()
KEPT = 3
"""Arrays kept for each output: one held since the last step, one being computed, one to spare."""


def text() -> str:
    """The library's source."""
    return render(
        "runtime.c.j2",
        threads=render("_threads.c.j2", limit=LIMIT, spin=SPIN),
        entry=render("_entry.c.j2", kept=KEPT, functions=FUNCTIONS),
        shortcut=render("_shortcut.c.j2"),
    )


@cache
def _build() -> Build:
    names = "runtime.c.j2", "_threads.c.j2", "_entry.c.j2", "_shortcut.c.j2"
    made_from = [(FOLDER / name).read_text(encoding="utf-8") for name in names]
    return Build([*made_from, repr((LIMIT, SPIN, KEPT, FUNCTIONS))], QUICK, compiler(), text)


def begin() -> None:
    """Let the library be compiled, if need be, while other work is done."""
    with LOCK:
        _build().begin()


def begin_beside() -> None:
    """The same in a thread of its own, since finding a compiler that works takes time as well."""
    Thread(target=_begin_quietly).start()


def _begin_quietly() -> None:
    with suppress(GraphcRuntimeError, OSError):  # it is raised where a program is built
        begin()


class Runtime:
    """The loaded library; its functions are called with Python's lock held."""

    def __init__(self, path: str) -> None:
        library = ctypes.PyDLL(path)
        pointer, integer, flag = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
        python = ctypes.py_object
        library.graphc_python.argtypes = [pointer, pointer]
        library.graphc_python.restype = None
        library.graphc_layout.argtypes = [pointer, pointer]
        library.graphc_layout.restype = None
        library.graphc_threads.argtypes = [flag]
        library.graphc_threads.restype = None
        library.graphc_load.argtypes = [ctypes.c_char_p, pointer]
        library.graphc_load.restype = pointer
        library.graphc_program.argtypes = [pointer]
        library.graphc_program.restype = python
        arrays = (pointer, integer) * 3
        library.graphc_bind.argtypes = (python, python, *arrays, python, python, python, flag, flag)
        library.graphc_bind.restype = python
        shortcut = (python, python, pointer, pointer, flag, pointer, *(pointer, integer) * 2)
        library.graphc_shortcut.argtypes = (*shortcut, pointer, pointer, flag, python, python)
        library.graphc_shortcut.restype = python
        library.graphc_entry.argtypes = (python, pointer)
        library.graphc_entry.restype = python
        self.library = library
        self.is_fast = _has_known_objects() and self._connect()
        """Whether steps are function objects of Python, made by the library."""

    def _connect(self) -> bool:
        """Tell the library where Python's functions are; whether it reads objects rightly."""
        addresses = [
            ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
            for _, name, _ in FUNCTIONS
        ]
        table = (ctypes.c_void_p * len(addresses))(*addresses)
        self.library.graphc_python(table, id(np.ndarray))
        held = [np.empty((2, 3), np.float32)]
        facts = (ctypes.c_int64 * 6)()
        address = id(held[0])
        counts = []
        for _ in range(3):
            self.library.graphc_layout(address, facts)
            counts.append(facts[0])
            held.append(held[0])
        array = held[0]
        expected = [id(np.ndarray), array.ctypes.data, 2, id(array.dtype), array.flags.num]
        return counts == [1, 2, 3] and facts[1:] == expected


def _has_known_objects() -> bool:
    """Whether this interpreter's objects may lie in memory as the library thinks."""
    if sys.implementation.name != "cpython" or hasattr(sys, "gettotalrefcount"):
        return False
    return not sysconfig.get_config_var("Py_GIL_DISABLED") and sys.byteorder == "little"


@cache
def _runtime() -> Runtime:
    return Runtime(str(_build().path()))


def runtime() -> Runtime:
    """The library, compiled and loaded once."""
    with LOCK:
        return _runtime()
