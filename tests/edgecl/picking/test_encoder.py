"""A run's encoder takes images of any size in the run's own geometry."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edgecl.data.pixels.tiled import TiledImages
from edgecl.learning.config import TrainConfig
from edgecl.learning.documents import EpochMeasures, RunConfig
from edgecl.learning.loop.answers import embed
from edgecl.learning.model import Backbone, Classifier
from edgecl.learning.run.pretrained import pretraining_facts, save_pretrained
from edgecl.learning.run.run_directory import CONFIG
from edgecl.picking.encoder import RunEncoder, load_encoder
from runtime.artifact.contract import InputContract
from runtime.artifact.tiling import Tiling
from runtime.errors import InputError
from runtime.files.document import write_document
from runtime.image.preprocess import Preprocessor
from tests.edgecl.conftest import draw


def images(*sizes: tuple[int, int]) -> TiledImages:
    rng = np.random.default_rng(0)
    return TiledImages([rng.integers(0, 256, size, np.uint8) for size in sizes], Tiling((1, 1)))


def untrained(config: TrainConfig, *, whole: bool = True) -> RunEncoder:
    torch.manual_seed(0)
    backbone = Backbone(config.encoder, config.image_size).eval()
    network = Classifier(backbone, 2).eval() if whole else backbone
    return RunEncoder(Path("runs/x"), config, ("bad", "good"), network)


def test_images_of_several_sizes_are_stretched_to_the_runs(trained_run):
    encoder = load_encoder(trained_run)
    rng = np.random.default_rng(0)
    sizes = [draw("bars", rng), draw("blob", rng)[:30], draw("posts", rng)[:, 5:]]
    told: list[int] = []
    embeddings, shares = encoder.describe(TiledImages(sizes, Tiling((1, 1))), told.append)
    assert shares is not None
    assert (len(embeddings), shares.shape) == (3, (3, 3))
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert told == [3]
    preprocess = Preprocessor(InputContract(*encoder.config.image_size))
    stretched = np.empty((3, *encoder.config.image_size), np.uint8)
    for image, place in zip(sizes, stretched, strict=True):
        preprocess(image, place)
    assert isinstance(encoder.network, Classifier)
    expected = embed(encoder.network.backbone, stretched, torch.device("cpu"))
    np.testing.assert_allclose(embeddings, expected, rtol=1e-4, atol=1e-5)


def test_a_run_on_tiles_takes_tiles(monkeypatch):
    monkeypatch.setattr("edgecl.picking.encoder._IMAGES", 2)
    config = TrainConfig(image_size=(32, 32), geometry="tiles", scale=0.5)
    encoder = untrained(config)
    assert encoder.scale == 0.5
    several = images((32, 32), (70, 40), (20, 20))
    told: list[int] = []
    embeddings, shares = encoder.describe(several, told.append)
    assert told == [2, 3]
    assert shares is not None
    assert shares.shape == (3, 2)
    one, _ = encoder.describe(several[:1], told.append)
    np.testing.assert_allclose(embeddings[0], one[0], rtol=1e-4, atol=1e-5)


def test_an_encoder_without_a_head_answers_nothing():
    config = TrainConfig(image_size=(32, 32))
    embeddings, shares = untrained(config, whole=False).describe(images((32, 32)), lambda _: None)
    assert embeddings.shape[0] == 1
    assert shares is None


def test_weights_that_give_no_numbers_are_refused():
    encoder = untrained(TrainConfig(image_size=(32, 32)))
    assert isinstance(encoder.network, Classifier)
    with torch.no_grad():
        encoder.network.head.weight.fill_(float("nan"))
    with pytest.raises(InputError, match="runs/x are not finite"):
        encoder.describe(images((32, 32)), lambda _: None)


def test_a_folder_that_is_not_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a run"):
        load_encoder(tmp_path)


def test_a_pretraining_alone_gives_its_encoder(tmp_path):
    config = TrainConfig(image_size=(32, 32), geometry="stretch", pretrain_only=True)
    torch.manual_seed(0)
    backbone = Backbone(config.encoder, config.image_size).eval()
    epoch = EpochMeasures(
        stage="pretrain", epoch=1, seconds=1.0, loss=1.0, contrastive_accuracy=0.5
    )
    facts = pretraining_facts(config, [epoch], images=2)
    save_pretrained(tmp_path, backbone, np.zeros((2, 32, 32), np.uint8), facts)
    write_document(tmp_path / CONFIG, RunConfig(choices=config, labels=("a", "b"), data_digest="0"))
    encoder = load_encoder(tmp_path)
    several = images((32, 32), (50, 60))
    found, shares = encoder.describe(several, lambda _: None)
    assert shares is None
    expected, _ = RunEncoder(tmp_path, config, (), backbone).describe(several, lambda _: None)
    np.testing.assert_array_equal(found, expected)
