"""The support set: who is a neighbour, who leaves first, and what survives a kill."""

from __future__ import annotations

import torch
from torch import Tensor

from edgecl.learning.contrastive.support_set import SupportSet

CPU = torch.device("cpu")


def angle(*degrees: float) -> Tensor:
    radians = torch.deg2rad(torch.tensor(degrees))
    return torch.stack((radians.cos(), radians.sin()), dim=1)


def numbers(*values: int) -> Tensor:
    return torch.tensor(values)


def test_an_empty_queue_answers_with_the_row_itself():
    support_set = SupportSet(8, 2, CPU)
    z = 3 * angle(10, 200)
    torch.testing.assert_close(support_set.nearest(z, numbers(0, 1)), z / 3)


def test_the_nearest_of_another_image_is_found_whatever_the_lengths():
    support_set = SupportSet(8, 2, CPU)
    support_set.enqueue(5 * angle(0, 90, 180), numbers(0, 1, 2))
    found = support_set.nearest(0.1 * angle(80, 170), numbers(7, 8))
    torch.testing.assert_close(found, angle(90, 180))


def test_a_image_does_not_meet_its_own_copy():
    support_set = SupportSet(8, 2, CPU)
    support_set.enqueue(angle(0, 60), numbers(4, 5))
    found = support_set.nearest(angle(0, 0), numbers(4, 9))
    torch.testing.assert_close(found, angle(60, 0))


def test_alone_with_its_own_copy_it_answers_with_the_row_itself():
    support_set = SupportSet(8, 2, CPU)
    support_set.enqueue(angle(90), numbers(4))
    torch.testing.assert_close(support_set.nearest(angle(20), numbers(4)), angle(20))


def test_the_oldest_leave_first():
    support_set = SupportSet(3, 2, CPU)
    support_set.enqueue(angle(0, 10), numbers(0, 1))
    support_set.enqueue(angle(20, 30), numbers(2, 3))
    assert sorted(support_set.owners.tolist()) == [1, 2, 3]
    support_set.enqueue(angle(*range(40, 90, 10)), numbers(4, 5, 6, 7, 8))
    assert sorted(support_set.owners.tolist()) == [6, 7, 8]


def test_the_state_carries_everything():
    support_set = SupportSet(4, 2, CPU)
    support_set.enqueue(angle(0, 50, 100), numbers(0, 1, 2))
    copy = SupportSet(4, 2, CPU)
    copy.load(
        {k: v.clone() if isinstance(v, Tensor) else v for k, v in support_set.state().items()}
    )
    for queue in (support_set, copy):
        queue.enqueue(angle(150, 200), numbers(3, 4))
    assert torch.equal(copy.vectors, support_set.vectors)
    assert torch.equal(copy.owners, support_set.owners)
    assert copy.next == support_set.next == 1


def test_no_gradient_comes_out():
    support_set = SupportSet(4, 2, CPU)
    support_set.enqueue(angle(0).requires_grad_(), numbers(0))
    assert not support_set.nearest(angle(5).requires_grad_(), numbers(1)).requires_grad
