"""Options of `edgecl train` on the split and the stages of training."""

from __future__ import annotations

import click

from edgecl.cli.train.options import DEFAULTS
from edgecl.learning.config import (
    AUTOCAST,
    BALANCE,
    HEADS,
    NEGATIVES,
    VIEWS,
)

STAGES = (
    click.option(
        "--split",
        type=click.Choice(["grouped", "paper"]),
        default=DEFAULTS.split,
        show_default=True,
        help="Split protocol: grouped keeps overlap groups together; paper splits at "
        "random and leaks.",
    ),
    click.option(
        "--folds",
        type=click.IntRange(2),
        help="Number of folds; test on --fold instead of splitting 70/15/15.",
    ),
    click.option(
        "--fold",
        type=click.IntRange(0),
        default=DEFAULTS.fold,
        show_default=True,
        help="Fold to test on, counted from 0.",
    ),
    click.option(
        "--label-share",
        type=click.FloatRange(0, 1, min_open=True),
        default=DEFAULTS.label_share,
        show_default=True,
        help="Share of each class's labels to use, chosen strip by strip.",
    ),
    click.option(
        "--label-draw",
        type=click.IntRange(0),
        default=DEFAULTS.label_draw,
        show_default=True,
        help="Number of the random draw for --label-share.",
    ),
    click.option(
        "--pretrain-epochs",
        type=click.IntRange(1),
        default=DEFAULTS.pretrain_epochs,
        show_default=True,
        help="Number of pretraining epochs.",
    ),
    click.option(
        "--epochs",
        type=click.IntRange(1),
        default=DEFAULTS.epochs,
        show_default=True,
        help="Maximum number of fine-tuning epochs.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(2),
        default=DEFAULTS.batch_size,
        show_default=True,
        help="Images per batch, over all ranks.",
    ),
    click.option(
        "--pretrain-batch-size",
        type=click.IntRange(2),
        help="Images per batch of pretraining, over all ranks.  [default: the recipe's, or that "
        "of --batch-size]",
    ),
    click.option(
        "--head",
        type=click.Choice(HEADS),
        default=DEFAULTS.head,
        help="Projection head of pretraining: that of the paper, or wide, with batch norm.  "
        "[default: the recipe's]",
    ),
    click.option(
        "--pretrain-lr",
        type=click.FloatRange(0, min_open=True),
        default=DEFAULTS.pretrain_lr,
        show_default=True,
        help="Learning rate of pretraining.",
    ),
    click.option(
        "--lr",
        type=click.FloatRange(0, min_open=True),
        default=DEFAULTS.lr,
        help="Learning rate of fine-tuning.  [default: the recipe's]",
    ),
    click.option(
        "--temperature",
        type=click.FloatRange(0, min_open=True),
        default=DEFAULTS.temperature,
        help="Temperature of the contrastive loss.  [default: the recipe's]",
    ),
    click.option(
        "--negatives",
        type=click.Choice(NEGATIVES),
        default=DEFAULTS.negatives,
        show_default=True,
        help="SimCLR negatives: all other views, or only those of the other half of the "
        "pairs, as in the paper's code.",
    ),
    click.option(
        "--views",
        type=click.Choice(VIEWS),
        default=DEFAULTS.views,
        show_default=True,
        help="Augmentation: zoom (SimCLR), crop (NNCLR), or auto for the method's own "
        "(zoom without one).",
    ),
    click.option(
        "--queue-size",
        type=click.IntRange(1),
        default=DEFAULTS.queue_size,
        show_default=True,
        help="Number of embeddings in NNCLR's support set.",
    ),
    click.option(
        "--layer-decay",
        type=click.FloatRange(0, 1, min_open=True),
        default=DEFAULTS.layer_decay,
        show_default=True,
        help="Factor on the learning rate of fine-tuning from each part of the encoder to the "
        "one before it; below 1 keeps more of pretraining.",
    ),
    click.option(
        "--balance",
        type=click.Choice(BALANCE),
        default=DEFAULTS.balance,
        show_default=True,
        help="Show all classes equally often in fine-tuning; auto does where the largest has more "
        "than three times the images of the smallest.",
    ),
    click.option("--freeze", is_flag=True, help="Fine-tune the head alone."),
    click.option(
        "--choose-tuning",
        is_flag=True,
        help="Choose by cross-validation on the labelled images between fine-tuning all layers "
        "alike, a layer decay of 0.5, and the head alone.",
    ),
    click.option(
        "--self-train",
        is_flag=True,
        help="Let the best of several teachers label the unlabelled images, and learn from them.",
    ),
    click.option(
        "--student-epochs",
        type=click.IntRange(1),
        default=DEFAULTS.student_epochs,
        show_default=True,
        help="Maximum number of epochs on the teacher's labels.",
    ),
    click.option(
        "--patience",
        type=click.IntRange(1),
        default=DEFAULTS.patience,
        show_default=True,
        help="Stop fine-tuning after this many epochs without a lower validation loss.",
    ),
    click.option(
        "--autocast",
        type=click.Choice(AUTOCAST),
        default=DEFAULTS.autocast,
        show_default=True,
        help="Number format for training; auto measures and takes the fastest; fp16 needs a GPU.",
    ),
    click.option(
        "--compile",
        is_flag=True,
        help="Compile the networks with torch.compile; pays off only in long runs.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=DEFAULTS.seed,
        show_default=True,
        help="Random seed of the split, the weights and the training.",
    ),
    click.option(
        "--strict",
        is_flag=True,
        help="Stop on damaged files and differing image sizes instead "
        "of skipping or stretching them.",
    ),
    click.option(
        "--allow-leak",
        is_flag=True,
        help="Allow copies of held-out images in pretraining; every figure is then marked "
        "as leaking.",
    ),
)
