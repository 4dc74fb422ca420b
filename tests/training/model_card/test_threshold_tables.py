from model.calibration import Calibration
from tests.support.fakes import operating_point
from training.model_card.threshold_tables import USES, describe_readme_sizes, describe_sizes, describe_uses

POINTS = tuple(
    operating_point(threshold, fmr, fnmr)
    for threshold, fmr, fnmr in ((0.2, 1e-2, 0.01), (0.3, 1e-3, 0.02), (0.4, 9.95e-5, 0.05), (0.5, 1e-5, 0.08))
)
CALIBRATION = Calibration(((-1.0, -9.0), (1.0, 9.0)), POINTS, 1e-4, 0.02, "data", "command")


def test_each_use_gets_the_threshold_of_the_service() -> None:
    lines = describe_uses(CALIBRATION).splitlines()[2:]
    assert len(lines) == len(USES)
    assert lines[1].split(" | ")[1:] == [
        "`/verify`, `target_fmr=0.0001`", "0.400", "1 in 10,000 of strangers' attempts", "5.0 % |",
    ]  # fmt: skip
    assert "| `/identify`, `target_fpir=0.01` | 0.400 | 1 in 100 of strangers' searches | 5.0 % |" in lines[3]


def test_a_target_that_cannot_be_kept_is_said() -> None:
    large = describe_sizes(CALIBRATION).splitlines()[-1]
    assert large.startswith("| 1,000,000 | 0.500 |")
    assert large.endswith("| 100.0 % | 8.0 % | false |")
    assert describe_readme_sizes(CALIBRATION).splitlines()[-1] == "| 1,000,000 | 8.0 % | 100.0 % (target not met) |"
