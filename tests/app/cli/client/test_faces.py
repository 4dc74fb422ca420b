import json
from pathlib import Path

import pytest

from facetwin_client import Facetwin
from tests.support.commands import run_command
from tests.support.fakes import DOUBTFUL, RED, picture

NOWHERE = "http://127.0.0.1:9"


@pytest.mark.usefixtures("service")
def test_the_status_says_whether_two_photos_show_one_person(ruby: Path, ruby2: Path, azure: Path) -> None:
    same = run_command("verify", ruby, ruby2).stdout
    assert same.startswith("The same person: similarity 1.000, threshold 0.700")
    assert "one in 100 pairs of different people" in same
    other = run_command("verify", ruby, azure, exit_code=1).stdout
    assert other.startswith("Different people: similarity -0.")
    assert "probability of the same person 0.000" in other


@pytest.mark.usefixtures("service")
def test_the_json_is_the_services_whole_answer(ruby: Path, ruby2: Path, azure: Path) -> None:
    answer = json.loads(run_command("verify", ruby, azure, "--json", exit_code=1).stdout)
    assert answer["verified"] is False
    assert answer["operating_point"]["impostor_pairs"] == 100_000
    assert answer["faces"][0]["landmarks"]
    assert json.loads(run_command("enroll", "ruby", ruby, "--json").stdout)["identity"] == "ruby"
    found = json.loads(run_command("identify", ruby2, "--json", "--top-k", "1").stdout)
    assert (found["decision"], found["identity"], len(found["candidates"])) == ("match", "ruby", 1)


@pytest.mark.usefixtures("service")
def test_the_threshold_can_be_chosen(ruby: Path, ruby2: Path) -> None:
    assert "threshold 0.900" in run_command("verify", ruby, ruby2, "--target-fmr", "0.001").stdout
    assert "(target_unsupported)" in run_command("verify", ruby, ruby2, "--target-fmr", "1e-9", exit_code=2).output


def test_a_person_is_enrolled_with_everything_that_the_service_stores(service: str, ruby: Path) -> None:
    options = (
        "--metadata",
        '{"badge": 1}',
        "--consent-ref",
        "form 7",
        "--expires-at",
        "2090-01-31",
        "--gallery",
        "staff",
    )
    assert "ruby is enrolled in the gallery staff" in run_command("enroll", "ruby", ruby, *options).stdout
    with Facetwin(service) as client:
        person = client.get_identity("ruby", gallery="staff")
    assert person.metadata == {"badge": 1}
    assert person.templates[0].consent_ref == "form 7"
    assert str(person.templates[0].expires_at) == "2090-01-31 00:00:00+00:00"


@pytest.mark.usefixtures("service")
def test_an_enrollment_with_a_key_may_be_repeated(ruby: Path) -> None:
    first, second = (
        json.loads(run_command("enroll", "ruby", ruby, "--json", "--key", "k1").stdout)["template_id"] for _ in range(2)
    )
    assert first == second
    assert "(identity_exists)" in run_command("enroll", "ruby", ruby, exit_code=2).output
    run_command("enroll", "ruby", ruby, "--if-exists", "add")


@pytest.mark.parametrize("text", ["{", "[1]", "null"])
def test_metadata_that_is_no_object_is_refused(ruby: Path, text: str) -> None:
    assert (
        "--metadata"
        in run_command("enroll", "ruby", ruby, "--metadata", text, exit_code=2, FACETWIN_URL=NOWHERE).output
    )


@pytest.mark.usefixtures("service")
def test_a_person_is_found_unknown_or_ambiguous(ruby: Path, ruby2: Path, azure: Path) -> None:
    assert "Unknown" in run_command("identify", ruby, exit_code=1).stdout
    run_command("enroll", "ruby", ruby)
    assert run_command("identify", ruby2).stdout.startswith("ruby\n1 templates searched")
    assert "Unknown" in run_command("identify", azure, exit_code=1).stdout
    assert "(collision)" in run_command("enroll", "ruby [2]", ruby2).stdout
    ambiguous = run_command("identify", ruby, exit_code=1).stdout
    assert "Ambiguous: ruby or ruby [2]." in ambiguous


