"""Grids with a name. Data folders are the user's; without any, the drawn surfaces are used."""

from __future__ import annotations

from edgecl.study.grid import ARMS, CLEAN, IN_DOMAIN, PAPER, Study

# Minutes on two cores, on drawn surfaces: every part of the grid once, and no more.
SMOKE = Study(
    baselines=("squeezenet",),
    arms=(IN_DOMAIN, PAPER),
    folds=2,
    label_shares=(0.1, 1.0),
    image_size=(32, 32),
    pretrain_epochs=4,
    epochs=6,
    pretrain_lr=2e-3,
    lr=2e-3,
    autocast="off",
)

# A night on two cores: the small encoder of the paper, on few and on all labels.
NEU_CPU = Study(
    arms=(CLEAN, IN_DOMAIN),
    label_shares=(0.01, 0.05, 0.1, 1.0),
    pretrain_epochs=20,
    lr=1e-3,
    autocast="off",  # bf16 gains nothing for small images, and fixed is easier to repeat
)

# The paper's grid at the paper's size, under both protocols: days on a GPU.
PAPER_GRID = Study(
    encoders=("convnet", "skipconvnet", "shufflenet", "squeezenet", "resnet50"),
    baselines=("inceptionv3", "resnet152", "resnet101-svm", "vgg19", "cnn-lstm", "vit-small"),
    arms=ARMS,
    seeds=(0, 1, 2),
    label_shares=(0.01, 0.05, 0.1, 1.0),
    draws=3,
    image_size=(128, 800),
    channels=3,
    pretrain_epochs=100,
    epochs=100,
)

PRESETS = {"smoke": SMOKE, "neu-cpu": NEU_CPU, "paper": PAPER_GRID}
