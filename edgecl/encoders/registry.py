"""Encoders by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from torch import nn

from edgecl.encoders.architectures.cnn_lstm import CNNLSTM
from edgecl.encoders.architectures.convnet import ConvNet
from edgecl.encoders.architectures.inceptionv3 import InceptionV3
from edgecl.encoders.architectures.resnet import PooledResNet50, ResNet50, ResNet101, ResNet152
from edgecl.encoders.architectures.shufflenet import ShuffleNet
from edgecl.encoders.architectures.skipconvnet import SkipConvNet
from edgecl.encoders.architectures.squeezenet import SqueezeNet
from edgecl.encoders.architectures.vgg import VGG19
from edgecl.encoders.architectures.vit_small import ViTSmall
from runtime.errors import InputError


class EncoderClass(Protocol):
    """An encoder maps N×C×H×W float images to N×`embedding_size`."""

    embedding_size: int

    def __call__(self, channels: int, image_size: tuple[int, int]) -> nn.Module: ...


ENCODERS: Mapping[str, EncoderClass] = MappingProxyType(
    {
        "convnet": ConvNet,
        "skipconvnet": SkipConvNet,
        "shufflenet": ShuffleNet,
        "squeezenet": SqueezeNet,
        "resnet50": ResNet50,
        "resnet50-pooled": PooledResNet50,
        # The models that the paper compares with.
        "inceptionv3": InceptionV3,
        "resnet152": ResNet152,
        "vgg19": VGG19,
        "resnet101-svm": ResNet101,
        "cnn-lstm": CNNLSTM,
        "vit-small": ViTSmall,
    }
)


def build_encoder(name: str, *, channels: int = 1, image_size: tuple[int, int]) -> nn.Module:
    """An encoder with fresh weights.

    Args:
        name: a key of `ENCODERS`.
        channels: 1 for gray, 3 for the paper's gray copied to three.
        image_size: (height, width) in pixels.

    Raises:
        InputError: no such encoder, or an image size that its strides do not allow.
    """
    if name not in ENCODERS:
        raise InputError(f"unknown encoder {name!r}", hint=f"choose from {', '.join(ENCODERS)}")
    if channels not in (1, 3):
        raise InputError(f"an encoder has 1 or 3 input channels, not {channels}", hint="use 1 or 3")
    return ENCODERS[name](channels, image_size)
