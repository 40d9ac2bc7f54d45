"""`--weights`: what is loaded, what is said of the rest, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from edgecl.cli.shell import run as edgecl
from edgecl.encoders import build_encoder
from edgecl.encoders.architectures.resnet import ResNet101
from edgecl.encoders.weights import find_weights
from edgecl.learning.runner import train_run
from runtime.errors import InputError

SIZE = (75, 75)
HEADS = {
    "resnet50": ("fc.weight", "fc.bias"),
    "resnet152": ("fc.weight",),
    "vgg19": ("classifier.0.weight", "classifier.6.bias"),
    "inceptionv3": ("AuxLogits.conv0.conv.weight", "fc.weight"),
}


@pytest.fixture
def shallow(monkeypatch):
    """ResNet101 with a block per stage: the same path in a fraction of the time."""
    monkeypatch.setattr(ResNet101, "blocks", (1, 1, 1, 1))
    return "resnet101-svm"


def state_of(name: str, channels: int = 3, seed: int = 1) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    encoder = build_encoder(name, channels=channels, image_size=SIZE)
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
    return encoder.state_dict()


def meta(name: str) -> torch.nn.Module:
    with torch.device("meta"):
        return build_encoder(name, image_size=SIZE)


@pytest.mark.parametrize("name", list(HEADS))
def test_a_file_in_torchvisions_form_fills_the_whole_body(name, tmp_path):
    with torch.device("meta"):
        shapes = build_encoder(name, channels=3, image_size=SIZE).state_dict()
    # torchvision's files have a head of their own, and no biases before a batch norm.
    body = {
        key: torch.zeros([1] * value.ndim, dtype=torch.float16).expand(value.shape)
        for key, value in shapes.items()
        if not key.startswith("dense")
        and (name == "vgg19" or not key.endswith("bias") or "bn" in key or "downsample.1" in key)
    }
    path = tmp_path / f"{name}.pth"
    torch.save({**body, **{key: torch.zeros(3, 4) for key in HEADS[name]}}, path)
    found = find_weights(path, meta(name), name=name)
    counted = {key for key in body if not key.endswith("num_batches_tracked")}
    assert set(found.tensors) == counted
    assert set(found.unused) == set(HEADS[name])
    assert all(key in found.note for key in HEADS[name])
    first = next(iter(shapes))  # its three channels are folded to one
    assert (shapes[first].shape[1], found.tensors[first].shape[1]) == (3, 1)
    if name == "resnet50":
        assert "dense.weight" in found.fresh
        assert all(key.startswith("dense") or key.endswith("bias") for key in found.fresh)
    else:
        assert not found.fresh


def test_a_gray_encoder_with_summed_weights_answers_like_the_one_of_three_channels(
    shallow, tmp_path
):
    path = tmp_path / "three.safetensors"
    save_file(state_of(shallow), path)
    three = build_encoder(shallow, channels=3, image_size=SIZE)
    three.load_state_dict(state_of(shallow))
    gray = build_encoder(shallow, image_size=SIZE)
    find_weights(path, gray, name=shallow).load_into(gray)
    image = torch.randn(2, 1, *SIZE)
    with torch.no_grad():
        expected = three.eval()(image.expand(-1, 3, -1, -1))
        assert torch.allclose(gray.eval()(image), expected, rtol=1e-3, atol=1e-3)


def test_weights_of_three_channels_and_of_gray_fit_an_encoder_of_three(shallow, tmp_path):
    encoder = build_encoder(shallow, channels=3, image_size=SIZE)
    three, one = state_of(shallow), state_of(shallow, channels=1)
    save_file(three, tmp_path / "three.safetensors")
    found = find_weights(tmp_path / "three.safetensors", encoder, name=shallow)
    assert not found.fresh
    assert all(torch.equal(tensor, three[key]) for key, tensor in found.tensors.items())
    save_file(one, tmp_path / "gray.safetensors")
    find_weights(tmp_path / "gray.safetensors", encoder, name=shallow).load_into(encoder)
    gray = build_encoder(shallow, image_size=SIZE)
    gray.load_state_dict(one)
    image = torch.randn(2, 1, *SIZE)
    with torch.no_grad():
        answer = encoder.eval()(image.expand(-1, 3, -1, -1))
        assert torch.allclose(answer, gray.eval()(image), rtol=1e-3, atol=1e-3)


def test_convolution_biases_that_a_file_lacks_are_nothing():
    encoder = build_encoder("resnet50-pooled", image_size=(32, 32))
    biases = [m.bias for m in encoder.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(biases) == 53
    assert all(bias is not None and not bias.any() for bias in biases)


@pytest.mark.parametrize("prefix", ["", "module.", "encoder.", "backbone.encoder."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_prefixes_and_wrappers_are_seen_through(prefix, wrapper, tmp_path):
    state = {prefix + key: value for key, value in state_of("shufflenet", 1).items()}
    path = tmp_path / "saved.pt"
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, path)
    encoder = build_encoder("shufflenet", image_size=SIZE)
    find_weights(path, encoder, name="shufflenet").load_into(encoder)
    loaded = encoder.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in state_of("shufflenet", 1).items())


def test_what_has_another_shape_stays_fresh_and_is_named(tmp_path):
    state = state_of("shufflenet", 1)
    state["dense.weight"] = torch.zeros(7, 128)
    save_file(state, tmp_path / "other.safetensors")
    found = find_weights(tmp_path / "other.safetensors", meta("shufflenet"), name="shufflenet")
    assert list(found.fresh) == list(found.unused) == ["dense.weight"]
    assert "newly initialised: dense.weight; unused tensors of the file: dense.weight" in found.note


def test_weights_of_another_architecture_are_refused_with_the_first_mismatch(tmp_path):
    path = tmp_path / "squeeze.pt"
    torch.save(state_of("squeezenet"), path)
    with pytest.raises(InputError) as error:
        find_weights(path, meta("convnet"), name="convnet")
    assert str(path) in str(error.value)
    assert "features.0.weight is 24×3×3×3 in the file and 128×1×3×3 in the encoder" in str(
        error.value
    )
    assert "omit --weights" in error.value.hint
    with pytest.raises(InputError, match=r"0 of its \d+ tensors match; conv1.weight is not in"):
        find_weights(path, meta("resnet152"), name="resnet152")


def test_integers_under_the_right_names_do_not_fit(tmp_path):
    state = {key: value.to(torch.int8) for key, value in state_of("convnet").items()}
    torch.save(state, tmp_path / "quantised.pt")
    with pytest.raises(InputError, match="128×3×3×3 of int8 in the file"):
        find_weights(tmp_path / "quantised.pt", meta("convnet"), name="convnet")


def test_values_that_are_no_numbers_are_refused(tmp_path):
    state = state_of("shufflenet", 1)
    state["dense.bias"][5] = float("nan")
    save_file(state, tmp_path / "nan.safetensors")
    with pytest.raises(InputError, match=r"infinite values in dense\.bias"):
        find_weights(tmp_path / "nan.safetensors", meta("shufflenet"), name="shufflenet")


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_file_cut_short_is_damaged(kind, share, tmp_path):
    path = tmp_path / "weights.bin"
    if kind == "safetensors":
        save_file(state_of("shufflenet", 1), path)
    else:
        torch.save(state_of("shufflenet", 1), path, _use_new_zipfile_serialization=kind == "zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match="is damaged or truncated; copy or download it again"):
        find_weights(path, meta("shufflenet"), name="shufflenet")


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_objects_are_refused(zipped, tmp_path):
    path = tmp_path / "model.pt"
    encoder = build_encoder("squeezenet", image_size=SIZE)
    torch.save(encoder, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"contains pickled objects.*save model\.state_dict\(\)"):
        find_weights(path, meta("squeezenet"), name="squeezenet")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a weights file"),
        (b"\x89PNG\r\n\x1a\n and so on", "is not a weights file"),
        ([1, 2, 3], "contains no named tensors"),
        ({"epoch": 3}, "contains no named tensors"),
    ],
)
def test_other_files_are_refused(content, said, tmp_path):
    path = tmp_path / "weights.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(InputError, match=said):
        find_weights(path, meta("shufflenet"), name="shufflenet")


def arguments(data, out, *more: str) -> list[str]:
    quick = ["--image-size", "32x32", "--method", "none", "--epochs", "1", "--batch-size", "16"]
    return ["train", "--data", str(data), "--out", str(out), "--autocast", "off", *quick, *more]


def test_a_run_starts_from_the_weights_of_another(trained_run, class_folders, tmp_path, capfd):
    weights = trained_run / "encoder.safetensors"
    more = ["--weights", str(weights), "--lr", "1e-9", "--json"]
    assert edgecl(arguments(class_folders, tmp_path / "run", *more)) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["notes"][0].startswith("encoder.safetensors provided ")
    before, after = load_file(weights), load_file(tmp_path / "run" / "encoder.safetensors")
    assert torch.allclose(before["encoder.dense.weight"], after["encoder.dense.weight"], atol=1e-6)
    weights_in_config = json.loads((tmp_path / "run" / "config.json").read_text())["choices"]
    assert weights_in_config["weights"] == str(weights)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--weights", "/nowhere/resnet.pth"], "/nowhere/resnet.pth cannot be read"),
        (["--encoder", "inceptionv3"], "at least 75x75"),
        (["--encoder", "resnet101-svm", "--method", "simclr"], "add --method none"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(class_folders, tmp_path, capfd, more, expected):
    assert edgecl(arguments(class_folders, tmp_path / "run", *more)) == 2
    lines = capfd.readouterr().err.splitlines()
    assert [expected in line for line in lines if line.startswith("edgecl: ")] == [True]
    assert not (tmp_path / "run").exists()


def test_the_frozen_encoder_keeps_its_weights_and_a_broken_off_run_goes_on(
    shallow, tiny_config, tmp_path
):
    weights = tmp_path / "body.safetensors"
    save_file(state_of(shallow), weights)
    config = replace(tiny_config, encoder=shallow, method="none", weights=str(weights))
    run = tmp_path / "run"
    result = train_run(config, run, report=lambda *_: None)
    assert result.accuracy > 0.6, "bars, posts and blobs show even in random features"
    kept, mine = load_file(run / "encoder.safetensors"), load_file(weights)
    assert all(
        torch.equal(kept[f"encoder.{key}"], value)
        for key, value in mine.items()
        if key != "conv1.weight"
    )
    (line,) = (json.loads(text) for text in (run / "metrics.jsonl").read_text().splitlines())
    assert line["stage"] == "finetune"
    assert line["train_accuracy"] > 0.9
    assert "softmaxed margins" in " ".join(result.notes)

    # A checkpoint has all that is needed: neither the file nor the fit is wanted again.
    (run / "result.json").unlink()
    weights.unlink()
    again = train_run(config, run, report=lambda *_: None)
    assert again.accuracy == result.accuracy
    assert again.notes == result.notes
    assert again.seconds == result.seconds
