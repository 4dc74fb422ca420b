"""Fused convolutions: one oneDNN operator for a convolution with the ReLU and the sum that follow it.

`torch.compile` uses the same operators; TorchScript runs them but has no pass that inserts them. The weights are laid
out in memory once, when the module is loaded, in the layout that this processor's kernel reads. The result must pass
the same golden check as every other form of a network (model/runtime/forms.py).
"""

from collections.abc import Sequence
from functools import partial, reduce
from typing import Any, Final

import torch
from torch import Tensor

FLOAT32, BFLOAT16 = 6, 15  # torch's numbers of these types
INPUTS: Final = "%x, %weight, %bias, %stride, %padding, %dilation, %groups"
CONVOLVED: Final = f" %y = aten::conv2d({INPUTS})"
PACKED: Final = """
 %none : NoneType = prim::Constant()
 %packed = mkldnn::_reorder_convolution_weight(%weight, %padding, %stride, %dilation, %groups, %none)
 %no_numbers : Scalar?[] = prim::ListConstruct()
 %no_method : str = prim::Constant[value=""]()"""
PACKING: Final = "mkldnn::_reorder_convolution_weight"
OPTIONS: Final = "%packed, %bias, %padding, %stride, %dilation, %groups"

Size = tuple[int, ...]  # of the tensor that a convolution reads: (B, C, H, W)


def record_input_sizes(frozen: torch.jit.ScriptModule, example: Tensor) -> list[Size]:
    """Returns the size of what each convolution of a frozen module reads, in the order of the graph.

    It runs a copy of the graph on `example`: a frozen module that has run once keeps its first plan and ignores what is
    rewritten later. Returns an empty list where a convolution is inside a branch or a loop.
    """
    graph: Any = frozen.graph.copy()
    convolutions = graph.findAllNodes("aten::conv2d", recurse=False)
    if len(convolutions) != len(graph.findAllNodes("aten::conv2d")):
        return []
    for _ in list(graph.outputs()):
        graph.eraseOutput(0)
    sizes = [graph.create("aten::size", [node.inputsAt(0)], 1) for node in convolutions]
    for node, size in zip(convolutions, sizes, strict=True):
        size.insertBefore(node)
        size.output().setType(torch._C.ListType.ofInts())
    answer = graph.create("prim::TupleConstruct", [size.output() for size in sizes], 1)
    answer.output().setType(torch._C.TupleType([size.output().type() for size in sizes]))
    graph.registerOutput(graph.appendNode(answer).output())
    torch._C._jit_pass_dce(graph)
    graph.eraseInput(0)  # the module itself: freezing has made its weights constants
    run = torch._C._create_function_from_graph("input_sizes", graph)
    with torch.inference_mode():
        return [tuple(size) for size in run(example)]


