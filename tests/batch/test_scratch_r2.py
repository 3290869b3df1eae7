import json
from pathlib import Path
import numpy as np, pandas as pd, pytest, tifffile, shutil
from napari_spheroseg.batch.run import segment_files
from napari_spheroseg.batch.classify import classify_files
from napari_spheroseg.readwrite.tiff import write_image
SLIDE = {"min_area": 100, "large_above": 0.01, "device": "cpu", "backend": "torch", "tile": 64}

def test_e1_nan_name(bright, sizes, image, tmp_path, monkeypatch):
    from napari_spheroseg.classification import large
    monkeypatch.setattr(large, "_LARGEST", 1200)
    write_image(tmp_path / "a.tif", image)
    out = tmp_path/"out"
    (item,) = segment_files([tmp_path/"a.tif"], out, str(bright), classify=str(sizes), outputs=("labels","polygons","classes"), **SLIDE)
    print(item)
    fs = json.loads((out/"a_polygons.geojson").read_text())["features"]
    print([f["properties"] for f in fs])
    print(pd.read_csv(out/"measurements.csv")); print(pd.read_csv(out/"images.csv").T)
    assert "NaN" not in (out/"a_polygons.geojson").read_text()

def test_e1b_stack_by_frame(bright, sizes, image, tmp_path):
    tifffile.imwrite(tmp_path/"s.tif", np.stack([image, image[::-1]]), ome=True, metadata={"axes":"TYX"})
    o1, o2 = tmp_path/"o1", tmp_path/"o2"
    (a,) = segment_files([tmp_path/"s.tif"], o1, str(bright), classify=str(sizes), outputs=("labels","polygons","classes"), **SLIDE)
    (b,) = segment_files([tmp_path/"s.tif"], o2, str(bright), classify=str(sizes), outputs=("labels","polygons","classes"), **{**SLIDE,"large_above":64})
    assert a.error is None and b.error is None
    x, y = pd.read_csv(o1/"measurements.csv"), pd.read_csv(o2/"measurements.csv")
    print(x[["label","t","class","probability_small"]]); print(y[["label","t","class","probability_small"]])
    assert (tifffile.imread(o1/"s_classes.tif") == tifffile.imread(o2/"s_classes.tif")).all()

def test_e4_polygons_fail(bright, image, tmp_path, monkeypatch):
    from napari_spheroseg.segmentation.large import output
    def fail(*_): raise OSError(28, "No space left on device")
    monkeypatch.setattr(output, "write_geojson", fail)
    write_image(tmp_path / "a.tif", image)
    (item,) = segment_files([tmp_path/"a.tif"], tmp_path/"out", str(bright), **SLIDE)
    print(item.error, list((tmp_path/"out").iterdir()))
    assert not list((tmp_path/"out").glob("a_*"))

def test_e2_renamed(bright, image, tmp_path):
    from napari_spheroseg.classification.store import save
    from napari_spheroseg.classification.teach import describe, teach
    write_image(tmp_path / "a.tif", image); write_image(tmp_path / "b.tif", image)
    labels = (image > 1000).astype(np.int32); labels[:, 80:] *= 2
    save(teach(describe(labels, image), {1: "one", 2: "other"}), "taught")
    write = tmp_path/"labels"; write.mkdir()
    for n in "ab": tifffile.imwrite(write/f"{n}_labels.tif", labels)
    (i,) = classify_files([tmp_path/"a.tif"], tmp_path/"out", str(write), "taught")
    assert i.error is None
    save(teach(describe(labels, image), {1: "alpha", 2: "beta"}), "taught", replace=True)
    print([ (j.state,j.error) for j in classify_files([tmp_path/"a.tif", tmp_path/"b.tif"], tmp_path/"out", str(write), "taught")])
    print(pd.read_csv(tmp_path/"out"/"classes.csv"))

def test_e19_hash(sizes, image, tmp_path):
    from napari_spheroseg.classification.run import open_judge
    from napari_spheroseg.batch.classes import _state
    d = tmp_path/"exp#3"; shutil.copytree(sizes, d/"m")
    open_judge(str(d/"m"), "cpu", "torch")
    assert _state(str(d/"m"))

def test_e7(tmp_path):
    from napari_spheroseg.readwrite.acquired import _in_ome
    import tracemalloc
    tracemalloc.start()
    print(_in_ome('<OME xmlns="x"><Image ID="I"><Pixels SizeT="3000000" TimeIncrement="1"/></Image></OME>').times is None)
    print(tracemalloc.get_traced_memory())

def test_e34(image):
    import zarr
    from napari_spheroseg.classification.stock import Subject, take_stock
    from napari_spheroseg.inference.frames import Frames
    from napari_spheroseg.steps import run_to_end
    labels = (image > 1000).astype(np.int32)
    z = zarr.array(labels, chunks=(32,32))
    s = Subject.of(z, Frames.of(image), None, None)
    run_to_end(take_stock(s))

def test_e35(tmp_path, image, bright, sizes):
    # labels of another shape; broken; float; missing
    ls = tmp_path/"l"; ls.mkdir(); im = tmp_path/"i"; im.mkdir()
    labels = (image > 1000).astype(np.int32)
    for n in "abcdef": write_image(im/f"{n}.tif", image)
    tifffile.imwrite(ls/"a_labels.tif", labels[:50]); (ls/"b_labels.tif").write_text("x")
    tifffile.imwrite(ls/"c_labels.tif", labels.astype(np.float32)); tifffile.imwrite(ls/"e_labels.tif", 0*labels)
    tifffile.imwrite(ls/"f_labels.tif", labels)
    for j in classify_files(sorted(im.glob("*")), tmp_path/"o", str(ls), str(sizes)): print(j.name, j.state, j.error, j.objects)
    print(pd.read_csv(tmp_path/"o"/"images.csv").T)
    print((tmp_path/"o"/"run.json").read_text()[:300])

def test_e36_large_empty(tmp_path, bright, sizes, image):
    write_image(tmp_path/"a.tif", np.where(np.arange(160)<3, 101, 100).astype(np.uint16)*np.ones((128,1),np.uint16))
    (i,) = segment_files([tmp_path/"a.tif"], tmp_path/"o", str(bright), classify=str(sizes), outputs=("labels","polygons","classes","outlines"), **{**SLIDE,"min_area":100000})
    print(i, sorted(p.name for p in (tmp_path/"o").iterdir()))
    assert i.error is None
def test_e37_rgb_large(tmp_path, bright, sizes, image):
    import imageio
    rgb = np.stack([image//12]*3, -1).astype(np.uint8)
    tifffile.imwrite(tmp_path/"a.tif", rgb, photometric="rgb")
    for n,l in (("o",0.01),("p",64)):
        (i,) = segment_files([tmp_path/"a.tif"], tmp_path/n, str(bright), classify=str(sizes), outputs=("labels","polygons","classes","outlines"), **{**SLIDE,"large_above":l})
        print(i, sorted(p.name for p in (tmp_path/n).iterdir()))
        print(pd.read_csv(tmp_path/n/"measurements.csv").filter(regex="label|class|prob"))
        assert i.error is None
