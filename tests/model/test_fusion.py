import pytest
import torch
from torch import nn
from torch.nn import functional as F

from model.fusion import fuse

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit")  # fusing is what model/scripted.py does


class Block(nn.Module):
    """Every combination that is rewritten, and some that are not."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.followed, self.summed, self.turned, self.in_place = (
            nn.Conv2d(8, 8, 3, padding=1) for _ in range(5)
        )
        self.apart = nn.Conv2d(8, 8, 3, 2, groups=8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.followed(self.plain(x)))
        y = F.relu(self.summed(y) + x)
        y = F.relu(x + self.turned(y))
        y = torch.relu_(self.in_place(y))
        once = self.plain(y)  # its answer is needed twice
        answer: torch.Tensor = self.apart(F.relu(once) + once)
        return answer


@pytest.fixture
def block() -> Block:
    torch.manual_seed(0)
    return Block().eval()


def kinds(module: torch.jit.ScriptModule) -> list[str]:
    return [node.kind() for node in module.graph.nodes()]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_fused_module_computes_the_same(block: Block, memory_format: torch.memory_format) -> None:
    x = torch.randn(3, 8, 17, 17).to(memory_format=memory_format)
    fused = fuse(torch.jit.freeze(torch.jit.script(block)))
    with torch.inference_mode():
        for photos in (x, x[:1], x):  # the first call specialises, the others find it done
            torch.testing.assert_close(fused(photos), block(photos), atol=1e-5, rtol=1e-5)


def test_every_convolution_and_what_follows_it_become_one_operator(block: Block) -> None:
    before = kinds(torch.jit.freeze(torch.jit.script(block)))
    after = kinds(fuse(torch.jit.freeze(torch.jit.script(block))))
    assert before.count("aten::conv2d") == after.count("mkldnn::_convolution_pointwise") == 7
    assert "aten::conv2d" not in after
    assert "mkldnn::_reorder_convolution_weight" not in after  # done once, not with every call
    assert before.count("aten::relu") + before.count("aten::relu_") == 5
    assert after.count("aten::relu") + after.count("aten::relu_") == 1
    assert before.count("aten::add") == 3
    assert after.count("aten::add") == 1


def test_weights_of_another_type_are_left_alone(block: Block) -> None:
    frozen = torch.jit.freeze(torch.jit.script(block.double()))
    assert kinds(fuse(frozen)).count("aten::conv2d") == 7


def test_half_precision_computes_nearly_the_same_and_comes_back_to_32_bits() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(Block(), nn.Flatten(), nn.Linear(8 * 8 * 8, 16)).eval()
    x = torch.randn(3, 8, 17, 17)
    fused = fuse(torch.jit.freeze(torch.jit.script(network)), half=True)
    with torch.inference_mode():
        answer, expected = fused(x), network(x)
    assert answer.dtype == torch.float32
    assert 0 < (answer - expected).abs().max() < 0.03 * expected.abs().max()


class Stem(nn.Module):
    """Pixels are scaled, convolved and pooled."""

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
@pytest.mark.parametrize("half", [False, True])
def test_the_scaling_of_pixels_goes_into_the_weights_and_pooling_is_done_by_turns(side: int, half: bool) -> None:
    torch.manual_seed(0)
    stem = Stem().eval()
    fused = fuse(torch.jit.freeze(torch.jit.script(stem)), half=half)
    assert not {"aten::sub", "aten::div", "aten::max_pool2d"} & set(kinds(fused))
    pixels = torch.randint(0, 256, (2, 3, side, side)).float()
    with torch.inference_mode():
        torch.testing.assert_close(fused(pixels).float(), stem(pixels), atol=0.02 if half else 1e-5, rtol=0.01)


@pytest.mark.parametrize("stem", [Stem(padding=3), Stem(groups=3)])
def test_scaling_stays_where_zeros_are_padded_or_channels_are_apart(stem: Stem) -> None:
    fused = fuse(torch.jit.freeze(torch.jit.script(stem.eval())))
    assert {"aten::sub", "aten::div"} <= set(kinds(fused))
    pixels = torch.randint(0, 256, (2, 3, 37, 37)).float()
    with torch.inference_mode():
        torch.testing.assert_close(fused(pixels), stem(pixels), atol=1e-5, rtol=1e-5)


def test_other_pooling_is_left_alone() -> None:
    pooling = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(3, 2, padding=1)).eval()
    assert kinds(fuse(torch.jit.freeze(torch.jit.script(pooling)))).count("aten::max_pool2d") == 2