def fuse(frozen: torch.jit.ScriptModule, sizes: Sequence[Size], *, bf16: bool = False) -> torch.jit.ScriptModule | None:
    """Rewrites a frozen module that has not run yet, in place, and returns it.

    `sizes`: what `record_input_sizes` returned for the same module. oneDNN chooses the layout of the weights by them:
    without them it assumes a kernel that it does not use under AVX2, and lays the weights out again in every call.
    `bf16`: the convolutions read and write bfloat16, so what lies between them computes in bfloat16 too; fully
    connected layers compute in float32.
    Returns None where nothing can be fused: torch has no oneDNN, a weight is not a float32 constant on the CPU, or the
    module runs its convolutions more or less often than once.
    """
    graph: Any = frozen.graph
    convolutions = graph.findAllNodes("aten::conv2d")
    if not torch._C._has_mkldnn or len(sizes) != len(convolutions) or not all(map(_packable, convolutions)):
        return None
    for node in convolutions:
        _fold_scaling(graph, node)
    for node in graph.findAllNodes("aten::max_pool2d"):
        _split_pooling(graph, node)
    if bf16:
        _convert_to_bf16(graph, convolutions)
    # The rewriting moves nodes, so the sizes are kept by the name of the weight.
    size_of = {node.inputsAt(1).debugName(): size for node, size in zip(convolutions, sizes, strict=True)}
    for relu in ("relu", "relu_"):
        for terms in ("%y, %other", "%other, %y"):
            sums = f"{CONVOLVED}\n %sum = aten::add({terms}, %alpha)\n %z = aten::{relu}(%sum)"
            _rewrite(graph, f"graph({INPUTS}, %other, %alpha):\n{sums}\n return (%z)", _convolution_with_sum(bf16))
        followed = f"{CONVOLVED}\n %z = aten::{relu}(%y)"
        _rewrite(graph, f"graph({INPUTS}):\n{followed}\n return (%z)", _convolution_with("relu", bf16))
    for node in graph.findAllNodes("aten::prelu"):
        _replace_single_slope(graph, node)
    leaky = f"graph({INPUTS}, %slope):\n{CONVOLVED}\n %z = aten::leaky_relu(%y, %slope)\n return (%z)"
    _rewrite(graph, leaky, _convolution_with_slope(bf16))
    _rewrite(graph, f"graph({INPUTS}):\n{CONVOLVED}\n return (%y)", _convolution_with("none", bf16))
    for node in graph.findAllNodes(PACKING):
        _pack(graph, node, size_of[node.inputsAt(0).debugName()])
    torch._C._jit_pass_constant_propagation(graph)
    torch._C._jit_pass_dce(graph)
    return frozen


def _packable(node: Any) -> bool:
    weight = node.inputsAt(1).toIValue()
    return isinstance(weight, Tensor) and weight.device.type == "cpu" and weight.dtype == torch.float32


def _pack(graph: Any, node: Any, size: Size) -> None:
    """Lays out the weight of one convolution now and puts the result into the graph as a constant."""
    weight, *options = (each.toIValue() for each in list(node.inputs())[:-1])
    constant = graph.create("prim::ConstantMKLDNNTensor", 1)
    with torch.inference_mode():
        packed = torch.ops.mkldnn._reorder_convolution_weight(weight, *options, size)
    constant.t_("value", packed)
    constant.insertBefore(node)
    node.output().replaceAllUsesWith(constant.output())
    node.destroy()


def _fold_scaling(graph: Any, node: Any) -> None:
    """Rewrites a convolution of (x - mean) / std as a convolution of x with another weight (O, I, H, W) and bias (O,).

    Padding must be zero: padded zeros would otherwise stand for other values.
    """
    divided = node.inputsAt(0).node()
    if divided.kind() != "aten::div":
        return
    shifted = divided.inputsAt(0).node()
    if shifted.kind() != "aten::sub" or any(node.inputsAt(4).toIValue()) or node.inputsAt(6).toIValue() != 1:
        return
    mean, std = shifted.inputsAt(1).toIValue(), divided.inputsAt(1).toIValue()
    if not isinstance(mean, Tensor) or not isinstance(std, Tensor) or shifted.inputsAt(2).toIValue() != 1:
        return
    weight, bias = node.inputsAt(1).toIValue() / std, node.inputsAt(2).toIValue()
    offset = (weight.double() * mean).sum(dim=(1, 2, 3))
    with graph.insert_point_guard(node):
        node.replaceInput(1, graph.insertConstant(weight))
        node.replaceInput(2, graph.insertConstant((-offset if bias is None else bias - offset).float()))
    node.replaceInput(0, shifted.inputsAt(0))


def _replace_single_slope(graph: Any, node: Any) -> None:
    """Rewrites a PReLU with one slope for all channels as a leaky ReLU, which oneDNN computes with the convolution."""
    slope = node.inputsAt(1).toIValue()
    if not isinstance(slope, Tensor) or slope.numel() != 1:
        return
    with graph.insert_point_guard(node):
        leaky = _insert(graph, "aten::leaky_relu", node.inputsAt(0), graph.insertConstant(float(slope)))
    node.output().replaceAllUsesWith(leaky)
    node.destroy()


