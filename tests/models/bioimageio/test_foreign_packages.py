"""Packages as others write them, in both formats: installed and run, or refused with the reason."""

import io
import sys
import zipfile

import numpy as np
import pytest
import torch
import yaml

import napari_spheroseg as ss
from napari_spheroseg import models
from napari_spheroseg.errors import BadSetting, MissingPackage, UnreadableFile, UnsafeFile
from napari_spheroseg.export import export
from napari_spheroseg.models.bioimageio import UnfitPackage, open_package

pytest.importorskip("bioimageio.core")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

GAIN = 8.0


def graph(level, sigmoid=False, channels=1, maps=1):
    """ONNX of ``GAIN * (image - level)``, mean over the channels, the same in every map."""
    helper, kinds = onnx.helper, onnx.TensorProto
    numbers = {"level": [level], "gain": [GAIN], "axes": [1], "times": [1, maps, 1, 1]}
    constants = [
        onnx.numpy_helper.from_array(
            np.asarray(value, np.int64 if name in ("axes", "times") else np.float32), name
        )
        for name, value in numbers.items()
    ]
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["grey"], keepdims=1),
        helper.make_node("Sub", ["grey", "level"], ["above"]),
        helper.make_node("Mul", ["above", "gain"], ["logit"]),
        helper.make_node("Tile", ["logit", "times"], ["maps"]),
        helper.make_node("Sigmoid" if sigmoid else "Identity", ["maps"], ["y"]),
    ]
    ends = [
        [helper.make_tensor_value_info(name, kinds.FLOAT, ["b", many, "h", "w"])]
        for name, many in (("x", channels), ("y", maps))
    ]
    made = helper.make_graph(nodes, "g", *ends, initializer=constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()


def array():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((1, 1, 64, 64), np.float32))
    return buffer.getvalue()


ABOUT = {
    "type": "model",
    "name": "Bright things",
    "description": "Finds what is bright.",
    "authors": [{"name": "B. Else"}],
    "cite": [{"text": "Else, 2020", "doi": "10.1007/978-3-319-24574-4_28"}],
    "license": "MIT",
    "documentation": "README.md",
}


def steps(key, named):
    """Steps of processing; some take no settings at all."""
    return [{key: name} | ({"kwargs": how} if how else {}) for name, how in named]


def described_4(preprocessing, postprocessing, channels=1, **changed):
    """rdf.yaml in format 0.4."""
    image = {
        "name": "raw",
        "axes": "bcyx",
        "data_type": "float32",
        "shape": {"min": [1, channels, 64, 64], "step": [0, 0, 16, 16]},
        "preprocessing": steps("name", preprocessing),
    }
    maps = {
        "name": "mask",
        "axes": "bcyx",
        "data_type": "float32",
        "shape": {"reference_tensor": "raw", "scale": [1, 1, 1, 1], "offset": [0, 0, 0, 0]},
        "postprocessing": steps("name", postprocessing),
    }
    return (
        ABOUT
        | {
            "format_version": "0.4.10",
            "timestamp": "2024-01-01T00:00:00",
            "covers": [],
            "inputs": [image],
            "outputs": [maps],
            "test_inputs": ["test.npy"],
            "test_outputs": ["test.npy"],
            "weights": {"onnx": {"source": "weights.onnx", "opset_version": 18}},
        }
        | changed
    )


def described_5(preprocessing, postprocessing, channels=1, **changed):
    """rdf.yaml in format 0.5."""
    names = [f"c{number}" for number in range(channels)]

    def axes(names, size):
        return [
            {"type": "batch"},
            {"type": "channel", "channel_names": names},
            *({"type": "space", "id": axis, "size": size(axis)} for axis in "yx"),
        ]

    image = {
        "id": "raw",
        "axes": axes(names, lambda _: {"min": 64, "step": 16}),
        "test_tensor": {"source": "test.npy"},
        "data": {"type": "float32"},
        "preprocessing": steps("id", preprocessing),
    }
    maps = {
        "id": "mask",
        "axes": axes(["foreground"], lambda axis: {"tensor_id": "raw", "axis_id": axis}),
        "test_tensor": {"source": "test.npy"},
        "data": {"type": "float32"},
        "postprocessing": steps("id", postprocessing),
    }
    return (
        ABOUT
        | {
            "format_version": "0.5.3",
            "inputs": [image],
            "outputs": [maps],
            "weights": {"onnx": {"source": "weights.onnx", "opset_version": 18}},
        }
        | changed
    )


