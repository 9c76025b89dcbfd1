import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.run.scripted import clip
from vbench.core.clip import Clip, Objects
from vbench.core.errors import VBenchError
from vbench.core.trace import Kind, Trace
from vbench.store.files import locked, set_aside, write_atomically
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder
from vbench.store.traces import (
    COLUMNS,
    Corrupt,
    load_trace,
    load_truth,
    save_trace,
    save_truth,
)

any_float = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def traces(draw) -> Trace:
    n = draw(st.integers(1, 12))
    objects = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 4)))
    m = int(objects.sum())
    floats = lambda shape: draw(hnp.arrays(np.float64, shape, elements=any_float))  # noqa: E731
    return Trace(
        kind=draw(hnp.arrays(np.int8, n, elements=st.integers(0, 3))),
        objects=objects,
        carried=objects,
        belief=floats(n),
        seconds=floats(n),
        cheap_seconds=floats(n),
        decode_seconds=floats(n),
        boxes=floats((m, 4)),
        scores=floats(m),
        labels=draw(hnp.arrays(np.int64, m, elements=st.integers(-1, 30))),
        extras={"loss": floats(n)} if draw(st.booleans()) else {},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("traces")


@given(trace=traces())
def test_a_trace_comes_back_bit_for_bit(folder, trace) -> None:
    path = folder / "clip.npz"
    save_trace(path, trace, {"clip": "abc"})
    back, about = load_trace(path)
    assert about["clip"] == "abc"
    for name in COLUMNS:
        assert getattr(back, name).tobytes() == getattr(trace, name).tobytes()
    assert {k: v.tobytes() for k, v in back.extras.items()} == {
        k: v.tobytes() for k, v in trace.extras.items()
    }


def test_the_interval_is_the_mean_distance_of_keyframes() -> None:
    kinds = [Kind.START, Kind.INTER, Kind.KEY, Kind.INTER, Kind.FALLBACK, Kind.INTER, Kind.INTER]
    n = len(kinds)
    zeros = np.zeros(n)
    one = np.ones(n, np.int64)
    trace = Trace(
        np.array(kinds, np.int8), one, one, zeros, zeros, zeros, zeros, np.zeros((n, 4)), zeros, one
    )
    assert trace.interval == 6 / 2
    assert trace.key_frames.tolist() == [0, 2, 4]


def _saved(path):
    n = 3
    zeros, one = np.zeros(n), np.ones(n, np.int64)
    kind = np.zeros(n, np.int8)
    trace = Trace(kind, one, one, zeros, zeros, zeros, zeros, np.zeros((n, 4)), zeros, one)
    save_trace(path, trace, {})
    return trace


def test_damage_is_named_and_never_read(tmp_path) -> None:
    path = tmp_path / "a.npz"
    _saved(path)
    whole = path.read_bytes()
    for broken in (b"", b"nonsense", whole[: len(whole) // 2]):
        path.write_bytes(broken)
        with pytest.raises(Corrupt, match="a.npz"):
            load_trace(path)


def test_a_pickle_inside_is_refused(tmp_path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, about=np.array([{"kind": "trace"}], dtype=object))
    with pytest.raises(Corrupt):
        load_trace(path)


def test_another_schema_is_refused(tmp_path) -> None:
    path = tmp_path / "a.npz"
    trace = _saved(path)
    columns = {name: getattr(trace, name) for name in COLUMNS}
    about = np.frombuffer(json.dumps({"kind": "trace", "schema": 99}).encode(), np.uint8)
    np.savez(path, **columns, about=about)
    with pytest.raises(Corrupt, match="schema 99"):
        load_trace(path)


def test_columns_that_do_not_fit_are_refused(tmp_path) -> None:
    path = tmp_path / "a.npz"
    trace = _saved(path)
    columns = {name: getattr(trace, name) for name in COLUMNS} | {"boxes": np.zeros((2, 4))}
    about = np.frombuffer(json.dumps({"kind": "trace", "schema": 1}).encode(), np.uint8)
    np.savez(path, **columns, about=about)
    with pytest.raises(Corrupt, match="do not fit"):
        load_trace(path)


def test_a_bomb_is_refused(tmp_path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed, packed.open("x.npy", "w") as f:
        for _ in range(1100):
            f.write(bytes(1 << 20))
    with pytest.raises(Corrupt, match="1 GiB"):
        load_trace(path)


def test_ground_truth_comes_back(tmp_path) -> None:
    objects = Objects(
        np.array([0, 0, 2]), np.arange(12.0).reshape(3, 4), np.array([1, 2, 1]),
        np.array([7, 8, 7]), np.array([False, True, False]), np.array([0.5, 0.6, 0.7]),
    )  # fmt: skip
    given = Clip(
        "a b/c", clip(3).frames, objects=objects, fps=25.0, tags=("OCC",), known_size=(9, 8)
    )
    path = tmp_path / "t.npz"
    save_truth(path, given)
    back = load_truth(path)
    assert (back.name, back.frames, back.fps, back.tags, back.size) == (
        "a b/c",
        3,
        25.0,
        ("OCC",),
        (9, 8),
    )
    assert back.digest == given.digest()
    assert back.objects is not None
    assert back.objects.boxes.tobytes() == objects.boxes.tobytes()
    assert back.objects.ignore.tolist() == [False, True, False]
    assert back.objects.motion is not None
    assert back.objects.motion.tolist() == [0.5, 0.6, 0.7]


def test_the_manifest_comes_back(tmp_path) -> None:
    run = RunFolder(tmp_path / "run")
    manifest = Manifest("synth-sot", "sot", "d", 24, clips={"a": "x"})
    manifest.methods["kcf"] = MethodRecord("kcf", "k" * 64, problems={"a": "why"})
    run.write(manifest)
    assert run.read() == manifest


def test_a_damaged_manifest_is_set_aside(tmp_path) -> None:
    run = RunFolder(tmp_path)
    run.manifest_path.write_text("{")
    manifest, notice = run.read_or_set_aside()
    assert manifest is None
    assert "manifest.json.corrupt" in notice
    assert (tmp_path / "manifest.json.corrupt").read_text() == "{"


def test_a_second_holder_of_the_lock_is_refused(tmp_path) -> None:
    with locked(tmp_path), pytest.raises(VBenchError, match="another run"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_an_unwritable_folder_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(VBenchError, match="cannot write"):
        write_atomically(tmp_path / "file" / "a.json", b"")
    with pytest.raises(VBenchError, match="cannot write"), locked(tmp_path / "file" / "run"):
        pass


def test_set_aside_keeps_the_content(tmp_path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"x")
    assert set_aside(path).read_bytes() == b"x"
    assert not path.exists()
