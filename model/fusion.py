"""A frozen module's convolutions as oneDNN runs them fastest: each with the scaling before it and with the ReLU and the
sum that follow it in one operator, and with its weights laid out for the processor once, not at every call.

torch does the same for `torch.compile`; TorchScript keeps these operators, but nothing puts them in. What serves is
checked against the golden outputs like everything else.
"""

from functools import partial, reduce
from typing import Any, Final

import torch

FLOAT32, BFLOAT16 = 6, 15  # torch's numbers of its types
INPUTS: Final = "%x, %weight, %bias, %stride, %padding, %dilation, %groups"
CONVOLVED: Final = f" %y = aten::conv2d({INPUTS})"
PACKED: Final = """
 %none : NoneType = prim::Constant()
 %packed = mkldnn::_reorder_convolution_weight(%weight, %padding, %stride, %dilation, %groups, %none)
 %no_numbers : Scalar?[] = prim::ListConstruct()
 %no_method : str = prim::Constant[value=""]()"""
PACKING: Final = "mkldnn::_reorder_convolution_weight"
HOW: Final = "%packed, %bias, %padding, %stride, %dilation, %groups"


def fuse(module: torch.jit.ScriptModule, *, half: bool = False) -> torch.jit.ScriptModule:
    """Rewrites a frozen module on the CPU, in place. Left as it is where torch has no oneDNN or a weight is no
    constant of 32 bits. `half`: what the convolutions read and write has 16 bits, as bfloat16."""
    graph: Any = module.graph
    convolutions = graph.findAllNodes("aten::conv2d")
    if not torch._C._has_mkldnn or not all(map(_packable, convolutions)):
        return module
    for node in convolutions:
        _take_in_scaling(graph, node)
    for node in graph.findAllNodes("aten::max_pool2d"):
        _pool_by_turns(graph, node)
    if half:
        _halve(graph, convolutions)
    for relu in ("relu", "relu_"):
        for terms in ("%y, %other", "%other, %y"):
            sums = f"{CONVOLVED}\n %sum = aten::add({terms}, %alpha)\n %z = aten::{relu}(%sum)"
            _rewrite(graph, f"graph({INPUTS}, %other, %alpha):\n{sums}\n return (%z)", _with_sum(half))
        followed = f"{CONVOLVED}\n %z = aten::{relu}(%y)"
        _rewrite(graph, f"graph({INPUTS}):\n{followed}\n return (%z)", _convolution_with("relu", half))
    _rewrite(graph, f"graph({INPUTS}):\n{CONVOLVED}\n return (%y)", _convolution_with("none", half))
    for node in graph.findAllNodes(PACKING):
        constant = graph.create("prim::ConstantMKLDNNTensor", 1)
        constant.t_("value", torch.ops.mkldnn._reorder_convolution_weight(*(each.toIValue() for each in node.inputs())))
        constant.insertBefore(node)
        node.output().replaceAllUsesWith(constant.output())
        node.destroy()
    torch._C._jit_pass_constant_propagation(graph)
    torch._C._jit_pass_dce(graph)
    return module


def _take_in_scaling(graph: Any, node: Any) -> None:
    """A convolution without padding of (x - mean) / std is one of x, with other weights (O, I, H, W) and bias (O,)."""
    divided = node.inputsAt(0).node()
    if divided.kind() != "aten::div":
        return
    lowered = divided.inputsAt(0).node()
    if lowered.kind() != "aten::sub" or any(node.inputsAt(4).toIValue()) or node.inputsAt(6).toIValue() != 1:
        return
    mean, std = lowered.inputsAt(1).toIValue(), divided.inputsAt(1).toIValue()
    if not isinstance(mean, torch.Tensor) or not isinstance(std, torch.Tensor) or lowered.inputsAt(2).toIValue() != 1:
        return
    weight, bias = node.inputsAt(1).toIValue() / std, node.inputsAt(2).toIValue()
    taken = (weight.double() * mean).sum(dim=(1, 2, 3))
    with graph.insert_point_guard(node):
        node.replaceInput(1, graph.insertConstant(weight))
        node.replaceInput(2, graph.insertConstant((-taken if bias is None else bias - taken).float()))
    node.replaceInput(0, lowered.inputsAt(0))


def _pool_by_turns(graph: Any, node: Any) -> None:
    """The largest of 3 x 3, with a stride of 2: of the rows, then of the columns. torch's operator also notes where
    the largest was, which takes longer than both."""
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


def _packable(node: Any) -> bool:
    weight = node.inputsAt(1).toIValue()
    return isinstance(weight, torch.Tensor) and weight.device.type == "cpu" and weight.dtype == torch.float32


def _halve(graph: Any, convolutions: Any) -> None:
    """Weights of 16 bits, and back to 32 before anything is multiplied by others."""
    for node in convolutions:
        for place in (1, 2):  # weight and bias
            value = node.inputsAt(place).toIValue()
            if value is not None:
                with graph.insert_point_guard(node):
                    node.replaceInput(place, graph.insertConstant(value.bfloat16()))
    linear = "graph(%x, %weight, %bias):{cast}\n %y = aten::linear({x}, %weight, %bias)\n return (%y)"
    _rewrite(graph, linear.format(cast="", x="%x"), linear.format(cast=_cast("%typed", "%x", FLOAT32), x="%typed"))


def _cast(target: str, source: str, number: int) -> str:
    name = target.removeprefix("%")
    return f"""
 %{name}_type : int = prim::Constant[value={number}]()
 %{name}_no : bool = prim::Constant[value=0]()
 %{name}_any : NoneType = prim::Constant()
 {target} = aten::to({source}, %{name}_type, %{name}_no, %{name}_no, %{name}_any)"""


def _convolution_with(what: str, half: bool) -> str:
    cast, x = (_cast("%typed", "%x", BFLOAT16), "%typed") if half else ("", "%x")
    return f"""graph({INPUTS}):{cast}{PACKED}
 %what : str = prim::Constant[value="{what}"]()
 %z = mkldnn::_convolution_pointwise({x}, {HOW}, %what, %no_numbers, %no_method)
 return (%z)"""


def _with_sum(half: bool) -> str:
    cast, x, other = "", "%x", "%other"
    if half:
        cast = _cast("%typed", "%x", BFLOAT16) + _cast("%added", "%other", BFLOAT16)
        x, other = "%typed", "%added"
    return f"""graph({INPUTS}, %other, %alpha):{cast}{PACKED}
 %add : str = prim::Constant[value="add"]()
 %relu : str = prim::Constant[value="relu"]()
 %z = mkldnn::_convolution_pointwise({x}, {other}, {HOW}, %add, %alpha, %relu, %no_numbers, %no_method)
 return (%z)"""


def _rewrite(graph: Any, pattern: str, replacement: str) -> None:
    torch._C._jit_pass_custom_pattern_based_rewrite_graph(pattern, replacement, graph)
