"""The Triton model repository: configurations that Triton's own schema takes, and nothing lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
)

from export.bundle.triton import write_triton
from runtime.artifact.bundle import load_bundle
from runtime.artifact.contract import ModelContract
from runtime.artifact.roi import Roi
from runtime.artifact.served import model_name, served_name
from runtime.artifact.tiling import Tiling
from runtime.errors import InputError
from runtime.session.base import TILES_AT_ONCE
from runtime.session.oip.connection import ModelFacts, ServedModel, TensorFacts
from runtime.session.oip.contract import batches_of, expected_of
from tests.runtime.image.flat_fields import stored_flat

# The part of model_config.proto that is used, with its numbers: field → (number, type, repeated).
SCHEMA: dict[str, dict[str, tuple[int, str, bool]]] = {
    "Latest": {"num_versions": (1, "uint32", False)},
    "VersionPolicy": {"latest": (1, "Latest", False)},
    "Input": {
        "name": (1, "string", False),
        "data_type": (2, "DataType", False),
        "dims": (4, "int64", True),
    },
    "Output": {
        "name": (1, "string", False),
        "data_type": (2, "DataType", False),
        "dims": (3, "int64", True),
        "label_filename": (4, "string", False),
    },
    "InstanceGroup": {"count": (2, "int32", False), "kind": (4, "Kind", False)},
    "DynamicBatching": {"max_queue_delay_microseconds": (2, "uint64", False)},
    "Parameter": {"string_value": (1, "string", False)},
    "ParametersEntry": {"key": (1, "string", False), "value": (2, "Parameter", False)},
    "WarmupInput": {
        "data_type": (1, "DataType", False),
        "dims": (2, "int64", True),
        "random_data": (4, "bool", False),
    },
    "InputsEntry": {"key": (1, "string", False), "value": (2, "WarmupInput", False)},
    "Warmup": {
        "name": (1, "string", False),
        "batch_size": (2, "uint32", False),
        "inputs": (3, "InputsEntry", True),
    },
    "ModelConfig": {
        "name": (1, "string", False),
        "platform": (2, "string", False),
        "version_policy": (3, "VersionPolicy", False),
        "max_batch_size": (4, "int32", False),
        "input": (5, "Input", True),
        "output": (6, "Output", True),
        "instance_group": (7, "InstanceGroup", True),
        "dynamic_batching": (11, "DynamicBatching", False),
        "parameters": (14, "ParametersEntry", True),
        "model_warmup": (16, "Warmup", True),
    },
}
ENUMS = {
    "DataType": {"TYPE_INVALID": 0, "TYPE_UINT8": 2, "TYPE_FP32": 11},
    "Kind": {"KIND_AUTO": 0, "KIND_GPU": 1, "KIND_CPU": 2, "KIND_MODEL": 3},
}


def model_config() -> Any:
    """The class of the schema's ModelConfig."""
    file = descriptor_pb2.FileDescriptorProto(name="config.proto", package="t", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto
    for name, values in ENUMS.items():
        enum = file.enum_type.add(name=name)
        for label, number in values.items():
            enum.value.add(name=label, number=number)
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        for key, (number, kind, repeated) in fields.items():
            entry = message.field.add(name=key, number=number)
            entry.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if kind in SCHEMA or kind in ENUMS:
                entry.type = field.TYPE_MESSAGE if kind in SCHEMA else field.TYPE_ENUM
                entry.type_name = f".t.{kind}"
            else:
                entry.type = getattr(field, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.ModelConfig"))


def read(folder: Any) -> Any:
    """The configuration of a model; a field or word that Triton does not know is an error."""
    return text_format.Parse((folder / "config.pbtxt").read_text(), model_config()())


def test_every_precision_becomes_a_model(make_bundle, tmp_path):
    bundle = make_bundle(precisions=("fp32", "int8"))
    names = write_triton(bundle, tmp_path / "models", max_batch=4, queue_delay_us=200, instances=2)
    assert names == ["tiny_fp32", "tiny_int8"]
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == names
    for name in names:
        folder = tmp_path / "models" / name
        config = read(folder)
        assert config.name == name
        assert config.platform == "onnxruntime_onnx"
        assert config.max_batch_size == 4
        assert config.dynamic_batching.max_queue_delay_microseconds == 200
        assert config.version_policy.latest.num_versions == 1
        assert [(group.count, group.kind) for group in config.instance_group] == [(2, 2)]
        (image,) = config.input
        assert (image.name, image.data_type, list(image.dims)) == ("image", 2, [1, 32, 48])
        probabilities, embedding = config.output
        assert (probabilities.name, list(probabilities.dims)) == ("probabilities", [3])
        assert (embedding.name, list(embedding.dims)) == ("embedding", [128])
        assert {probabilities.data_type, embedding.data_type} == {11}
        assert (probabilities.label_filename, embedding.label_filename) == ("labels.txt", "")
        assert [sample.batch_size for sample in config.model_warmup] == [1, 4]
        assert config.model_warmup[0].inputs[0].key == "image"
        assert list(config.model_warmup[0].inputs[0].value.dims) == [1, 32, 48]
        assert (folder / "labels.txt").read_text() == "dark\nmiddle\nbright\n"
        source = bundle / f"model.{name.removeprefix('tiny_')}.onnx"
        assert (folder / "1" / "model.onnx").read_bytes() == source.read_bytes()


TRITON_TYPES = {2: "UINT8", 11: "FP32"}
"""Datatypes of the protocol, by Triton's number."""


@pytest.mark.parametrize("tiling", [None, Tiling((32, 48), (16, 48), 0.5, "worst")])
@pytest.mark.parametrize("largest", [None, 1])
def test_what_is_written_is_what_a_session_on_a_server_expects(
    make_bundle, tmp_path, tiling, largest
):
    path = make_bundle(tiling=tiling, precisions=("fp32", "int8"))
    names = write_triton(path, tmp_path / "models", max_batch=largest)
    bundle = load_bundle(path)
    expected = expected_of(bundle.contract)
    for name, precision in zip(names, bundle.precisions, strict=True):
        assert name == served_name(bundle.name, precision)
        config = read(tmp_path / "models" / name)
        assert config.name == name
        # A model that batches has an axis in front of its dims, in the protocol's metadata -1.
        assert config.max_batch_size >= 1
        told = [
            {
                tensor.name: TensorFacts(TRITON_TYPES[tensor.data_type], (-1, *tensor.dims))
                for tensor in tensors
            }
            for tensors in (config.input, config.output)
        ]
        assert told[0] == expected.inputs
        assert {name: tensor.datatype for name, tensor in told[1].items()} == {
            name: tensor.datatype for name, tensor in expected.outputs.items()
        }
        version = str(next((tmp_path / "models" / name).glob("[0-9]*")).name)
        facts = ModelFacts(name, (version,), told[0], told[1], largest=config.max_batch_size)
        most = min(config.max_batch_size, TILES_AT_ONCE)
        model = ServedModel(name, "1")
        assert batches_of(facts, bundle.contract, model, "triton") == (1, most)


def test_a_model_for_tiles_says_what_clients_do(make_bundle, tmp_path):
    tiling = Tiling((32, 48), (16, 48), 0.5, "worst")
    (name,) = write_triton(make_bundle(tiling=tiling), tmp_path / "models")
    config = read(tmp_path / "models" / name)
    assert config.max_batch_size == 32
    assert [sample.batch_size for sample in config.model_warmup] == [1, 32]
    assert list(config.input[0].dims) == [1, 32, 48]
    (parameter,) = config.parameters
    assert parameter.key == "edgecl"
    held = ModelContract.from_metadata({"edgecl": parameter.value.string_value}, where=name)
    assert held.input.tiling == tiling
    assert held.pass_labels == ("bright",)
    text = (tmp_path / "models" / name / "config.pbtxt").read_text()
    assert "tiles of 32x48 with steps of at most 16x48" in text
    assert "the tile with the least probability of the pass labels" in text
    assert "Pass labels: 'bright'." in text
    write_triton(make_bundle(tmp_path / "again.edgecl"), tmp_path / "models")  # its own folder


def test_threads_and_tiles_are_parameters_of_one_model(make_bundle, tmp_path):
    (name,) = write_triton(
        make_bundle(tiling=Tiling((32, 48))), tmp_path / "m", max_batch=9, threads=2
    )
    config = read(tmp_path / "m" / name)
    assert [entry.key for entry in config.parameters] == ["edgecl", "intra_op_thread_count"]
    assert config.max_batch_size == 9
    assert (
        "the mean of its tiles' probabilities"
        in (tmp_path / "m" / name / "config.pbtxt").read_text()
    )


def test_a_label_cannot_break_out_of_a_remark(make_bundle, tmp_path):
    labels = ("dark\nmax_batch_size: 7", "bright")
    with pytest.raises(InputError, match="label"):
        write_triton(
            make_bundle(labels=labels, pass_labels=labels[:1], tiling=Tiling((32, 48))),
            tmp_path / "m",
        )


def test_some_precisions_one_image_at_a_time(make_bundle, tmp_path):
    bundle = make_bundle(precisions=("fp32", "int8"))
    names = write_triton(bundle, tmp_path / "m", precisions=["int8"], max_batch=1, threads=2)
    assert names == ["tiny_int8"]
    config = read(tmp_path / "m" / "tiny_int8")
    assert not config.HasField("dynamic_batching")
    assert [(entry.key, entry.value.string_value) for entry in config.parameters] == [
        ("intra_op_thread_count", "2")
    ]
    assert [sample.batch_size for sample in config.model_warmup] == [1]


def test_an_engine_becomes_a_model_on_the_gpu(make_bundle, tmp_path):
    plan = tmp_path / "key.engine"
    plan.write_bytes(b"engine")
    names = write_triton(make_bundle(), tmp_path / "m", plans={"int8": plan}, threads=3)
    assert names == ["tiny_fp32", "tiny_int8_tensorrt"]
    config = read(tmp_path / "m" / "tiny_int8_tensorrt")
    assert config.platform == "tensorrt_plan"
    assert config.instance_group[0].kind == 1
    assert not config.parameters
    written = tmp_path / "m" / "tiny_int8_tensorrt" / "1" / "model.plan"
    assert written.read_bytes() == b"engine"


def test_a_second_export_replaces_the_first_whole(make_bundle, tmp_path):
    bundle = make_bundle(precisions=("fp32", "int8"))
    write_triton(bundle, tmp_path / "m")
    write_triton(bundle, tmp_path / "m", precisions=["fp32"])
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["tiny_fp32"]


@pytest.mark.parametrize("foreign", ["other_model/config.pbtxt", "notes.txt"])
def test_a_folder_with_other_things_is_left_alone(foreign, make_bundle, tmp_path):
    bundle = make_bundle()
    write_triton(bundle, tmp_path / "m")
    other = tmp_path / "m" / foreign
    other.parent.mkdir(exist_ok=True)
    other.write_text('name: "other_model"\n')
    with pytest.raises(InputError, match="which edgecl did not write"):
        write_triton(bundle, tmp_path / "m")
    assert other.exists()


def test_an_engine_that_is_missing_leaves_the_old_repository(make_bundle, tmp_path):
    bundle = make_bundle()
    write_triton(bundle, tmp_path / "m")
    with pytest.raises(InputError, match=r"no engine .*none\.engine"):
        write_triton(bundle, tmp_path / "m", plans={"fp16": tmp_path / "none.engine"})
    assert [path.name for path in tmp_path.glob("m/*")] == ["tiny_fp32"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "tiny.edgecl"]


def test_a_precision_that_the_bundle_lacks_is_refused(make_bundle, tmp_path):
    with pytest.raises(InputError, match="has no fp16"):
        write_triton(make_bundle(), tmp_path / "m", precisions=["fp16"])
    assert not (tmp_path / "m").exists()


def test_a_label_with_a_line_break_is_refused(make_bundle, tmp_path):
    bundle = make_bundle(labels=("dark\nside", "middle", "bright"))
    with pytest.raises(InputError, match=r"cannot store the label 'dark\\nside'"):
        write_triton(bundle, tmp_path / "m")


@pytest.mark.parametrize(
    ("option", "value"),
    [("max_batch", 0), ("queue_delay_us", -1), ("instances", 0), ("threads", -1)],
)
def test_numbers_that_make_no_sense_are_refused(option, value, make_bundle, tmp_path):
    with pytest.raises(InputError, match="too small"):
        write_triton(make_bundle(), tmp_path / "m", **{option: value})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("neu v1.2", "neu_v1_2"),
        ("Bänder/links", "B_nder_links"),
        ("…", "model"),
        ("a-b_c", "a-b_c"),
    ],
)
def test_names_are_fit_for_folders_and_addresses(text, name):
    assert model_name(text) == name


