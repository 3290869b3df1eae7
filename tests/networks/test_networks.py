from functools import cache

import pytest
import torch

from napari_spheroseg import networks
from napari_spheroseg.errors import BadSetting, SpherosegError, UnknownName

PUBLISHED = {"hrnet": 65_846_401, "cbam_resunet": 52_072_673, "unet": 45_197_505}

# name, arguments that make it small
SMALL = [
    ("unet", {"features": [4, 8, 16]}),
    ("unet", {"features": [3, 5, 7, 9], "in_channels": 1, "out_channels": 2}),
    ("unet", {"features": [4, 8, 16], "use_instance_norm": False}),
    ("unet", {"features": [4, 8, 16], "use_deep_supervision": True}),
    ("unet", {"features": [4, 8, 16], "keep_unused": False}),
    ("cbam_resunet", {"features": [4, 8]}),
    ("cbam_resunet", {"features": [6, 10, 12], "in_channels": 1, "out_channels": 3}),
    ("cbam_resunet", {"features": [4, 8], "use_instance_norm": False}),
    ("cbam_resunet", {"features": [4, 8, 16], "use_deep_supervision": True}),
    ("hrnet", {"widths": [4, 6, 8, 10], "stem_width": 4, "modules": [1, 1, 1], "blocks": 1}),
    (
        "hrnet",
        {
            "widths": [3, 4, 5, 6],
            "stem_width": 8,
            "modules": [1, 2, 1],
            "blocks": 2,
            "in_channels": 1,
            "n_class": 2,
            "use_instance_norm": False,
        },
    ),
]
IDS = [f"{name}-{number}" for number, (name, _) in enumerate(SMALL)]


def on_meta(name, **arguments):
    """A network without memory: shapes only."""
    with torch.device("meta"):
        return networks.create(name, **arguments).eval()


@cache
def published(name):
    """A network of the published size, on no device."""
    return on_meta(name)


def shapes_of(network):
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


@pytest.mark.parametrize(("name", "count"), PUBLISHED.items())
def test_without_arguments_a_network_has_the_published_number_of_parameters(name, count):
    assert sum(p.numel() for p in published(name).parameters()) == count


def test_the_unet_stores_14159872_parameters_that_it_never_uses():
    whole, used = published("unet"), on_meta("unet", keep_unused=False)
    unused = set(shapes_of(whole)) - set(shapes_of(used))
    assert {key.split(".double_conv")[0] for key in unused} == {"downs.3"}
    assert sum(whole.state_dict()[key].numel() for key in unused) == 14_159_872


def test_the_unused_block_of_the_unet_changes_no_output(small_network):
    lean = networks.create("unet", features=[4, 8, 16], keep_unused=False).eval()
    state = small_network.state_dict()
    lean.load_state_dict({key: state[key] for key in lean.state_dict()})
    image = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(lean(image), small_network(image))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("unet", (77, 101)), ("cbam_resunet", (77, 101)), ("hrnet", (80, 104))],
)
def test_a_published_network_answers_an_odd_image_with_the_recorded_size(name, expected):
    with torch.device("meta"):
        assert published(name)(torch.empty(1, 3, 77, 101)).shape == (1, 1, *expected)


@pytest.mark.parametrize("size", [(64, 64), (16, 33), (45, 128)])
@pytest.mark.parametrize("name", ["unet", "cbam_resunet"])
def test_a_unet_gives_logits_of_the_size_of_the_image(name, size):
    with torch.no_grad():
        logits = networks.create(name, features=[4, 8, 8])(torch.rand(1, 3, *size))
    assert logits.shape == (1, 1, *size)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((64, 64), (64, 64)), ((96, 128), (96, 128)), ((33, 34), (36, 36)), ((61, 75), (64, 76))],
)
def test_the_hrnet_gives_logits_of_whole_quarters_of_the_image(size, expected):
    network = networks.create("hrnet", **SMALL[-2][1])
    with torch.no_grad():
        assert network(torch.rand(1, 3, *size)).shape == (1, 1, *expected)


