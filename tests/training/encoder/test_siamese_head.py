import pytest
import torch

from training.encoder.siamese_head import PairCrossEntropy, PaperVerifier


def verifier() -> PaperVerifier:
    torch.manual_seed(0)
    return PaperVerifier(75, 0.05, 16, 0.0)


def test_a_logit_is_a_weighted_sum_of_absolute_differences() -> None:
    model = verifier()
    with torch.no_grad():
        model.weigh.weight.copy_(torch.arange(16.0)[None])
        model.weigh.bias.fill_(3.0)
    first, second = torch.rand(3, 16), torch.rand(5, 16)
    expected = (torch.arange(16.0) * (first[:, None] - second[None]).abs()).sum(2) + 3
    torch.testing.assert_close(model.pairwise_logits(first, second), expected)


def test_the_loss_is_the_mean_over_both_kinds_of_their_mean_cross_entropy() -> None:
    model = verifier()
    with torch.no_grad():
        model.weigh.weight.fill_(-1.0)
        model.weigh.bias.fill_(0.0)
    features = torch.zeros(3, 16)
    features[2, 0] = 2.0  # genuine pair: logit 0; both impostor pairs: logit -2
    loss = PairCrossEntropy(model)(features, torch.tensor([0, 0, 1]))
    impostor = torch.nn.functional.softplus(torch.tensor(-2.0))
    assert loss.item() == pytest.approx(float((torch.log(torch.tensor(2.0)) + impostor) / 2), rel=1e-5)


def test_features_are_the_outputs_of_the_papers_sigmoid_layer() -> None:
    crops = torch.randint(0, 256, (2, 75, 75, 3), dtype=torch.uint8)
    features = verifier()(crops)
    assert features.shape == (2, 16)
    assert ((features > 0) & (features < 1)).all()
