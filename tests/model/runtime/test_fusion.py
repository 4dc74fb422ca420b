import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from model.encoder.bundle import find_bundle, load_bundle
from model.runtime.fusion import fuse, record_input_sizes
from model.runtime.processor import has_bf16
from model.runtime.torchscript import freeze, script

needs_bf16 = pytest.mark.skipif(not has_bf16(), reason="bfloat16 needs a processor with AVX-512")
BF16 = pytest.param(True, marks=needs_bf16, id="bf16")


class Block(nn.Module):
    """Every pattern that is rewritten, and some that are not."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.with_relu, self.sum_first, self.sum_last, self.in_place = (
            nn.Conv2d(8, 8, 3, padding=1) for _ in range(5)
        )
        self.grouped = nn.Conv2d(8, 8, 3, 2, groups=8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.with_relu(self.plain(x)))
        y = F.relu(self.sum_first(y) + x)
        y = F.relu(x + self.sum_last(y))
        y = torch.relu_(self.in_place(y))
        once = self.plain(y)  # its output is used twice
        answer: torch.Tensor = self.grouped(F.relu(once) + once)
        return answer


class Mobile(nn.Module):
    """Layers of mobile networks: PReLU, depthwise convolutions, squeeze-excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.slope = nn.Conv2d(8, 16, 1), nn.PReLU(16)
        self.depthwise, self.one_slope = nn.Conv2d(16, 16, 3, 2, 1, groups=16), nn.PReLU()
        self.squeeze, self.excite, self.narrow = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1), nn.Conv2d(16, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.one_slope(self.depthwise(self.slope(self.wide(x))))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(y, 1)))))
        answer: torch.Tensor = self.narrow(y * gate)
        return answer


def fused(network: nn.Module, example: torch.Tensor, *, bf16: bool = False) -> torch.jit.ScriptModule:
    frozen = freeze(script(network))
    made = fuse(frozen, record_input_sizes(frozen, example), bf16=bf16)
    assert made is not None
    return made


@pytest.fixture
def block() -> Block:
    torch.manual_seed(0)
    return Block().eval()


def kinds(module: torch.jit.ScriptModule) -> list[str]:
    return [node.kind() for node in module.graph.nodes()]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_fused_module_computes_the_same(block: Block, memory_format: torch.memory_format) -> None:
    x = torch.randn(3, 8, 17, 17).to(memory_format=memory_format)
    for network in (block, Mobile().eval()):
        module = fused(network, x)
        with torch.inference_mode():
            for photos in (x, x[:1], x):  # TorchScript specialises its code in the first calls
                torch.testing.assert_close(module(photos), network(photos), atol=1e-5, rtol=1e-5)


def test_each_convolution_is_fused_with_the_operators_that_follow(block: Block) -> None:
    before = kinds(freeze(script(block)))
    after = kinds(fused(block, torch.zeros(1, 8, 17, 17)))
    assert before.count("aten::conv2d") == after.count("mkldnn::_convolution_pointwise") == 7
    assert "aten::conv2d" not in after
    assert "mkldnn::_reorder_convolution_weight" not in after  # done once, not in every call
    assert before.count("aten::relu") + before.count("aten::relu_") == 5
    assert after.count("aten::relu") + after.count("aten::relu_") == 1
    assert before.count("aten::add") == 3
    assert after.count("aten::add") == 1


def test_float64_weights_cannot_be_fused(block: Block) -> None:
    frozen = freeze(script(block.double()))
    assert fuse(frozen, record_input_sizes(frozen, torch.zeros(1, 8, 17, 17, dtype=torch.double))) is None


def test_a_convolution_in_a_loop_cannot_be_fused() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for _ in range(x.size(0)):
                x = self.conv(x)
            return x

    frozen = freeze(script(Loop()))
    assert fuse(frozen, record_input_sizes(frozen, torch.zeros(3, 8, 9, 9))) is None


@needs_bf16
def test_bf16_computes_nearly_the_same_and_returns_float32() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(Block(), nn.Flatten(), nn.Linear(8 * 8 * 8, 16)).eval()
    x = torch.randn(3, 8, 17, 17)
    module = fused(network, x, bf16=True)
    with torch.inference_mode():
        answer, expected = module(x), network(x)
    assert answer.dtype == torch.float32
    assert 0 < (answer - expected).abs().max() < 0.03 * expected.abs().max()


@pytest.mark.parametrize("bf16", [False, BF16])
def test_a_call_reorders_no_weight(
    bf16: bool, capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    bundle = load_bundle(find_bundle("deploy"))
    size = bundle.metadata.crop_size
    crops = torch.zeros(8, size, size, 3, dtype=torch.uint8)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the service runs a network; with two, oneDNN lays out six weights again in each call
    request.addfinalizer(lambda: torch.set_num_threads(threads))
    frozen = freeze(bundle.module)
    sizes = record_input_sizes(frozen, crops)
    module = fuse(frozen, sizes, bf16=bf16)
    assert module is not None
    with torch.inference_mode():
        for faces in (1, 3, 8):
            for _ in range(3):
                module(crops[:faces])
            capfd.readouterr()
            with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):  # type: ignore[no-untyped-call]
                module(crops[:faces])
            calls = re.findall(r"exec,cpu,(convolution|reorder),.*", capfd.readouterr().out)
            assert calls.count("convolution") == len(sizes)
            casts = 2 if bf16 else 0  # pixels to bfloat16, before the first convolution of either network
            assert calls.count("reorder") <= casts


class Stem(nn.Module):
    """Scales pixels, then convolves and pools them."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, padding: int = 0, groups: int = 1) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([120.0, 110.0, 100.0]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([64.0, 128.0, 256.0]).view(1, 3, 1, 1))
        self.conv = nn.Conv2d(3, 6, 7, 2, padding, groups=groups)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = (pixels - self.mean) / self.std
        return F.max_pool2d(F.relu(self.conv(x)), 3, 2)


@pytest.mark.parametrize("side", [37, 38, 39, 40])
@pytest.mark.parametrize("bf16", [False, BF16])
def test_scaling_is_folded_into_the_weights_and_pooling_is_split(side: int, bf16: bool) -> None:
    torch.manual_seed(0)
    stem = Stem().eval()
    pixels = torch.randint(0, 256, (2, 3, side, side)).float()
    module = fused(stem, pixels, bf16=bf16)
    assert not {"aten::sub", "aten::div", "aten::max_pool2d"} & set(kinds(module))
    with torch.inference_mode():
        torch.testing.assert_close(module(pixels).float(), stem(pixels), atol=0.02 if bf16 else 1e-5, rtol=0.01)


@pytest.mark.parametrize("stem", [Stem(padding=3), Stem(groups=3)])
def test_scaling_is_not_folded_into_padded_or_grouped_convolutions(stem: Stem) -> None:
    pixels = torch.randint(0, 256, (2, 3, 37, 37)).float()
    module = fused(stem.eval(), pixels)
    assert {"aten::sub", "aten::div"} <= set(kinds(module))
    with torch.inference_mode():
        torch.testing.assert_close(module(pixels), stem(pixels), atol=1e-5, rtol=1e-5)


def test_other_pooling_is_not_split() -> None:
    pooling = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(3, 2, padding=1)).eval()
    assert kinds(fused(pooling, torch.zeros(1, 3, 40, 40))).count("aten::max_pool2d") == 2


def test_input_sizes_are_recorded_without_running_the_module(block: Block) -> None:
    x = torch.zeros(2, 8, 17, 17)
    assert record_input_sizes(freeze(script(block)), x) == [tuple(x.shape)] * 7
