"""A bundle as a model repository for NVIDIA's Triton Inference Server.

Fields and their meaning: `model_config.proto` of triton-inference-server/common.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from export.bundle.client_remarks import client_remarks
from export.engine.builder import usual_batches
from runtime.artifact.bundle import Bundle, load_bundle
from runtime.artifact.contract import INPUT_NAME, OUTPUT_NAMES
from runtime.artifact.served import served_name
from runtime.errors import InputError
from runtime.files.atomic import replacing_folder

CONFIG = "config.pbtxt"
LABELS = "labels.txt"
VERSION = "1"
IMAGES = 8
"""Images that a server may put together, unless it is told otherwise."""
MARK = "# Written by edgecl export --triton; the next export replaces it."


class Word(str):
    """A value without quotes: a number's text, or a name of an enumeration."""

    __slots__ = ()


def write_triton(
    bundle_path: Path,
    out: Path,
    *,
    precisions: Sequence[str] | None = None,
    plans: Mapping[str, Path] | None = None,
    max_batch: int | None = None,
    queue_delay_us: int = 0,
    instances: int = 1,
    threads: int = 0,
) -> list[str]:
    """Write the model repository `out`, whole or not at all.

    Every precision becomes a model `NAME_PRECISION` for the onnxruntime backend on the CPU; a
    TensorRT plan becomes `NAME_PRECISION_tensorrt`, on the GPU. A server takes several
    repositories, so `out` is a folder of its own.

    Args:
        bundle_path: the bundle; its hashes are verified.
        precisions: of the bundle; None for all that it holds.
        plans: engine files by precision. They must have been built on the server's GPU by the
            server's TensorRT, for batches up to `max_batch`.
        max_batch: images, or tiles, of one request and of those that the server may put together;
            1 for no batching. None for 8 images, or as many tiles as an engine is built for.
        queue_delay_us: microseconds that an image may wait for others.
        instances: of each model.
        threads: inside one operator of onnxruntime; 0 for its own choice.

    Returns:
        The models' names.

    Raises:
        InputError: no usable bundle, a precision that it lacks, an engine file that is not there,
            a label that Triton's label file cannot hold, or a folder `out` with other things.
    """
    for value, least, what in (
        (1 if max_batch is None else max_batch, 1, "largest batch"),
        (queue_delay_us, 0, "queue delay"),
        (instances, 1, "number of instances"),
        (threads, 0, "number of threads"),
    ):
        if value < least:
            raise InputError(f"{what} {value} is too small", hint=f"use {least} or more")
    bundle = load_bundle(bundle_path)
    tiling = bundle.contract.input.tiling
    if max_batch is None:
        max_batch = IMAGES if tiling is None else usual_batches(bundle.contract.input).max
    chosen = list(bundle.precisions) if precisions is None else list(precisions)
    labels = _label_file(bundle)
    require_own_folder(out)
    shared = {"max_batch": max_batch, "queue_delay_us": queue_delay_us, "instances": instances}
    models: dict[str, tuple[Path, str, dict[str, Any]]] = {}
    for precision in chosen:
        path = bundle.onnx_path(precision)
        title = served_name(bundle.name, precision)
        config = _config(title, bundle, _widths(path), platform="onnxruntime_onnx", **shared)
        if threads:
            config.setdefault("parameters", []).append(
                _parameter("intra_op_thread_count", str(threads))
            )
        models[title] = path, "model.onnx", config
    for precision, plan in (plans or {}).items():
        if not plan.is_file():
            raise InputError(f"no engine found at {plan}", hint="build it on the server first")
        title = served_name(bundle.name, f"{precision}_tensorrt")
        widths = _widths(bundle.onnx_path(next(iter(bundle.precisions))))
        config = _config(title, bundle, widths, platform="tensorrt_plan", **shared)
        models[title] = plan, "model.plan", config
    with replacing_folder(out) as folder:
        for title, (source, file, config) in models.items():
            version = folder / title / VERSION
            version.mkdir(parents=True)
            shutil.copyfile(source, version / file)
            (folder / title / LABELS).write_text(labels, encoding="utf-8")
            text = "\n".join([MARK, *client_remarks(bundle.contract), *_lines(config), ""])
            (folder / title / CONFIG).write_text(text, encoding="utf-8")
    return list(models)


