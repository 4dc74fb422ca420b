from benchmarks.trust.photo_damage import inputs


def test_the_same_seed_makes_the_same_inputs_again() -> None:
    first, again, other = (dict(inputs(60, seed)) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert len(set(first.values())) > 50