@pytest.fixture
def write(tmp_path):
    """Write a package: its description, and the ONNX of its network."""

    def package(description, content=b"", name="else.zip", **files):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("rdf.yaml", yaml.safe_dump(description))
            archive.writestr("README.md", "# Bright things")
            archive.writestr("test.npy", array())
            for inner, bytes_ in ({"weights.onnx": content} | files).items():
                archive.writestr(inner, bytes_)
        return path

    return package


SIGMOID = [("sigmoid", {})]
ALONG_0_4, ALONG_0_5 = "xy", ["x", "y"]


def both(preprocessing, postprocessing=tuple(SIGMOID), **more):
    """The same in 0.4 and in 0.5, whose steps have other names for axes and modes."""
    older, newer = [], []
    for name, how in preprocessing:
        fixed = name == "fixed"
        title = "zero_mean_unit_variance" if fixed else name
        sample = {"mode": "per_sample"} if "axes" in how else {}
        mode = {"mode": "fixed", "axes": ALONG_0_4} if fixed else sample
        older.append((title, how | mode | ({"axes": ALONG_0_4} if "axes" in how else {})))
        newer.append(("fixed_zero_mean_unit_variance" if fixed else name, how))
    return described_4(older, postprocessing, **more), described_5(newer, postprocessing, **more)


AXES = {"axes": ALONG_0_5}
ZSCORE = [("zero_mean_unit_variance", AXES)]
RANGE = [("scale_range", AXES | {"min_percentile": 1.0, "max_percentile": 99.0})]
LINEAR = [("scale_linear", {"gain": 0.001, "offset": -0.1})]
FIXED = [("fixed", {"mean": 500.0, "std": 200.0})]


def expected(image, kind):
    """What the format's own words make of an image."""
    grey = image.astype(np.float64)
    if kind == "zscore":
        return (grey - grey.mean()) / (grey.std() + 1e-6)
    if kind == "range":
        low, high = np.percentile(grey, (1, 99))
        return (grey - low) / (high - low + 1e-6)
    return {"linear": grey * 0.001 - 0.1, "fixed": (grey - 500) / 200, "none": grey}[kind]


@pytest.mark.parametrize("version", [0, 1], ids=["0.4", "0.5"])
@pytest.mark.parametrize(
    ("kind", "before"),
    [("zscore", ZSCORE), ("range", RANGE), ("linear", LINEAR), ("fixed", FIXED), ("none", [])],
)
def test_a_package_prepares_as_its_description_says_and_is_run_by_name(
    kind, before, version, write, image
):
    grey = (image + np.arange(image.shape[1])).astype(np.uint16)
    unit = expected(grey, kind)
    level = float(np.round(np.median(unit) + 0.3 * unit.std(), 3))
    models.install(write(both(before)[version], graph(level)), "else")
    found = ss.segment(grey, "else", device="cpu").probability
    assert np.allclose(found, 1 / (1 + np.exp(-GAIN * (unit - level).clip(-7, 7))), atol=2e-3)


def test_a_sigmoid_within_the_graph_and_a_threshold_of_its_own_are_kept(write, image):
    post = [("clip", {"min": 0.0, "max": 1.0}), ("binarize", {"threshold": 0.7})]
    for description in both(LINEAR, post):
        metadata = models.install(write(description, graph(1.0, True)), "else", replace=True)
        assert metadata.threshold == pytest.approx(0.7)
        found = ss.segment(image, "else", device="cpu").probability
        wanted = 1 / (1 + np.exp(-GAIN * (image * 0.001 - 1.1)))
        assert np.allclose(found, wanted, atol=1e-4)


