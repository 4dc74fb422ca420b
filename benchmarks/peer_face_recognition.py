"""`face_recognition` (dlib) on the same photos: pairs verified a second, one process for each core.

Run by the environment that `make bench` makes for it: `python peer_face_recognition.py SECONDS PROCESSES PHOTO...`.
"""

import json
import multiprocessing
import sys
import time
import warnings


def work(job: tuple[int, float, list[str]]) -> tuple[int, int]:
    """Pairs done, and photos in which no face was found."""
    first, seconds, photos = job
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import face_recognition

    def encode(photo: str) -> list[object]:
        return list(face_recognition.face_encodings(face_recognition.load_image_file(photo)))

    encode(photos[0])  # warms up
    done = lost = 0
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        at = 2 * (first + done)
        faces = [encode(photos[(at + place) % len(photos)]) for place in (0, 1)]
        if all(faces):
            face_recognition.compare_faces([faces[0][0]], faces[1][0])
        lost += sum(not found for found in faces)
        done += 1
    return done, lost


def main() -> None:
    seconds, processes, photos = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    jobs = [(number * len(photos) // processes, seconds, photos) for number in range(processes)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        found = pool.map(work, jobs)
    pairs, lost = (sum(each) for each in zip(*found, strict=True))
    print(json.dumps({"pairs_a_second": pairs / seconds, "pairs": pairs, "photos_without_face": lost}))


if __name__ == "__main__":
    main()
