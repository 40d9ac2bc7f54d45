"""The normalisation within the network: what light and gain change, it takes away."""

import torch

from edgecl.learning.model import Backbone, standardise


def images(low: int, high: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(low, high, (2, 1, 48, 64), generator=generator, dtype=torch.uint8)


def test_every_image_is_standardised_by_itself():
    x = standardise(torch.cat([images(0, 256), images(90, 200)]))
    assert x.dtype == torch.float32
    torch.testing.assert_close(x.mean(dim=(1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(dim=(1, 2, 3)), torch.ones(4), atol=2e-2, rtol=0)


def test_more_light_and_more_gain_change_next_to_nothing():
    dim = images(20, 120)
    torch.testing.assert_close(standardise(dim * 2 + 10), standardise(dim), atol=2e-2, rtol=0)


def test_a_blank_image_stays_finite():
    assert torch.equal(
        standardise(torch.full((1, 1, 8, 8), 255, dtype=torch.uint8)).abs().sum(), torch.tensor(0.0)
    )


def test_the_sums_of_squares_do_not_overflow_in_half_precision():
    torch.manual_seed(0)
    full = Backbone("shufflenet", (48, 64)).eval()
    hard = (images(0, 2) * 255).to(torch.uint8)
    with torch.no_grad():
        expected = full(hard)
        half = full.half()(hard)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), expected, atol=5e-2, rtol=5e-2)
