"""Class activation: which places of an image speak for a class, and how much.

The class activation map (CAM) of Zhou et al., "Learning Deep Features for Discriminative
Localization", CVPR 2016, applies the head's weights, which stand behind a global mean, at every
place before it. Grad-CAM (Selvaraju et al., ICCV 2017) is the same for such networks. For others
this takes the gradient at each place times the activation there (HiResCAM: Draelos and Carin, "Use
HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks", 2020). It
is CAM behind a mean, and stays exact where CAM is not defined:

- behind a mean, a place counts by all of its activations, as in CAM;
- behind a maximum, a place counts by the activations that are the largest of their channel;
- without pooling, each place has weights of its own;
- a ReLU among the dense layers counts as it stands for this image, open or shut.

So a class's activations, summed over all places, give its logit but for what the biases add.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgecl.encoders.last_map import LastMap
from edgecl.learning.model import Classifier
from runtime.errors import InputError


class ClassActivation(nn.Module):
    """The probabilities of a classifier, and each place's share of its logits.

    Args:
        classifier: in evaluation mode.

    Raises:
        InputError: its encoder does not keep places apart, or does not say where.
    """

    def __init__(self, classifier: Classifier, encoder_name: str) -> None:
        super().__init__()
        encoder = classifier.backbone.encoder
        dense = getattr(encoder, "dense", nn.Identity())
        layers = [*(dense if isinstance(dense, nn.Sequential) else (dense,)), classifier.head]
        kept = [layer for layer in layers if not isinstance(layer, (nn.Identity, nn.Dropout))]
        last_map = getattr(encoder, "last_map", None)
        if not isinstance(last_map, LastMap) or not all(
            isinstance(layer, (nn.Linear, nn.ReLU)) for layer in kept
        ):
            raise InputError(
                f"no heat maps with {encoder_name}: its embedding does not come from a map of the "
                "image by pooling and dense layers",
                hint="omit --heat-maps, or train another encoder, such as shufflenet",
            )
        self.last_map = last_map
        self.classifier = classifier
        self.layers = nn.ModuleList(kept)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 N×1×H×W to probabilities N×C and activation N×C×h×w, float32."""
        backbone = self.classifier.backbone
        maps: Tensor = backbone.encoder.features(backbone.encoder_input(image))  # type: ignore[operator]
        flat = maps.flatten(2)
        if self.last_map.pooling == "mean":
            pooled, shares = flat.mean(dim=2), flat / flat.shape[2]
        elif self.last_map.pooling == "max":
            pooled = flat.amax(dim=2)
            largest = (flat == pooled[:, :, None]).to(flat.dtype)
            shares = flat * largest / largest.sum(dim=2, keepdim=True)
        else:
            pooled, shares = flat.flatten(1), flat
        logits, slopes = _through(self.layers, pooled)
        if self.last_map.pooling == "none":
            by_place = slopes.reshape(*slopes.shape[:2], *shares.shape[1:])
            activation = (by_place * shares[:, None]).sum(dim=2)
        else:
            activation = slopes @ shares
        places = activation.reshape(*activation.shape[:2], *maps.shape[2:])
        return torch.softmax(logits, dim=1), places


def _through(layers: nn.ModuleList, pooled: Tensor) -> tuple[Tensor, Tensor]:
    """Run dense layers, and return what each input is worth to each output.

    Args:
        layers: `nn.Linear` and `nn.ReLU`, the last one linear.
        pooled: float32, N×K.

    Returns:
        The outputs, N×C, and their derivatives, N×C×K, or 1×C×K where they are the same for all.
    """
    inputs = []
    for layer in layers:
        inputs.append(pooled)
        pooled = layer(pooled)
    slopes: Tensor | None = None
    for layer, before in zip(reversed(layers), reversed(inputs), strict=True):
        if isinstance(layer, nn.Linear):
            slopes = layer.weight[None] if slopes is None else slopes @ layer.weight
        else:
            assert slopes is not None
            slopes = slopes * (before > 0).to(before.dtype)[:, None]
    assert slopes is not None
    return pooled, slopes
