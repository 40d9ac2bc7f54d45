"""VGG19's convolutions, pooled.

Sources: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", ICLR 2015 (configuration E, without batch norm; the layers have the names of
torchvision, so that its weights load); Zabin et al. 2023 compare with it and publish 138 M
parameters, which is the count of VGG16 with its dense layers of 4096. Those are tied to 224×224
and are left out here: the maps are averaged instead.
"""

from __future__ import annotations

from torch import Tensor, nn

from edgecl.encoders.architectures.geometry import require_size
from edgecl.encoders.last_map import LastMap

EMBEDDING_SIZE = 512
# (channels, convolutions) per stage; a pooling stands after each.
STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
SMALLEST_SIDE = 32


class VGG19(nn.Module):
    """Encoder of 20,024,384 parameters (with three channels).

    Args:
        channels: 1 or 3.
        image_size: (height, width) in pixels, at least 32×32. The weights do not depend on it.

    Raises:
        InputError: the image is too small.
    """

    embedding_size = EMBEDDING_SIZE
    last_map = LastMap("mean", stride=32, first=15.5)

    def __init__(self, channels: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        require_size("vgg19", image_size, SMALLEST_SIDE)
        layers: list[nn.Module] = []
        for width, count in STAGES:
            for _ in range(count):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # Sixteen layers without batch norm: the usual start would fade out on the way.
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Embed N×C×H×W float images as N×512."""
        features: Tensor = self.features(x)
        return features.mean(dim=(2, 3))
