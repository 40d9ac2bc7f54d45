"""TensorRT engine from its file: loaded, and checked against its sidecar."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from runtime.artifact.contract import INPUT_NAME, OUTPUT_NAMES
from runtime.artifact.engine_file import EngineFile
from runtime.errors import InputError
from runtime.gpu.memory import GpuDevice
from runtime.gpu.memory.errors import GpuMemoryError, error_of_words
from runtime.session.tensorrt.log import errors_of, recording
from runtime.session.tensorrt.module import is_rtx, title

REBUILD = "delete it; the next 'edgecl run' on this machine rebuilds it"


@dataclass(frozen=True)
class TensorLayout:
    """Tensors of an engine.

    Args:
        image: height and width in pixels.
        widths: columns of `probabilities` and `embedding`.
        batches: the smallest and largest batch of its profile.
    """

    image: tuple[int, int]
    widths: tuple[int, int]
    batches: tuple[int, int]


def require_fit(trt: Any, device: GpuDevice, file: EngineFile) -> None:
    """Refuse an engine that was built for something else, before TensorRT is asked.

    TensorRT itself notices, if not always before it crashes.

    Raises:
        InputError: another version built it, or it is for another GPU.
    """
    if str(trt.__version__) != file.tensorrt:
        raise InputError(
            f"the engine {file.path} was built with TensorRT {file.tensorrt}, but this "
            f"machine has {title(trt)}",
            hint=REBUILD,
        )
    capabilities = [part.strip() for part in file.compute_capability.split(",")]
    same = is_rtx(trt) or file.device == device.name
    if device.compute_capability not in capabilities or not same:
        raise InputError(
            f"the engine {file.path} was built for {file.device} "
            f"({file.compute_capability}), but this machine has {device.name} "
            f"({device.compute_capability})",
            hint=REBUILD,
        )


def abandon(thing: object) -> None:
    """Keep something forever, because the GPU that it lives on is gone.

    There is nothing left to free: the driver refuses every call. But destroying it, now or when
    the process ends, would make those calls, and pycuda and TensorRT end the process over what the
    driver answers.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


class LoadedEngine:
    """A runtime and its engine.

    TensorRT frees an object with its last reference, and an error's traceback keeps what its
    functions held: hence these two are nobody's but this object's, and `close` lets go of them.

    Attributes:
        engine: an `ICudaEngine`.
    """

    def __init__(self) -> None:
        self._runtime: Any = None
        self.engine: Any = None

    def load(self, trt: Any, file: EngineFile, plan: bytes) -> None:
        """Deserialise. The GPU must be current.

        Raises:
            GpuError: the GPU has no memory left, or is gone.
            InputError: TensorRT does not take the bytes, with its own words.
        """
        with recording(trt) as (logger, lines):
            self._runtime = trt.Runtime(logger)
            self.engine = self._runtime.deserialize_cuda_engine(plan)
        if self.engine is None:
            words = errors_of(lines)
            raise error_of_words(words) or InputError(
                f"{title(trt)} cannot load the engine {file.path}: {words}", hint=REBUILD
            )

    @property
    def empty(self) -> bool:
        """Whether nothing is held."""
        return self.engine is None and self._runtime is None

    def close(self) -> None:
        """Free the engine first, since it works by its runtime. The GPU must be current."""
        self.engine = None
        self._runtime = None


def read_layout(trt: Any, loaded: LoadedEngine, file: EngineFile) -> TensorLayout:
    """The engine's tensors.

    Raises:
        InputError: they are not those of a model that edgecl exported, or not the sidecar's.
    """
    names = [loaded.engine.get_tensor_name(place) for place in range(loaded.engine.num_io_tensors)]
    if set(names) != {INPUT_NAME, *OUTPUT_NAMES}:
        raise _foreign(file, f"its tensors are {', '.join(names) or 'none'}")
    modes = trt.TensorIOMode
    expected = {
        INPUT_NAME: (modes.INPUT, trt.DataType.UINT8),
        **dict.fromkeys(OUTPUT_NAMES, (modes.OUTPUT, trt.DataType.FLOAT)),
    }
    for name, (mode, dtype) in expected.items():
        found = loaded.engine.get_tensor_dtype(name)
        if loaded.engine.get_tensor_mode(name) != mode or found != dtype:
            raise _foreign(file, f"{name} is {found.name.lower()}, not {dtype.name.lower()}")
        if loaded.engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
            raise _foreign(file, f"{name} is not on the device")
    profile = loaded.engine.get_tensor_profile_shape(INPUT_NAME, 0)
    smallest, _, largest = (tuple(shape) for shape in profile)
    image = file.contract.input.shape
    if largest[1:] != (1, *image):
        raise _foreign(file, f"its input is {largest}, but its sidecar says {image}")
    widths = [int(tuple(loaded.engine.get_tensor_shape(name))[-1]) for name in OUTPUT_NAMES]
    if widths[0] != len(file.contract.labels):
        raise _foreign(
            file, f"it has {widths[0]} classes, but its sidecar says {len(file.contract.labels)}"
        )
    return TensorLayout(image, (widths[0], widths[1]), (int(smallest[0]), int(largest[0])))


def _foreign(file: EngineFile, why: str) -> InputError:
    return InputError(
        f"the engine {file.path} was not built from an edgecl model: {why}", hint=REBUILD
    )


def no_room(error: GpuMemoryError, device: GpuDevice, free: int | None) -> InputError:
    """The error for a GPU without room for a session."""
    left = "" if free is None else f"{free / 2**20:.0f} of "
    return InputError(
        f"{error}; {left}{device.total / 2**20:.0f} MiB of {device.name}'s memory is free",
        hint="stop other programs that use the GPU, or build the engine for smaller batches",
    )