def _config(
    title: str,
    bundle: Bundle,
    widths: Mapping[str, int],
    *,
    platform: str,
    max_batch: int,
    queue_delay_us: int,
    instances: int,
) -> dict[str, Any]:
    """The fields of a `ModelConfig`."""
    image = [1, *bundle.contract.input.shape]
    outputs: list[dict[str, Any]] = [
        {"name": name, "data_type": Word("TYPE_FP32"), "dims": [widths[name]]}
        for name in OUTPUT_NAMES
    ]
    # With it, clients may ask for the best classes by name.
    outputs[0]["label_filename"] = LABELS
    config: dict[str, Any] = {
        "name": title,
        "platform": platform,
        "max_batch_size": max_batch,
        "input": [{"name": INPUT_NAME, "data_type": Word("TYPE_UINT8"), "dims": image}],
        "output": outputs,
        "version_policy": {"latest": {"num_versions": 1}},
        "instance_group": [
            {
                "count": instances,
                "kind": Word("KIND_GPU" if platform == "tensorrt_plan" else "KIND_CPU"),
            }
        ],
        # The first image of the line must not pay for what is set up at the first run.
        "model_warmup": [
            {
                "name": f"batch of {batch}",
                "batch_size": batch,
                "inputs": {
                    "key": INPUT_NAME,
                    "value": {
                        "data_type": Word("TYPE_UINT8"),
                        "dims": image,
                        "random_data": Word("true"),
                    },
                },
            }
            for batch in sorted({1, max_batch})
        ],
    }
    if client_remarks(bundle.contract):
        # Of no meaning to the server: clients read it with the rest of the configuration.
        contract = bundle.contract.to_metadata()
        config["parameters"] = [_parameter(key, text) for key, text in contract.items()]
    if max_batch > 1:
        config["dynamic_batching"] = {"max_queue_delay_microseconds": queue_delay_us}
    return config


def _parameter(key: str, text: str) -> dict[str, Any]:
    return {"key": key, "value": {"string_value": text}}


def _widths(path: Path) -> dict[str, int]:
    """The length of every answer for one image, from the graph."""
    graph = onnx.load(path, load_external_data=False).graph
    widths = {}
    for output in graph.output:
        _, width = output.type.tensor_type.shape.dim
        widths[output.name] = int(width.dim_value) or -1
    return widths


def _label_file(bundle: Bundle) -> str:
    for label in bundle.contract.labels:
        if not label.strip() or "\n" in label or "\r" in label:
            raise InputError(
                f"Triton's label file cannot store the label {label!r} of {bundle.path}",
                hint="rename the class and train again",
            )
    return "".join(f"{label}\n" for label in bundle.contract.labels)


def require_own_folder(out: Path) -> None:
    """Refuse to replace a folder that holds anything but what was written here.

    Raises:
        InputError: it does, or it is a file.
    """
    if not out.exists():
        return
    for entry in sorted(out.iterdir()) if out.is_dir() else [out]:
        config = entry / CONFIG
        if not config.is_file() or not config.read_text(errors="replace").startswith(MARK):
            raise InputError(
                f"{out} contains {entry.name}, which edgecl did not write",
                hint="use a separate folder; a server can load several model repositories",
            )


def _lines(message: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """A message in protobuf's text format."""
    for key, value in message.items():
        messages = value if isinstance(value, list) else [value]
        if isinstance(messages[0], Mapping):
            for entry in messages:
                yield f"{indent}{key} {{"
                yield from _lines(entry, f"{indent}  ")
                yield f"{indent}}}"
        elif isinstance(value, list):
            yield f"{indent}{key}: [ {', '.join(map(str, value))} ]"
        else:
            yield f"{indent}{key}: {_scalar(value)}"


def _scalar(value: str | int) -> str:
    if isinstance(value, Word) or not isinstance(value, str):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