def _split_pooling(graph: Any, node: Any) -> None:
    """Rewrites max-pooling of 3 x 3 with stride 2 as the maximum over rows and then over columns. torch's operator
    also computes the index of each maximum, which takes longer than both."""
    if [each.toIValue() for each in list(node.inputs())[1:]] != [[3, 3], [2, 2], [0, 0], [1, 1], False]:
        return
    pooled = node.inputsAt(0)
    with graph.insert_point_guard(node):
        two = graph.insertConstant(2)
        for dimension in (two, graph.insertConstant(3)):
            first, *others = (
                _insert(graph, "aten::slice", pooled, dimension, *map(graph.insertConstant, ends), two)
                for ends in ((0, -2), (1, -1), (2, None))
            )
            pooled = reduce(partial(_insert, graph, "aten::maximum"), others, first)
    node.output().replaceAllUsesWith(pooled)
    node.destroy()


def _insert(graph: Any, kind: str, *inputs: Any) -> Any:
    return graph.insertNode(graph.create(kind, list(inputs), 1)).output()


def _convert_to_bf16(graph: Any, convolutions: Any) -> None:
    """Converts weights, biases and slopes to bfloat16, and the input of each fully connected layer back to float32."""
    for node in graph.findAllNodes("aten::prelu"):
        with graph.insert_point_guard(node):
            node.replaceInput(1, graph.insertConstant(node.inputsAt(1).toIValue().bfloat16()))
    for node in convolutions:
        for position in (1, 2):  # weight and bias
            value = node.inputsAt(position).toIValue()
            if value is not None:
                with graph.insert_point_guard(node):
                    node.replaceInput(position, graph.insertConstant(value.bfloat16()))
    linear = "graph(%x, %weight, %bias):{cast}\n %y = aten::linear({x}, %weight, %bias)\n return (%y)"
    _rewrite(graph, linear.format(cast="", x="%x"), linear.format(cast=_cast("%typed", "%x", FLOAT32), x="%typed"))


def _cast(target: str, source: str, number: int) -> str:
    name = target.removeprefix("%")
    return f"""
 %{name}_type : int = prim::Constant[value={number}]()
 %{name}_no : bool = prim::Constant[value=0]()
 %{name}_any : NoneType = prim::Constant()
 {target} = aten::to({source}, %{name}_type, %{name}_no, %{name}_no, %{name}_any)"""


def _convolution_with(activation: str, bf16: bool) -> str:
    cast, x = (_cast("%typed", "%x", BFLOAT16), "%typed") if bf16 else ("", "%x")
    return f"""graph({INPUTS}):{cast}{PACKED}
 %activation : str = prim::Constant[value="{activation}"]()
 %z = mkldnn::_convolution_pointwise({x}, {OPTIONS}, %activation, %no_numbers, %no_method)
 return (%z)"""


def _convolution_with_slope(bf16: bool) -> str:
    cast, x = (_cast("%typed", "%x", BFLOAT16), "%typed") if bf16 else ("", "%x")
    return f"""graph({INPUTS}, %slope):{cast}{PACKED}
 %activation : str = prim::Constant[value="leaky_relu"]()
 %slopes : Scalar?[] = prim::ListConstruct(%slope)
 %z = mkldnn::_convolution_pointwise({x}, {OPTIONS}, %activation, %slopes, %no_method)
 return (%z)"""


def _convolution_with_sum(bf16: bool) -> str:
    cast, x, other = "", "%x", "%other"
    if bf16:
        cast = _cast("%typed", "%x", BFLOAT16) + _cast("%added", "%other", BFLOAT16)
        x, other = "%typed", "%added"
    return f"""graph({INPUTS}, %other, %alpha):{cast}{PACKED}
 %add : str = prim::Constant[value="add"]()
 %relu : str = prim::Constant[value="relu"]()
 %z = mkldnn::_convolution_pointwise({x}, {other}, {OPTIONS}, %add, %alpha, %relu, %no_numbers, %no_method)
 return (%z)"""


def _rewrite(graph: Any, pattern: str, replacement: str) -> None:
    torch._C._jit_pass_custom_pattern_based_rewrite_graph(pattern, replacement, graph)
