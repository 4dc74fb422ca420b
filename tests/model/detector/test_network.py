import pytest
import torch

from model.detector.network import FIRST_STRIDE, VALUES, FaceLocator, decode


def make_network() -> FaceLocator:
    torch.manual_seed(0)
    made = FaceLocator(0.25).eval()
    for head in (made.fine_out, made.middle_out, made.coarse_out):
        last = head[-1]
        assert isinstance(last, torch.nn.Conv2d)
        torch.nn.init.normal_(last.weight, std=0.5)  # an untrained one says the same of every cell
    return made


@pytest.fixture
def network() -> FaceLocator:
    return make_network()


def photos(count: int, height: int = 70, width: int = 101) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, generator=generator)


def test_a_cell_says_where_its_face_is() -> None:
    maps = [torch.zeros(1, VALUES, 4, 4), torch.zeros(1, VALUES, 2, 2), torch.zeros(1, VALUES, 1, 1)]
    cell = maps[1][0, :, 0, 1]  # stride 16, its middle at (24, 8)
    cell[:4] = torch.tensor([1.0, 2.0, 3.0, 0.5]).log()  # distances to left, top, right, bottom, in cells
    cell[4] = 2.0
    cell[5:7] = torch.tensor([-0.5, 0.25])
    face = decode(maps)[0, 16 + 1]
    torch.testing.assert_close(face[:4], torch.tensor([24 - 16, 8 - 32, 24 + 48, 8 + 8.0]))
    assert face[4].item() == pytest.approx(torch.tensor(2.0).sigmoid().item())
    torch.testing.assert_close(face[5:7], torch.tensor([24 - 8, 8 + 4.0]))


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # exporting is what model/runtime/torchscript.py does
def test_a_photo_of_any_size_gives_the_same_alone_in_a_batch_and_scripted(network: FaceLocator) -> None:
    together = network(photos(3), 0.0)
    alone = network(photos(3)[1:2], 0.0)[0]
    scripted = torch.jit.script(network)(photos(3), 0.0)
    assert len(alone) > 3
    torch.testing.assert_close(together[1], alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(scripted[1], alone, atol=1e-4, rtol=1e-4)


def test_only_likely_faces_come_the_best_first_and_none_twice(network: FaceLocator) -> None:
    found = network(photos(1), 0.0)[0]
    threshold = found[len(found) // 2, 4].item()
    likely = network(photos(1), threshold)[0]
    assert 0 < len(likely) <= len(found)
    assert likely[:, 4].min() >= threshold
    assert (likely[:-1, 4] >= likely[1:, 4]).all()
    for first in range(len(found)):
        for second in range(first):
            low = torch.maximum(found[first, :2], found[second, :2])
            high = torch.minimum(found[first, 2:4], found[second, 2:4])
            shared = (high - low).clamp_min(0).prod()
            areas = (found[[first, second], 2:4] - found[[first, second], :2]).prod(dim=1).sum()
            assert shared / (areas - shared) <= network.most_overlap + 1e-4


def test_what_is_no_photo_is_refused(network: FaceLocator) -> None:
    with pytest.raises(RuntimeError, match="uint8"):
        network(photos(1).float(), 0.5)
    with pytest.raises(RuntimeError, match="uint8"):
        network(photos(1)[0], 0.5)


def test_an_untrained_network_finds_nothing() -> None:
    assert len(FaceLocator(0.25).eval()(photos(1), 0.5)[0]) == 0
    assert FIRST_STRIDE == 8
