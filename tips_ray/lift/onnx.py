"""A lifter as one ONNX graph: from keypoints of an image to poses."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tips_ray.lift.lifter import Lifter
from tips_ray.lift.network import MIRRORED, PartNetwork
from tips_ray.poses.skeleton import JOINTS, LIFTED, ROOT

OPSET = 17


class Graph:
    """Nodes and constants, as they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[tuple[bytes, tuple[int, ...]], onnx.TensorProto] = {}

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        name = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [*inputs], [name], **attributes))
        return name

    def constant(self, values: object, kind: type = np.float32) -> str:
        """Add a constant, unless the graph has it already; returns its name."""
        array = np.array(values, dtype=kind)
        tensor = numpy_helper.from_array(array, f"constant{len(self.constants)}")
        return self.constants.setdefault((array.tobytes(), array.shape), tensor).name

    def pick(self, values: str, places: object, axis: int = 1) -> str:
        """Add a choice of places along an axis."""
        return self.add("Gather", values, self.constant(places, np.int64), axis=axis)


def onnx_bytes(lifter: Lifter) -> bytes:
    """The graph of a lifter, as a file: `keypoints` float32 (poses, 17, 2), in any unit, **y down**
    as in images, joints as in `JOINTS`, none missing; `poses` float32 (poses, 17, 3) about the
    pelvis, in the same unit, y up, z towards the camera."""
    graph = Graph()
    relative = graph.add("Sub", "keypoints", graph.pick("keypoints", [ROOT]))
    relative = graph.add("Mul", relative, graph.constant([1.0, -1.0]))
    seen = graph.pick(relative, [at for at in range(len(JOINTS)) if at != ROOT])
    size = graph.add("ReduceMax", graph.add("Abs", seen), axes=[1, 2], keepdims=1)
    one = graph.constant(1.0)
    positive = graph.add("Greater", size, graph.constant(0.0))
    normalised = graph.add("Div", seen, graph.add("Where", positive, size, one))
    depth = depths(graph, lifter, normalised)
    if lifter.card.mirror_mean:
        image = graph.add("Mul", graph.pick(normalised, MIRRORED), graph.constant([-1.0, 1.0]))
        both = graph.add("Add", depth, graph.pick(depths(graph, lifter, image), MIRRORED))
        depth = graph.add("Mul", both, graph.constant(0.5))
    size = graph.add("Reshape", size, graph.constant([-1, 1], np.int64))
    root = graph.add("Mul", size, graph.constant(0.0))
    depth = graph.add("Concat", root, graph.add("Mul", depth, size), axis=1)
    depth = graph.add("Reshape", depth, graph.constant([-1, len(JOINTS), 1], np.int64))
    graph.nodes.append(helper.make_node("Concat", [relative, depth], ["poses"], axis=2))
    made = helper.make_graph(
        graph.nodes,
        lifter.card.name,
        [helper.make_tensor_value_info("keypoints", TensorProto.FLOAT, ["poses", len(JOINTS), 2])],
        [helper.make_tensor_value_info("poses", TensorProto.FLOAT, ["poses", len(JOINTS), 3])],
        [*graph.constants.values()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="tips-ray", ir_version=9)
    helper.set_model_props(model, {"card": lifter.card.to_json().decode(), "joints": " ".join(JOINTS)})
    onnx.checker.check_model(model)
    return model.SerializeToString()


def depths(graph: Graph, lifter: Lifter, keypoints: str) -> str:
    """Depths (poses, 16) of max-normalised keypoints (poses, 16, 2), y up."""
    answers = [part_depths(graph, each, lifter.network.negative_slope, keypoints) for each in lifter.network.parts]
    joints = [joint for each in lifter.network.parts for joint in each.part.joints]
    together = graph.add("Concat", *answers, axis=1)
    return graph.add("Tanh", graph.pick(together, [joints.index(joint) for joint in LIFTED]))


def part_depths(graph: Graph, network: PartNetwork, slope: float, keypoints: str) -> str:
    """Depths of one part before the tanh."""

    def layer(number: int, x: str) -> str:
        dense = network.layers[number]
        return graph.add("Gemm", x, graph.constant(dense.weight), graph.constant(dense.bias))

    def active(number: int, x: str) -> str:
        return graph.add("LeakyRelu", layer(number, x), alpha=slope)

    count = len(network.part.joints)
    x = graph.add("Reshape", graph.pick(keypoints, network.part.indices), graph.constant([-1, 2 * count], np.int64))
    x = active(0, x)
    last = len(network.layers) - 1
    for first in range(1, last, 2):
        x = graph.add("Add", x, active(first + 1, active(first, x)))
    return layer(last, x)
