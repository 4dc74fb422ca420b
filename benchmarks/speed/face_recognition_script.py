"""Measures pairs verified per second by `face_recognition` (dlib), with one process per core.

`make bench` runs it in the environment .venv-peers: `python face_recognition_script.py SECONDS PROCESSES PHOTO...`.
It prints JSON and imports nothing of facetwin, which that environment does not have.
"""

import json
import multiprocessing
import sys
import time
import warnings


def verify_pairs(job: tuple[int, float, list[str]]) -> tuple[int, int]:
    """Verifies pairs for a time, from the pair with a given number on.

    `job`: the number of the first pair, seconds, paths of photos. Returns the number of pairs, and of photos without
    a face.
    """
    first, seconds, photos = job
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import face_recognition

    def encode(photo: str) -> list[object]:
        return list(face_recognition.face_encodings(face_recognition.load_image_file(photo)))

    encode(photos[0])  # warms up
    pairs = photos_without_face = 0
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        index = 2 * (first + pairs)
        faces = [encode(photos[(index + offset) % len(photos)]) for offset in (0, 1)]
        if all(faces):
            face_recognition.compare_faces([faces[0][0]], faces[1][0])
        photos_without_face += sum(not found for found in faces)
        pairs += 1
    return pairs, photos_without_face


def main() -> None:
    seconds, processes, photos = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    jobs = [(number * len(photos) // processes, seconds, photos) for number in range(processes)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        results = pool.map(verify_pairs, jobs)
    pairs, without_face = (sum(each) for each in zip(*results, strict=True))
    print(json.dumps({"pairs_a_second": pairs / seconds, "pairs": pairs, "photos_without_face": without_face}))


if __name__ == "__main__":
    main()
