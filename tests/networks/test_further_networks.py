"""Networks beside the three of the service: what they compute is checked against vectors
elsewhere; here, that their arguments act and are recognised."""

import pytest
import torch

from napari_spheroseg import networks
from napari_spheroseg.errors import BadSetting

PUBLISHED = {
    "resunet_advanced": ({}, 78_210_661),
    "resunet_ma": ({"features": [32, 64, 128, 256]}, 19_573_189),
    "resunet_ma_mini": ({"features": [20, 40, 80, 160]}, 7_656_529),
    "resunet_small": ({}, 58_060_957),
    "monai_unet": ({}, 1_624_844),
    "nafnet": ({}, 288_113),
    "flexresnet": ({}, 416_202),
}
SMALL = [
    ("resunet_advanced", {"features": [4, 8], "blocks": [1, 2]}),
    ("resunet_advanced", {"features": [4, 6, 8, 12], "in_channels": 1, "out_channels": 2}),
    ("resunet_advanced", {"features": [4, 8], "blocks": [2, 2], "use_instance_norm": False}),
    ("resunet_small", {"features": [4, 6]}),
    ("resunet_small", {"features": [4, 6, 8], "in_channels": 1, "use_instance_norm": False}),
    ("nafnet", {"width": 2}),
    ("nafnet", {"width": 4, "img_channel": 3, "middle_blk_num": 0, "enc_blk_nums": [1, 2, 0]}),
    ("monai_unet", {"channels": [2, 4, 6], "strides": [2, 2]}),
    ("monai_unet", {"channels": [2, 4], "strides": [1], "num_res_units": 3, "bias": False}),
    ("monai_unet", {"channels": [2, 4, 6], "strides": [2, 2], "num_res_units": 0, "norm": "batch"}),
    ("monai_unet", {"channels": [2, 4], "strides": [2], "act": "relu", "kernel_size": [5, 3]}),
    ("monai_unet", {"channels": [2, 4], "strides": [2], "norm": ["instance", {"affine": True}]}),
    ("flexresnet", {"initial_filters": 4}),
    ("flexresnet", {"num_classes": 3, "num_blocks": 3, "norm": "batch", "act": "relu"}),
    ("flexresnet", {"initial_filters": 4, "use_global_pool": False, "min_size": 16}),
]
IDS = [f"{name}-{number}" for number, (name, _) in enumerate(SMALL)]


def on_meta(name, **arguments):
    with torch.device("meta"):
        return networks.create(name, **arguments).eval()


def shapes_of(network):
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_network_has_the_published_number_of_parameters(name):
    arguments, count = PUBLISHED[name]
    network = on_meta(name if name in networks.names() else "resunet_advanced", **arguments)
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parametrize(("name", "arguments"), SMALL, ids=IDS)
def test_arguments_are_recognised_from_the_weights(name, arguments):
    shapes = shapes_of(on_meta(name, **arguments))
    recognised = networks.NETWORKS[name].recognise(shapes)
    assert {key: recognised[key] for key in arguments} == arguments
    assert shapes_of(on_meta(name, **recognised)) == shapes
    claims = [other for other in networks.names() if networks.NETWORKS[other].recognise(shapes)]
    assert claims == [name]


@pytest.mark.parametrize(("name", "arguments"), SMALL, ids=IDS)
def test_a_narrow_network_runs(name, arguments):
    channels = arguments.get("in_channels", arguments.get("img_channel"))
    channels = channels or (1 if name in ("nafnet", "monai_unet", "flexresnet") else 3)
    side = arguments.get("min_size", 32)
    with torch.no_grad():
        output = networks.create(name, **arguments).eval()(torch.rand(2, channels, side, side))
    assert output.shape[0] == 2
    assert torch.isfinite(output).all()


def test_a_new_nafnet_leaves_the_middle_of_its_blocks_alone():
    block = networks.create("nafnet", width=4).middle_blks[0]
    x = torch.rand(1, 32, 5, 5)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("size", [(61, 75), (8, 9), (1, 1)])
def test_a_nafnet_gives_an_image_of_the_size_that_it_got(size):
    with torch.no_grad():
        assert networks.create("nafnet", width=2)(torch.rand(1, 1, *size)).shape[-2:] == size


def test_a_small_crop_is_padded_with_zeros_at_the_bottom_and_right():
    network = networks.create("flexresnet", initial_filters=4).eval()
    crop = torch.rand(1, 1, 20, 27)
    whole = torch.zeros(1, 1, 32, 32)
    whole[..., :20, :27] = crop
    with torch.no_grad():
        assert torch.equal(network(crop), network(whole))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("resunet_advanced", {"features": [4, 6]}),
        ("resunet_advanced", {"features": [3, 5], "blocks": [1, 1]}),
        ("resunet_small", {"features": []}),
        ("nafnet", {"enc_blk_nums": [1]}),
        ("monai_unet", {"spatial_dims": 3}),
        ("monai_unet", {"channels": [4]}),
        ("monai_unet", {"strides": [2]}),
        ("monai_unet", {"act": "sparkle"}),
        ("monai_unet", {"adn_ordering": "NXA"}),
        ("flexresnet", {"norm": ["instance", {"colour": 1}]}),
    ],
)
def test_arguments_that_build_nothing_are_refused(name, arguments):
    with pytest.raises(BadSetting), torch.device("meta"):
        networks.create(name, **arguments)
