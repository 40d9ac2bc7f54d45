"""Encoders by name."""

from __future__ import annotations

from typing import Protocol

from torch import nn

from runtime.errors import InputError
from runtime.plugins import Plugins


class EncoderClass(Protocol):
    """Interface of encoders: N×C×H×W float images to N×`embedding_size`."""

    embedding_size: int

    def __call__(self, channels: int, image_size: tuple[int, int]) -> nn.Module: ...


ENCODERS: Plugins[EncoderClass] = Plugins(
    "edgecl.encoders",
    "encoder",
    {
        "convnet": "edgecl.encoders.architectures.convnet:ConvNet",
        "skipconvnet": "edgecl.encoders.architectures.skipconvnet:SkipConvNet",
        "shufflenet": "edgecl.encoders.architectures.shufflenet:ShuffleNet",
        "squeezenet": "edgecl.encoders.architectures.squeezenet:SqueezeNet",
        "resnet50": "edgecl.encoders.architectures.resnet:ResNet50",
        "resnet50-pooled": "edgecl.encoders.architectures.resnet:PooledResNet50",
        # The models that the paper compares with.
        "inceptionv3": "edgecl.encoders.architectures.inceptionv3:InceptionV3",
        "resnet152": "edgecl.encoders.architectures.resnet:ResNet152",
        "vgg19": "edgecl.encoders.architectures.vgg:VGG19",
        "resnet101-svm": "edgecl.encoders.architectures.resnet:ResNet101",
        "cnn-lstm": "edgecl.encoders.architectures.cnn_lstm:CNNLSTM",
        "vit-small": "edgecl.encoders.architectures.vit_small:ViTSmall",
    },
)


def build_encoder(name: str, *, channels: int = 1, image_size: tuple[int, int]) -> nn.Module:
    """An encoder with fresh weights.

    Args:
        name: of `ENCODERS`.
        channels: 1 for gray, 3 for the paper's gray copied to three.
        image_size: (height, width) in pixels.

    Raises:
        InputError: no such encoder, or an image size that its strides do not allow.
    """
    encoder = ENCODERS[name]
    if channels not in (1, 3):
        raise InputError(f"an encoder has 1 or 3 input channels, not {channels}", hint="use 1 or 3")
    return encoder(channels, image_size)
