"""Compiling kernels without a GPU: to PTX by Numba and NVVM, and on to machine code by nvJitLink."""

import re
from dataclasses import dataclass

CAPABILITIES = [(7, 5), (9, 0)]


@dataclass(frozen=True)
class Resources:
    """What a thread (registers, spills in bytes) and a block (shared memory in bytes) of a kernel take."""

    registers: int
    shared: int
    stack: int
    spilled: int


def to_ptx(kernel, capability, monkeypatch):
    """Return a kernel's PTX; TypingError and its kin if Numba cannot compile it."""
    import numba.cuda.dispatcher
    from numba import cuda

    from tinygrad_rnn.backends.cuda import compiling

    class Stand_in:
        compute_capability = capability

    # Numba asks for the current device when a kernel calls a function, although all it needs is told below.
    monkeypatch.setattr(numba.cuda.dispatcher, "get_current_device", Stand_in)
    compiling.register_scalar_functions()
    text, _ = cuda.compile_ptx(kernel.function(), kernel.signature(), cc=capability)
    return text


def parameters(ptx):
    """Return the types of an entry's parameters, as PTX writes them."""
    head = ptx[ptx.index(".entry") :]
    return re.findall(r"\.param \.(\w+)", head[: head.index("{")])


def resources(ptx, capability):
    """Link PTX to machine code and return what nvJitLink says it takes."""
    from cuda.bindings import nvjitlink

    arch = f"-arch=sm_{capability[0]}{capability[1]}"
    handle = nvjitlink.create(2, [arch, "-verbose"])
    try:
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, ptx.encode(), len(ptx.encode()), "kernel")
        nvjitlink.complete(handle)
        log = bytearray(nvjitlink.get_info_log_size(handle))
        nvjitlink.get_info_log(handle, log)
    finally:
        nvjitlink.destroy(handle)
    text = log.decode()
    entry = text[text.index("Compiling entry") :]

    def number(pattern):
        found = re.search(pattern, entry)
        return int(found.group(1)) if found else 0

    return Resources(
        number(r"Used (\d+) registers"),
        number(r"(\d+) bytes smem"),
        number(r"(\d+) bytes stack frame"),
        number(r"(\d+) bytes spill stores"),
    )
