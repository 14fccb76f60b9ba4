"""IDX files: what is written is read; what is damaged is refused, by name and with a reason."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from penstock.kinds.images.idx import find_idx, read_idx, write_idx
from penstock.messages.errors import PenstockError

WHOLE = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


def plain(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


@given(array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=3, max_side=6)))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path, array):
    file = tmp_path / "a.gz"
    write_idx(file, array)
    assert (read_idx(file, array.ndim) == array).all()
    file.write_bytes(plain(array))
    assert (read_idx(file, array.ndim) == array).all()


def test_writing_gives_the_same_bytes_each_time(tmp_path):
    for name in ("a", "b"):
        write_idx(tmp_path / name, WHOLE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing"),
        (b"<html>not found</html>", "magic number"),
        (gzip.compress(b"<html>not found</html>", mtime=0), "magic number"),
        (gzip.compress(plain(WHOLE), mtime=0)[:-15], "damaged gzip"),
        (b"\x1f\x8bgarbage", "damaged gzip"),
        (plain(WHOLE)[:-1], "holds only 59 values; expected 60"),
        (gzip.compress(plain(WHOLE)[:-1], mtime=0), "holds only 59 values; expected 60"),
        (gzip.compress(plain(WHOLE) + b"x", mtime=0), "holds more than 60 values"),
        (plain(WHOLE)[:7], "ends inside its header"),
        (b"\0\0\x0d" + plain(WHOLE)[3:], "magic number"),
        (plain(WHOLE[0]), "magic number"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**31, 2**31, 28), "header promises"),
        (
            gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", 10**9, 28, 28), mtime=0),
            "header promises",
        ),
    ],
)
def test_a_damaged_file_is_named_with_the_reason(tmp_path, content, message):
    file = tmp_path / "images"
    file.write_bytes(content)
    with pytest.raises(PenstockError, match=message) as error:
        read_idx(file, 3)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


@given(data=st.data())
@settings(
    max_examples=2000, deadline=1000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_mutated_files_are_read_whole_or_refused(tmp_path, data):
    """Bytes changed, cut off, put in or doubled, in the zipped file or in what is zipped."""
    zipped = data.draw(st.booleans())
    content = bytearray(gzip.compress(plain(WHOLE), mtime=0) if zipped else plain(WHOLE))
    changeable = len(content) if zipped else 4 + 4 * WHOLE.ndim  # plain values have no checksum
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, changeable - 1))] = data.draw(st.integers(0, 255))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    match data.draw(st.sampled_from(["keep", "cut", "insert", "double"])):
        case "cut":
            content = content[:end]
        case "insert":
            content[start:start] = data.draw(st.binary(max_size=20))
        case "double":
            content[start:start] = content[start:end]
    again = data.draw(st.booleans())
    file = tmp_path / "mutated"
    file.write_bytes(gzip.compress(content, mtime=0) if again else content)
    tracemalloc.start()
    try:
        array = read_idx(file, 3)
    except PenstockError:
        return
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 40 * 2**20, "no more than a piece is allocated for what is not there"
    if zipped:  # it has a checksum
        assert array.shape == WHOLE.shape
        assert (array == WHOLE).all(), "a damaged file was taken for good"
    else:  # nobody can know that another shape was meant, if header and length agree
        assert array.tobytes() == bytes(content[4 + 4 * array.ndim :])


def test_files_are_found_under_their_usual_names(tmp_path):
    for name in ("train-images-idx3-ubyte", "t10k-images.idx3-ubyte.gz"):
        (tmp_path / name).touch()
    assert find_idx(tmp_path, "train-images-idx3-ubyte").name == "train-images-idx3-ubyte"
    assert find_idx(tmp_path, "t10k-images-idx3-ubyte").name == "t10k-images.idx3-ubyte.gz"
    with pytest.raises(PenstockError, match="not found"):
        find_idx(tmp_path, "train-labels-idx1-ubyte")
    with pytest.raises(PenstockError, match="a file; expected a folder"):
        find_idx(tmp_path / "train-images-idx3-ubyte", "train-images-idx3-ubyte")
