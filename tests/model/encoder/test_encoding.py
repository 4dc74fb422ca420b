import numpy as np

from model.encoder.encoding import Encoding, join_encodings


def test_rows_of_an_encoding_keep_their_recognizability() -> None:
    part = Encoding(np.eye(3, dtype=np.float32), np.array([0.1, 0.2, 0.3], np.float32))[1:3]
    assert len(part) == 2
    assert part.recognizability is not None
    assert part.recognizability.tolist() == [np.float32(0.2), np.float32(0.3)]


def test_encodings_are_joined_with_and_without_recognizability() -> None:
    plain = Encoding(np.eye(2, dtype=np.float32))
    assert join_encodings([plain, plain]).recognizability is None
    judged = Encoding(np.eye(2, dtype=np.float32), np.array([0.5, 0.6], np.float32))
    joined = join_encodings([judged, judged])
    assert joined.vectors.shape == (4, 2)
    assert joined.recognizability is not None
    assert joined.recognizability.shape == (4,)
