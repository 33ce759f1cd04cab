"""Where NVRTC and cuBLAS are, which the CUDA engine opens when it first needs them.

The extra itosde[cuda13] brings both from NVIDIA's Python packages, and cuda-pathfinder, which knows where
packages, conda and the system keep them. The environment variables ITO_NVRTC and ITO_CUBLAS, which name a
file each, go before all else; without either the loader's own places are searched.
"""

from __future__ import annotations

import ctypes
import os


def find() -> None:
    """Sets both variables where they are not and the libraries are found. Nothing without a driver."""
    try:
        ctypes.CDLL("libcuda.so.1")
        from cuda.pathfinder import DynamicLibNotFoundError, load_nvidia_dynamic_lib
    except (OSError, ImportError):
        return
    for variable, library in (("ITO_NVRTC", "nvrtc"), ("ITO_CUBLAS", "cublas")):
        if not os.environ.get(variable):
            try:
                path = load_nvidia_dynamic_lib(library).abs_path
            except DynamicLibNotFoundError:
                continue
            if path:
                os.environ[variable] = path
