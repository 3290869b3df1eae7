import sys; sys.path.insert(0,"/work/main/tests/models/bioimageio")
import numpy as np, onnx, pytest, io, zipfile, yaml
import napari_spheroseg as ss
from napari_spheroseg import models
import test_foreign_packages as T
def fixed(dims_x, dims_y, kind=onnx.TensorProto.FLOAT, rank3=False):
    g=onnx.load_from_string(T.graph(0.5))
    def setd(v,d):
        del v.type.tensor_type.shape.dim[:]
        for x in d:
            dd=v.type.tensor_type.shape.dim.add()
            if isinstance(x,int): dd.dim_value=x
            else: dd.dim_param=x
    setd(g.graph.input[0],dims_x); setd(g.graph.output[0],dims_y)
    return g.SerializeToString()
def pack(path, g, described):
    with zipfile.ZipFile(path,"w") as z:
        z.writestr("rdf.yaml", yaml.safe_dump(described)); z.writestr("weights.onnx", g); z.writestr("test.npy", T.array()); z.writestr("README.md","x")
    return path
def go(tmp_path, g, image, described=None, name="p", **k):
    p=pack(tmp_path/"p.zip", g, described or T.described_5([],[("sigmoid",None)]))
    models.install(p, name)
    r=ss.segment(image, name, **k)
    print("objects", r.labels.max(), r.labels.shape)
im=np.zeros((1500,1500),np.float32); im[100:300,100:300]=1; im[1200:1400,1200:1400]=1
@pytest.mark.parametrize("case",["batch1","sigmoidless3","rank3","fp16","chan0","two_inputs","int","ctx"])
def test_x(case,tmp_path,models_folder):
    try:
        if case=="batch1": go(tmp_path, fixed([1,1,"h","w"],[1,1,"h","w"]), im, test_time_augmentation=False)
        if case=="ctx": go(tmp_path, T.graph(.5), im)
        if case=="rank3":
            h=onnx.helper
            m=h.make_model(h.make_graph([h.make_node("Squeeze",["x","a"],["y"])],"g",[h.make_tensor_value_info("x",1,["b",1,"h","w"])],[h.make_tensor_value_info("y",1,["b","h","w"])],initializer=[onnx.numpy_helper.from_array(np.array([1]),"a")]),opset_imports=[h.make_opsetid("",18)],ir_version=8)
            go(tmp_path, m.SerializeToString(), im)
        if case=="fp16":
            h=onnx.helper
            m=h.make_model(h.make_graph([h.make_node("Identity",["x"],["y"])],"g",[h.make_tensor_value_info("x",10,["b",1,"h","w"])],[h.make_tensor_value_info("y",10,["b",1,"h","w"])]),opset_imports=[h.make_opsetid("",18)],ir_version=8)
            go(tmp_path, m.SerializeToString(), im)
        if case=="int":
            h=onnx.helper
            m=h.make_model(h.make_graph([h.make_node("Identity",["x"],["y"])],"g",[h.make_tensor_value_info("x",1,["b",1,"h","w"])],[h.make_tensor_value_info("y",1,["b",1,"h","w"])]),opset_imports=[h.make_opsetid("",18)],ir_version=8)
            go(tmp_path, m.SerializeToString(), im[:70,:70])
        if case=="chan0":
            d=T.described_5([],[("sigmoid",None)])
            d["outputs"][0]["axes"][1]["channel_names"]=["background","foreground"]
            go(tmp_path, T.graph(.5), im, d)
        if case=="two_inputs":
            h=onnx.helper
            m=h.make_model(h.make_graph([h.make_node("Add",["x","z"],["y"])],"g",[h.make_tensor_value_info(n,1,["b",1,"h","w"]) for n in "xz"],[h.make_tensor_value_info("y",1,["b",1,"h","w"])]),opset_imports=[h.make_opsetid("",18)],ir_version=8)
            go(tmp_path, m.SerializeToString(), im)
    except Exception as e:
        print(case, isinstance(e, ss.errors.SpherosegError), type(e).__name__, str(e)[:400])
