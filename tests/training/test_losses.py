import pytest
import torch
from monai import losses as theirs
from torch.nn import functional as F

from napari_spheroseg.training.losses import SegmentationLoss, of_foreground
from napari_spheroseg.training.settings import Loss

NAMES = ("dice_bce", "bce", "dice", "focal", "dice_focal", "tversky")
SHAPE = (2, 1, 16, 20)


@pytest.fixture
def mask():
    """A rectangle in each of two images."""
    mask = torch.zeros(SHAPE)
    mask[0, :, 3:9, 4:15] = 1
    mask[1, :, 8:14, 2:9] = 1
    return mask


@pytest.fixture
def distance(mask):
    """A distance map: soft within the mask, 0 outside."""
    return mask * torch.linspace(0.1, 1, SHAPE[-1])


@pytest.fixture
def logits():
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)) * 2


def sure(target):
    """Logits whose sigmoid is the target."""
    return torch.logit(target, eps=1e-6)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Loss(name="bce"), F.binary_cross_entropy_with_logits),
        (Loss(name="dice"), theirs.DiceLoss(sigmoid=True)),
        (Loss(name="focal", gamma=1.5), theirs.FocalLoss(gamma=1.5)),
        (
            Loss(name="dice_bce", dice_weight=0.3, other_weight=0.6),
            lambda x, y: (
                0.3 * theirs.DiceLoss(sigmoid=True)(x, y)
                + 0.6 * F.binary_cross_entropy_with_logits(x, y)
            ),
        ),
        (
            Loss(name="dice_focal", dice_weight=2, other_weight=0.5, gamma=3),
            lambda x, y: (
                2 * theirs.DiceLoss(sigmoid=True)(x, y) + 0.5 * theirs.FocalLoss(gamma=3)(x, y)
            ),
        ),
        (
            Loss(name="tversky", alpha=0.2, beta=0.8),
            theirs.TverskyLoss(sigmoid=True, alpha=0.2, beta=0.8),
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Loss) else "",
)
def test_values_are_those_of_monai_and_torch(settings, expected, logits, mask):
    assert of_foreground(settings)(logits, mask).item() == pytest.approx(
        expected(logits, mask).item(), rel=1e-5
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_answer_costs_nothing_and_a_wrong_one_much(name, mask, distance):
    loss = SegmentationLoss(Loss(name=name))
    perfect = torch.cat([sure(mask), sure(distance)], dim=1)
    wrong = torch.cat([sure(1 - mask), sure(1 - distance)], dim=1)
    assert loss(perfect, mask, distance).item() == pytest.approx(0, abs=1e-3)
    assert loss(wrong, mask, distance).item() > 0.5


@pytest.mark.parametrize("name", NAMES)
def test_images_without_objects_have_a_finite_loss_and_gradient(name, logits):
    logits.requires_grad_()
    nothing = torch.zeros(SHAPE)
    loss = SegmentationLoss(Loss(name=name))(logits, nothing, nothing)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_step_down_the_gradient_makes_it_less(name, logits, mask, distance):
    loss = SegmentationLoss(Loss(name=name))
    both = logits.repeat(1, 2, 1, 1).requires_grad_()
    before = loss(both, mask, distance)
    before.backward()
    after = loss(both.detach() - 0.1 * both.grad / both.grad.norm(), mask, distance)
    assert after < before


def test_tversky_counts_misses_more_than_false_alarms_where_asked(mask):
    loss = SegmentationLoss(Loss(name="tversky", alpha=0.1, beta=0.9))
    small, large = mask.clone(), mask.clone()
    small[0, 0, 3] = 0  # a row missed
    large[0, 0, 9, 4:15] = 1  # a row too much
    assert loss(sure(small), mask, mask) > loss(sure(large), mask, mask)


# ---------------------------------------------------------------- distance


def test_a_network_of_one_output_does_not_learn_the_distance(logits, mask, distance):
    loss = SegmentationLoss(Loss())
    assert loss(logits, mask, distance) == of_foreground(Loss())(logits, mask)


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_the_distance_is_weighted(weight, logits, mask, distance):
    both = logits.repeat(1, 2, 1, 1)
    entropy = F.binary_cross_entropy(distance, distance)
    off = F.binary_cross_entropy_with_logits(logits, distance) - entropy
    expected = of_foreground(Loss())(logits, mask) + weight * off
    loss = SegmentationLoss(Loss(distance_weight=weight))(both, mask, distance)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_distance_loss_is_least_at_the_distance_itself(mask, distance):
    loss = SegmentationLoss(Loss(name="bce"))
    costs = [
        loss(torch.cat([sure(mask), sure(distance) + off], dim=1), mask, distance).item()
        for off in (-1, -0.2, 0, 0.2, 1)
    ]
    assert min(costs) == costs[2]
    assert costs[0] > costs[1]
    assert costs[4] > costs[3]


# ---------------------------------------------------------------- deep supervision


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_coarser_outputs_are_weighted(weight, logits, mask, distance):
    loss = SegmentationLoss(Loss(supervision_weight=weight))
    first, second, third = (loss(logits * n, mask, distance) for n in (1, 2, -1))
    expected = (first + weight * (second + third)) / (1 + 2 * weight)
    every = loss([logits, logits * 2, -logits], mask, distance)
    assert every.item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_list_of_one_is_like_the_output_itself(logits, mask, distance):
    loss = SegmentationLoss(Loss())
    assert loss([logits], mask, distance) == loss(logits, mask, distance)
