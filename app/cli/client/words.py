"""Answers of the service, printed as JSON or in words."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from app.cli.output import print_json, print_lines

if TYPE_CHECKING:
    from facetwin_client import (
        DeletionReceipt,
        EditedIdentity,
        Enrollment,
        Face,
        Identification,
        Notice,
        Record,
        Verification,
    )

R = TypeVar("R", bound="Record")


def print_answer(answer: R, as_json: bool, describe: Callable[[R], Iterable[str]]) -> None:
    """Prints an answer as JSON, or as `describe` says it."""
    if as_json:
        from facetwin_client import as_json as to_json

        print_json(to_json(answer))
    else:
        print_lines(describe(answer))


def describe_verification(answer: "Verification") -> Iterator[str]:
    yield (
        f"{'The same person' if answer.verified else 'Different people'}: similarity {answer.similarity:.3f}, "
        f"threshold {answer.threshold:.3f}, probability of the same person {_rounded(answer.probability)}."
    )
    rates = answer.operating_point
    yield (
        f"At this threshold, {_one_in(rates.fmr)} pairs of different people is taken for one person, and "
        f"{rates.fnmr:.1%} of the pairs of one person are missed."
    )
    yield from _liveness(answer.faces)
    yield from _warnings(answer.warnings)


def describe_enrollment(answer: "Enrollment") -> Iterator[str]:
    yield (
        f"{answer.identity} is enrolled in the gallery {answer.gallery}: template {answer.template_id}, "
        f"quality {answer.face.quality.score:.2f}."
    )
    for each in answer.templates[1:]:
        yield f"  and template {each.template_id}, quality {each.face.quality.score:.2f}."
    yield from _liveness([each.face for each in answer.templates] or [answer.face])
    yield from _warnings(answer.warnings)


def describe_identification(answer: "Identification") -> Iterator[str]:
    above = [each.identity for each in answer.candidates if each.above_threshold]
    match answer.decision:
        case "match":
            yield f"{answer.identity}"
        case "ambiguous":
            yield f"Ambiguous: {' or '.join(above)}."
        case "unknown":
            yield "Unknown: nobody passes the threshold."
        case decision:
            yield f"{decision}"
    yield (
        f"{answer.gallery_size:,} templates searched in the gallery {answer.gallery}; threshold "
        f"{answer.threshold:.3f}. A stranger is taken for somebody in {answer.expected_fpir:.1%} of such searches"
        + ("." if answer.target_met else ", more than asked for: the gallery is too large for the target.")
    )
    for each in answer.candidates:
        yield f"  {each.similarity:.3f}  {each.identity}{'' if each.above_threshold else '  (below the threshold)'}"
    for number, found in enumerate(answer.faces, start=1):
        left, top, right, bottom = (round(edge) for edge in found.face.box)
        name = found.identity if found.decision == "match" else found.decision
        yield f"  face {number} at ({left}, {top}) to ({right}, {bottom}): {name}"
    searched = [each.face for each in answer.faces] or ([answer.face] if answer.face else [])
    yield from _liveness(searched)
    yield from _warnings(answer.warnings)


def describe_edit(answer: "EditedIdentity") -> Iterator[str]:
    yield f"{answer.identity}: {_count(len(answer.templates), 'template')} in the gallery {answer.gallery}."
    yield answer.erasure.detail


def describe_deletion(answer: "DeletionReceipt") -> Iterator[str]:
    people = ", ".join(answer.identities)
    counted = _count(len(answer.template_ids), "template")
    yield f"Deleted from the gallery {answer.gallery}: {counted}{f'; nothing is left of {people}' if people else ''}."
    yield answer.erasure.detail


def _liveness(faces: "Iterable[Face]") -> Iterator[str]:
    for number, face in enumerate(faces, start=1):
        if face.liveness:
            meaning = "looks live" if face.liveness.decision == "live" else "looks like a photo of a photo or screen"
            yield f"Face {number} {meaning}: score {face.liveness.score:.2f}, threshold {face.liveness.threshold:.2f}."


def _warnings(warnings: "Iterable[Notice]") -> Iterator[str]:
    for each in warnings:
        yield f"Warning: {each.message} ({each.code})"


def _one_in(rate: float) -> str:
    return f"one in {round(1 / rate):,}" if rate > 0 else "none of the measured"


def _rounded(probability: float) -> str:
    """Never 0 or 1, which nobody has measured."""
    return f"{min(max(probability, 0.0001), 0.9999):.4f}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
