"""A frozen module's convolutions as oneDNN runs them fastest: each with the ReLU and the sum that follow it in one
operator, and with its weights laid out for the processor once, not at every call.

torch does the same for `torch.compile`; TorchScript keeps these operators, but nothing puts them in. What serves is
checked against the golden outputs like everything else.
"""

from typing import Any, Final

import torch

INPUTS: Final = "%x, %weight, %bias, %stride, %padding, %dilation, %groups"
CONVOLVED: Final = f" %y = aten::conv2d({INPUTS})"
PACKED: Final = """
 %none : NoneType = prim::Constant()
 %packed = mkldnn::_reorder_convolution_weight(%weight, %padding, %stride, %dilation, %groups, %none)
 %no_numbers : Scalar?[] = prim::ListConstruct()
 %no_method : str = prim::Constant[value=""]()"""
HOW: Final = "%padding, %stride, %dilation, %groups"
PACKING: Final = "mkldnn::_reorder_convolution_weight"


def fuse(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """Rewrites a frozen module on the CPU, in place. Left as it is where torch has no oneDNN or a weight is no
    constant of 32 bits."""
    graph: Any = module.graph
    convolutions = graph.findAllNodes("aten::conv2d")
    if not torch._C._has_mkldnn or not all(map(_packable, convolutions)):
        return module
    for relu in ("relu", "relu_"):
        for terms in ("%y, %other", "%other, %y"):
            _rewrite(
                graph,
                f"graph({INPUTS}, %other, %alpha):\n{CONVOLVED}\n %sum = aten::add({terms}, %alpha)\n"
                f" %z = aten::{relu}(%sum)\n return (%z)",
                f"""graph({INPUTS}, %other, %alpha):{PACKED}
 %add : str = prim::Constant[value="add"]()
 %relu : str = prim::Constant[value="relu"]()
 %z = mkldnn::_convolution_pointwise(%x, %other, %packed, %bias, {HOW}, %add, %alpha, %relu, %no_numbers, %no_method)
 return (%z)""",
            )
        _rewrite(
            graph, f"graph({INPUTS}):\n{CONVOLVED}\n %z = aten::{relu}(%y)\n return (%z)", _convolution_with("relu")
        )
    _rewrite(graph, f"graph({INPUTS}):\n{CONVOLVED}\n return (%y)", _convolution_with("none"))
    for node in graph.findAllNodes(PACKING):
        constant = graph.create("prim::ConstantMKLDNNTensor", 1)
        constant.t_("value", torch.ops.mkldnn._reorder_convolution_weight(*(each.toIValue() for each in node.inputs())))
        constant.insertBefore(node)
        node.output().replaceAllUsesWith(constant.output())
        node.destroy()
    torch._C._jit_pass_constant_propagation(graph)
    torch._C._jit_pass_dce(graph)
    return module


def _packable(node: Any) -> bool:
    weight = node.inputsAt(1).toIValue()
    return isinstance(weight, torch.Tensor) and weight.device.type == "cpu" and weight.dtype == torch.float32


def _convolution_with(what: str) -> str:
    return f"""graph({INPUTS}):{PACKED}
 %what : str = prim::Constant[value="{what}"]()
 %z = mkldnn::_convolution_pointwise(%x, %packed, %bias, {HOW}, %what, %no_numbers, %no_method)
 return (%z)"""


def _rewrite(graph: Any, pattern: str, replacement: str) -> None:
    torch._C._jit_pass_custom_pattern_based_rewrite_graph(pattern, replacement, graph)