def test_a_region_of_interest_is_the_clients_to_cut(make_bundle, tmp_path):
    bundle = make_bundle(roi=Roi(left=3, top=5, width=96, height=64))
    (name, *_) = write_triton(bundle, tmp_path / "models")
    text = (tmp_path / "models" / name / "config.pbtxt").read_text()
    assert "# 1. cuts a frame to 96x64 pixels (across x down), from 3 pixels from the left" in text
    assert "# 3. resizes it to 32x48 (down x across), linearly." in text
    assert "tiles" not in text
    (parameter,) = read(tmp_path / "models" / name).parameters
    contract = json.loads(parameter.value.string_value)
    assert contract["input"]["roi"] == {"left": 3, "top": 5, "width": 96, "height": 64}


def test_a_flat_field_is_the_clients_to_remove(make_bundle, tmp_path):
    stored_flat(tmp_path / "f.npz")
    bundle = make_bundle(flat=tmp_path / "f.npz", tiling=Tiling((32, 48)))
    (name, *_) = write_triton(bundle, tmp_path / "models")
    text = (tmp_path / "models" / name / "config.pbtxt").read_text()
    assert (
        "# 1. turns a frame gray (BT.601) and corrects it to 8 bits with the bundle's flat" in text
    )
    assert "# 2. resizes it by the scale 1" in text
