"""Which file is whose: every toolkit's layout, zips, and names that lead astray."""

import zipfile

import pytest

from vbench.core.errors import VBenchError
from vbench.store.raw_layout import ClipNames, find_trackers, read_bytes

OTB = ["Basketball", "Human4-2", "Jogging-1", "Jogging-2", "Skating2-1", "FaceOcc1"]
UAV = ["bike1", "car1_1", "car1_s", "uav1_1"]


def found(path, clips):
    return {t.name: {c: f.shown for c, f in t.files.items()} for t in find_trackers(path, clips)}


def put(root, *names, text="1,2,3,4\n"):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("clips", "spelled", "clip"),
    [
        (OTB, "basketball", "Basketball"),
        (OTB, "Human4.2", "Human4-2"),
        (OTB, "human4-2", "Human4-2"),
        (OTB, "Human4", "Human4-2"),
        (OTB, "jogging_1", "Jogging-1"),
        (OTB, "Jogging", None),
        (OTB, "faceocc1", "FaceOcc1"),
        (OTB, "FaceOcc", None),
        (UAV, "uav_bike1", "bike1"),
        (UAV, "uav1_1", "uav1_1"),
        (UAV, "uav_uav1_1", "uav1_1"),
        (UAV, "uav_car1_s", "car1_s"),
        (UAV, "car1", None),
    ],
)
def test_spellings_of_names(clips, spelled, clip):
    assert ClipNames(clips).find(spelled) == clip


@pytest.mark.parametrize(
    ("files", "clips", "expected"),
    [
        (["KCF/Basketball.txt"], OTB, {"KCF": ["Basketball"]}),
        (["Basketball_KCF.mat", "jogging-1_KCF.mat", "Basketball_TLD.mat"], OTB,
         {"KCF": ["Basketball", "Jogging-1"], "TLD": ["Basketball"]}),
        (["KCF_GaussHog/Skating2.1_KCF_GaussHog.mat"], OTB, {"KCF_GaussHog": ["Skating2-1"]}),
        (["OPE/KCF/Basketball.json"], OTB, {"OPE/KCF": ["Basketball"]}),
        (["SiamFC/bike1/bike1_001.txt", "SiamFC/bike1/bike1_time.txt"], UAV, {"SiamFC": ["bike1"]}),
        (["atom/default_000/bike1.txt", "atom/default_001/bike1.txt"], UAV,
         {"atom/default_000": ["bike1"], "atom/default_001": ["bike1"]}),
        (["SiamFC/uav_bike1.txt", "SiamFC/uav_bike1_time.txt"], UAV, {"SiamFC": ["bike1"]}),
        (["SiamFC_tracking_result/bike1.txt"], UAV, {"SiamFC": ["bike1"]}),
        (["X/Basketball.txt", "perfMat/overall/all.mat"], OTB, {"X": ["Basketball"]}),
        (["car1_s_AutoTrack.mat"], UAV, {"AutoTrack": ["car1_s"]}),
    ],
)  # fmt: skip
def test_layouts(tmp_path, files, clips, expected):
    put(tmp_path, *files)
    assert {name: sorted(kept) for name, kept in found(tmp_path, clips).items()} == expected


def test_a_folder_of_one_tracker_gives_it_its_name(tmp_path):
    put(tmp_path / "MyTracker", "Basketball.txt")
    assert list(found(tmp_path / "MyTracker", OTB)) == ["MyTracker"]
    assert list(found(tmp_path / "MyTracker/Basketball.txt", OTB)) == ["Basketball.txt"]


def test_times_repetitions_and_strangers_are_kept_apart(tmp_path):
    names = ["bike1_001.txt", "bike1_002.txt", "times/bike1_time.txt", "stranger.txt", "README.txt"]
    put(tmp_path / "T", *names, "car1_1_old.txt")
    (tracker,) = find_trackers(tmp_path, UAV)
    assert tracker.files["bike1"].name == "bike1_001.txt"
    assert tracker.times["bike1"].name == "bike1_time.txt"
    assert [file.name for file in tracker.repeated["bike1"]] == ["bike1_002.txt"]
    assert tracker.notes == []
    assert sorted(file.name for file in tracker.unknown) == ["car1_1_old.txt", "stranger.txt"]


def test_nothing_for_the_suite_says_what_is_wanted(tmp_path):
    put(tmp_path, "T/foo.txt")
    with pytest.raises(VBenchError, match=r"no file is named for a clip .* Basketball, Human4-2"):
        find_trackers(tmp_path, OTB)
    with pytest.raises(VBenchError, match="does not exist"):
        find_trackers(tmp_path / "nowhere", OTB)


def test_zip_is_read_without_unpacking(tmp_path):
    with zipfile.ZipFile(tmp_path / "SiamFC.zip", "w") as packed:
        packed.writestr("bike1/bike1_001.txt", "1,2,3,4\n")
        packed.writestr("bike1/bike1_time.txt", "0.1\n")
    (tracker,) = find_trackers(tmp_path / "SiamFC.zip", UAV)
    assert tracker.name == "SiamFC"
    assert read_bytes(tracker.files["bike1"]) == b"1,2,3,4\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SiamFC.zip"]


@pytest.mark.parametrize(
    "evil", ["../bike1.txt", "/bike1.txt", "a/../../bike1.txt", "..\\bike1.txt", "C:/bike1.txt"]
)
def test_zip_members_that_lead_out_are_named_and_not_read(tmp_path, evil):
    with zipfile.ZipFile(tmp_path / "T.zip", "w") as packed:
        packed.writestr(evil, "9,9,9,9\n")
        packed.writestr("T/car1_1.txt", "1,2,3,4\n")
    (tracker,) = find_trackers(tmp_path / "T.zip", UAV)
    assert list(tracker.files) == ["car1_1"]
    assert any("leads out of the zip" in note for note in tracker.notes)


def test_zip_that_is_none_or_far_too_large(tmp_path, monkeypatch):
    (tmp_path / "T.zip").write_bytes(b"PK not a zip")
    with pytest.raises(VBenchError, match="not a zip file"):
        find_trackers(tmp_path / "T.zip", UAV)
    monkeypatch.setattr("vbench.store.raw_layout.MOST_UNPACKED", 100)
    with zipfile.ZipFile(tmp_path / "U.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bike1.txt", "0" * 1000)
    with pytest.raises(VBenchError, match="far too much"):
        find_trackers(tmp_path / "U.zip", UAV)


def test_file_that_is_too_large_is_a_reason(tmp_path, monkeypatch):
    put(tmp_path, "T/bike1.txt")
    (tracker,) = find_trackers(tmp_path, UAV)
    monkeypatch.setattr("vbench.store.raw_layout.MOST_BYTES", 3)
    with pytest.raises(ValueError, match="no result of one clip"):
        read_bytes(tracker.files["bike1"])


def test_folders_without_any_known_name_are_left_out_and_named(tmp_path):
    put(tmp_path, "A/bike1.txt", "B/bkie1.txt", "B/bkie2.txt")
    (tracker,) = find_trackers(tmp_path, UAV)
    assert tracker.name == "A"
    assert tracker.notes == ["B: none of its 2 files is named for a clip, left out"]