@pytest.mark.usefixtures("service")
def test_warnings_are_shown(tmp_path: Path, ruby: Path) -> None:
    dark = tmp_path / "dark.png"
    dark.write_bytes(picture(DOUBTFUL))
    assert "(hard_to_recognize)" in run_command("verify", ruby, dark, exit_code=1).stdout


def test_an_unreachable_service_is_named(ruby: Path) -> None:
    assert f"No service answers at {NOWHERE}" in run_command("verify", ruby, ruby, "--url", NOWHERE, exit_code=2).output
    for url in ("nonsense", "http://\x01"):
        assert "is not a URL" in run_command("identify", ruby, "--url", url, exit_code=2).output


def test_an_error_is_json_if_asked_for(ruby: Path) -> None:
    done = run_command("identify", ruby, "--json", "--url", NOWHERE, exit_code=2)
    assert done.stdout == ""
    error = json.loads(done.stderr)
    assert (error["code"], error["status"]) == ("unreachable", 0)


@pytest.mark.parametrize("command", [["identify"], ["enroll", "ada"], ["verify", __file__]])
def test_a_missing_photo_is_named(command: list[str]) -> None:
    assert "photo [1].jpg" in run_command(*command, "photo [1].jpg", "--url", NOWHERE, exit_code=2).output


@pytest.mark.usefixtures("service")
def test_a_damaged_photo_is_refused_with_its_code(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    photo.write_bytes(picture(RED)[:60])
    assert "(corrupt_image)" in run_command("identify", photo, exit_code=2).output


def test_the_key_of_the_environment_is_sent(tmp_path: Path, ruby: Path) -> None:
    from tests.support.live import listen

    key = "a-key-of-sixteen!"
    (tmp_path / "guarded").mkdir()
    with listen(tmp_path / "guarded", api_keys=key) as url:
        assert "(unauthorized)" in run_command("verify", ruby, ruby, "--url", url, exit_code=2).output
        run_command("verify", ruby, ruby, "--url", url, FACETWIN_API_KEY=key)


@pytest.mark.usefixtures("service")
def test_a_photo_is_verified_against_an_enrolled_person(ruby: Path, ruby2: Path, azure: Path) -> None:
    run_command("enroll", "ruby", ruby)
    assert run_command("verify", ruby2, "--identity", "ruby").stdout.startswith("The same person")
    assert run_command("verify", azure, "--identity", "ruby", exit_code=1).stdout.startswith("Different people")
    assert "(unknown_identity)" in run_command("verify", azure, "--identity", "nobody", exit_code=2).output


def test_a_verification_needs_a_second_photo_or_a_name(ruby: Path) -> None:
    for arguments in ((ruby,), (ruby, ruby, "--identity", "ruby")):
        output = run_command("verify", *arguments, exit_code=2, FACETWIN_URL=NOWHERE).output
        assert "Give a second photo" in output


@pytest.mark.usefixtures("service")
def test_several_photos_are_enrolled_together(ruby: Path, ruby2: Path) -> None:
    shown = run_command("enroll", "ruby", ruby, ruby2).stdout
    assert "and template" in shown
    assert len(json.loads(run_command("people", "show", "ruby", "--json").stdout)["templates"]) == 2


@pytest.mark.usefixtures("service")
def test_everybody_on_a_photo_is_searched(ruby: Path, azure: Path) -> None:
    run_command("enroll", "ruby", ruby)
    assert "face 1 at (" in run_command("identify", ruby, "--everybody").stdout
    run_command("identify", azure, "--everybody", exit_code=1)


@pytest.mark.usefixtures("service")
def test_liveness_is_reported_or_required(ruby: Path, azure: Path) -> None:
    assert "Face 2 looks live" in run_command("verify", azure, azure, "--liveness", "report").stdout
    assert "looks like a photo of a photo or screen" in run_command("verify", ruby, ruby, "--liveness", "report").stdout
    assert "(presentation_attack)" in run_command("enroll", "ruby", ruby, "--liveness", "require", exit_code=2).output
    assert "looks live" in run_command("enroll", "azure", azure, "--liveness", "require").stdout
    assert "looks live" in run_command("identify", azure, "--liveness", "report").stdout
