"""Folding of a trained network of three channels into an equal one for gray images."""

from __future__ import annotations

import torch

from edgecl.encoders.weights import sum_of_channels
from edgecl.learning.config import TrainConfig
from edgecl.learning.model import Backbone, Classifier


def folded_to_gray(classifier: Classifier, config: TrainConfig) -> Classifier:
    """Return the same function of gray images, with a first convolution over one channel.

    An encoder of gray comes back as it is, and so does one that does not begin with a convolution:
    `vit-small` begins with a norm.

    Args:
        classifier: as trained, in evaluation mode.
        config: what it was built from.
    """
    with torch.device("meta"):  # the tensors are taken over from the trained one
        gray = Classifier(Backbone(config.encoder, config.image_size), classifier.head.out_features)
    state = classifier.state_dict()
    unlike = [key for key, value in gray.state_dict().items() if value.shape != state[key].shape]
    if [state[key].ndim for key in unlike] != [4]:
        return classifier
    state[unlike[0]] = sum_of_channels(state[unlike[0]])
    gray.load_state_dict(state, assign=True)
    return gray.eval()