@pytest.mark.parametrize(("name", "arguments"), SMALL, ids=IDS)
def test_a_narrow_network_runs_on_an_odd_image(name, arguments):
    network = networks.create(name, **arguments).eval()
    channels = arguments.get("in_channels", 3)
    outputs = arguments.get("out_channels", arguments.get("n_class", 1))
    with torch.no_grad():
        logits = network(torch.rand(1, channels, 77, 101))
    assert logits.shape[:2] == (1, outputs)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(("name", "arguments"), SMALL, ids=IDS)
def test_a_network_recognises_its_arguments_from_its_weights(name, arguments):
    shapes = shapes_of(on_meta(name, **arguments))
    recognised = networks.NETWORKS[name].recognise(shapes)
    assert {key: recognised[key] for key in arguments} == arguments


@pytest.mark.parametrize(("name", "arguments"), SMALL, ids=IDS)
def test_a_network_built_from_recognised_arguments_has_the_same_weights(name, arguments):
    shapes = shapes_of(on_meta(name, **arguments))
    assert shapes_of(on_meta(name, **networks.NETWORKS[name].recognise(shapes))) == shapes


@pytest.mark.parametrize(("name", "arguments"), SMALL, ids=IDS)
def test_only_one_network_claims_weights(name, arguments):
    shapes = shapes_of(on_meta(name, **arguments))
    claims = [other for other in networks.names() if networks.NETWORKS[other].recognise(shapes)]
    assert claims == [name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_network_recognises_itself(name):
    shapes = shapes_of(published(name))
    assert shapes_of(on_meta(name, **networks.NETWORKS[name].recognise(shapes))) == shapes


@pytest.mark.parametrize("name", PUBLISHED)
def test_no_network_claims_weights_of_something_else(name):
    assert networks.NETWORKS[name].recognise({"0.weight": (3, 3), "0.bias": (3,)}) is None


@pytest.mark.parametrize("name", ["unet", "cbam_resunet"])
def test_deep_supervision_acts_in_training_only(name):
    features = [4, 8, 16]
    network = networks.create(name, features=features, use_deep_supervision=True)
    image = torch.rand(1, 3, 32, 32)
    trained = network.train()(image)
    assert isinstance(trained, list)
    assert {output.shape for output in trained} == {(1, 1, 32, 32)}
    assert isinstance(network.eval()(image), torch.Tensor)


@pytest.mark.parametrize("name", ["unet", "cbam_resunet"])
def test_dropout_changes_no_key(name):
    dropping = on_meta(name, features=[4, 8, 16], dropout_rate=0.2)
    assert shapes_of(dropping) == shapes_of(on_meta(name, features=[4, 8, 16]))


def test_an_unknown_network_is_answered_with_the_near_one():
    with pytest.raises(UnknownName, match="did you mean 'hrnet'"):
        networks.create("hrnett")


def test_an_unknown_argument_is_answered_with_those_there_are():
    with pytest.raises(BadSetting, match=r"no argument 'width'.*features"):
        networks.create("unet", width=3)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("unet", {"features": []}),
        ("unet", {"features": [8]}),
        ("unet", {"features": "wide"}),
        ("unet", {"features": [-4, 8]}),
        ("unet", {"features": 3}),
        ("cbam_resunet", {"features": []}),
        ("hrnet", {"widths": [4, 8]}),
        ("hrnet", {"widths": None}),
        ("hrnet", {"stem_width": -1}),
        ("unet", {"dropout_rate": 3}),
    ],
)
def test_arguments_that_build_nothing_are_refused(name, arguments):
    with pytest.raises(SpherosegError), torch.device("meta"):
        networks.create(name, **arguments)


def test_all_names_can_be_created():
    for name in networks.names():
        assert isinstance(on_meta(name), torch.nn.Module)


def test_numbers_that_no_network_has_are_refused_before_it_takes_memory():
    for arguments in ({"blocks": 10**9}, {"widths": [10**7] * 4}, {"widths": [8] * 1000}):
        with pytest.raises(BadSetting, match="so large"):
            networks.create("hrnet", **arguments)


def test_branches_mixed_at_their_own_size_give_the_same():
    network = networks.create("hrnet", **SMALL[-2][1])
    branches = [torch.rand(2, width, 16 >> i, 24 >> i) for i, width in enumerate((4, 6, 8, 10))]

    torch.testing.assert_close(network._mixed_small(branches), network._mixed(branches))