def test_rgb_is_seen_whole(write, image):
    rgb = np.stack([image, image // 2, image // 3], axis=-1)
    models.install(write(both(LINEAR, channels=3)[1], graph(1.0, channels=3)), "else")
    found = ss.segment(rgb, "else", device="cpu").probability
    unit = rgb.mean(axis=-1) * 0.001 - 0.1
    assert np.allclose(found, 1 / (1 + np.exp(-GAIN * (unit - 1))), atol=1e-4)


# ---------------------------------------------------------------- what is installed


@pytest.fixture
def installed(write):
    return models.install(write(both(LINEAR)[1] | {"id": "famous-fox"}, graph(1.0)))


def test_it_is_called_as_the_zoo_calls_it_and_names_its_authors(installed):
    assert (installed.name, installed.title, installed.licence) == (
        "famous-fox",
        "Bright things",
        "MIT",
    )
    assert "By B. Else." in installed.description
    assert "10.1007/978-3-319-24574-4_28" in installed.description


def test_it_is_verified_and_a_changed_graph_is_found(installed, models_folder):
    assert [each.is_good for each in models.verify("famous-fox")] == [True]
    (models_folder / "famous-fox" / "network.onnx").write_bytes(graph(0.9))
    assert [each.is_good for each in models.verify("famous-fox")] == [False]


def test_it_travels_in_a_bundle(installed, image, tmp_path):
    before = ss.segment(image, "famous-fox", device="cpu").labels
    models.pack(["famous-fox"], tmp_path / "ours.zip")
    models.remove("famous-fox")
    models.install(tmp_path / "ours.zip")
    assert np.array_equal(ss.segment(image, "famous-fox", device="cpu").labels, before)


@pytest.mark.parametrize("suffix", [".pt", ".onnx", ".xml", ".zip"])
def test_it_is_not_converted(suffix, installed, tmp_path):
    with pytest.raises(BadSetting, match="came as an ONNX graph"):
        export("famous-fox", tmp_path / f"a{suffix}")


def test_another_backend_that_is_asked_for_says_why_not(installed, image):
    with pytest.raises(BadSetting, match="came as an ONNX graph"):
        ss.segment(image, "famous-fox", backend="onnxruntime")


def test_an_image_that_the_graph_cannot_take_is_an_error(write, image):
    models.install(write(both(LINEAR)[1], graph(1.0, channels=3)), "else")
    with pytest.raises(BadSetting, match="The graph fails"):
        ss.segment(image, "else", device="cpu")


def one_step(operation, given, made, kind=1, **constants):
    """ONNX of one operation, from images of one shape to maps of another."""
    helper = onnx.helper
    shapes = {"x": given, "y": made}.items()
    ends = [[helper.make_tensor_value_info(name, kind, shape)] for name, shape in shapes]
    values = [onnx.numpy_helper.from_array(each, name) for name, each in constants.items()]
    node = helper.make_node(operation, ["x", *constants], ["y"])
    drawn = helper.make_graph([node], "g", *ends, initializer=values)
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(drawn, opset_imports=opset, ir_version=8).SerializeToString()


FREE, ONE = ["b", 1, "h", "w"], [1, 1, "h", "w"]


def test_a_graph_for_batches_of_one_takes_batches(write):
    models.install(write(both(LINEAR)[1], one_step("Identity", ONE, ONE)), "else")
    assert models.load("else").network(torch.zeros(3, 1, 64, 64)).shape == (3, 1, 64, 64)


def test_a_graph_of_other_numbers_is_refused_at_once(write):
    halves = one_step("Identity", FREE, FREE, onnx.TensorProto.FLOAT16)
    with pytest.raises(UnreadableFile, match=r"takes tensor\(float16\)"):
        models.install(write(both(LINEAR)[1], halves))


def test_a_graph_without_the_axes_of_its_description_is_an_error(write, image):
    squeezed = one_step("Squeeze", FREE, ["b", "h", "w"], axes=np.array([1]))
    models.install(write(both(LINEAR)[1], squeezed), "else")
    with pytest.raises(BadSetting, match="without the map 0"):
        ss.segment(image, "else", device="cpu")


def test_without_onnx_runtime_the_error_names_the_extra(installed, image, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr("napari_spheroseg.extras._is_there", lambda name: name != "onnxruntime")
    with pytest.raises(MissingPackage, match=r"napari-spheroseg\[onnxruntime\]"):
        _ = models.load("famous-fox").network


# ---------------------------------------------------------------- refused


def two_inputs(description):
    again = dict(description["inputs"][0])
    again["id" if "id" in again else "name"] = "other"
    tests = {"test_inputs": ["test.npy"] * 2} if "test_inputs" in description else {}
    return description | tests | {"inputs": [description["inputs"][0], again]}


def cropped(description):
    maps = dict(description["outputs"][0])
    if "shape" in maps:
        maps["shape"] = maps["shape"] | {"offset": [0, 0, -8, -8]}
    else:
        maps["axes"] = [dict(axis) for axis in maps["axes"]]
        for axis in maps["axes"][2:]:
            axis["size"] = axis["size"] | {"offset": -8}
    return description | {"outputs": [maps]}


def state_dict(description):
    weights = {"source": "weights.pt"}
    if "test_inputs" in description:
        weights |= {"architecture": "network.py:Net", "architecture_sha256": "0" * 64}
    else:
        architecture = {"source": "network.py", "callable": "Net"}
        weights |= {"architecture": architecture, "pytorch_version": "2.5"}
    return description | {"weights": {"pytorch_state_dict": weights}}


def torchscript(description):
    weights = {"source": "weights.pt", "pytorch_version": "2.5"}
    return description | {"weights": {"torchscript": weights}}


REFUSED = {
    "takes 2 images": two_inputs,
    "not as large as the image": cropped,
    "only pytorch_state_dict, which may run code": state_dict,
    "only torchscript, which may run code": torchscript,
}


@pytest.mark.parametrize("version", [0, 1], ids=["0.4", "0.5"])
@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_run_exactly_is_refused_with_the_reason(
    reason, version, write, models_folder
):
    files = {"network.py": "raise SystemExit", "weights.pt": b"x"}
    path = write(REFUSED[reason](both(LINEAR)[version]), graph(1.0), **files)
    with pytest.raises(UnfitPackage, match=reason):
        models.install(path)
    assert not models_folder.exists()


@pytest.mark.parametrize("version", [0, 1], ids=["0.4", "0.5"])
@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ([("scale_linear", {"gain": -1.0, "offset": 1.0})], "inverted"),
        ([("binarize", {"threshold": 0.5})], "step that we do not have here: 'binarize'"),
        ([*ZSCORE, *RANGE], "step that we do not have here: 'scale_range'"),
    ],
)
def test_a_preparation_that_we_cannot_say_is_refused(before, reason, version, write):
    with pytest.raises(UnfitPackage, match=reason):
        open_package(write(both(before)[version], graph(1.0)))


def test_a_description_that_would_fill_the_memory_is_refused(write, tmp_path):
    path = tmp_path / "bomb.zip"
    lines = [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi")]  # noqa: B905
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rdf.yaml", "a: &a [x, x, x]\n" + "\n".join(lines))
    with pytest.raises(UnsafeFile):
        models.install(path)


def test_a_member_that_leaves_its_folder_refuses_the_package(write):
    path = write(both(LINEAR)[1], graph(1.0), **{"../../a": b"x"})
    with pytest.raises(UnsafeFile, match="leave its folder"):
        models.install(path)


def test_a_graph_of_another_checksum_is_refused(write):
    description = both(LINEAR)[1]
    description["weights"]["onnx"]["sha256"] = "0" * 64
    with pytest.raises(UnreadableFile, match="cannot be used"):
        models.install(write(description, graph(1.0)))
