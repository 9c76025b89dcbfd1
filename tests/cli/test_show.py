from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.commands import vbench
from vbench.store.run_folder import RunFolder


@pytest.fixture(autouse=True)
def run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vbench(capsys, "run", "--methods", "hold,hold+dummy@fixed:3", "--clips", "calm", "--quiet")


def test_a_contact_sheet_has_the_frames_asked_for(capsys, tmp_path) -> None:
    ran = vbench(capsys, "show", "calm", "--tiles", 6, "--out", "sheet.png", "--json")
    assert ran.json["written"] == "sheet.png"
    image = cv2.imread("sheet.png")
    assert image is not None
    # Below each frame: its number, and a line for each of two methods.
    assert image.shape[:2] == (2 * (240 + 50), 4 * 320)
    caption = image[240:290, :320]
    assert (caption.reshape(-1, 3).max(axis=1) < 30).mean() > 0.7 and caption.max() > 200


def test_boxes_are_drawn_where_they_were_answered(capsys) -> None:
    vbench(capsys, "show", "calm", "--tiles", 1, "--methods", "hold", "--out", "one.png")
    box = RunFolder(Path("results/synth-sot")).truth("calm").truth[0]
    sheet = cv2.imread("one.png")
    assert sheet is not None
    image = sheet[:240, :320, ::-1].astype(int)
    # The truth's white lies along the middle of the method's blue at the first box's left edge.
    y, x = round(box[1] + box[3] / 2), round(box[0])
    edge = image[y, x - 2 : x + 3]
    assert np.abs(edge - [0, 0x72, 0xB2]).sum(axis=1).min() < 120
    assert edge.min(axis=1).max() > 200


def test_a_video_has_every_frame(capsys) -> None:
    assert vbench(capsys, "show", "calm", "--video", "--out", "clip.mp4").code == 0
    video = cv2.VideoCapture("clip.mp4")
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 60


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["clam"], "did you mean 'calm'"),
        (["calm", "--methods", "hodl"], "did you mean 'hold'"),
        (["calm", "--tiles", "0"], "1 to 400"),
        (["calm", "--out", "sheet.gif"], "a contact sheet is a .png"),
        (["calm", "--video", "--out", "film.png"], "a video is a .mp4"),
    ],
)
def test_what_a_user_can_mend_is_one_line(capsys, arguments, says) -> None:
    assert says in vbench(capsys, "show", *arguments).one_line()


def test_of_many_methods_the_first_are_shown_and_said(capsys) -> None:
    policies = ",".join(f"hold+dummy@fixed:{k}" for k in range(2, 9))
    vbench(capsys, "run", "--methods", policies, "--clips", "calm", "--quiet", "--out", "many")
    ran = vbench(capsys, "show", "calm", "--run", "many", "--tiles", 1, "--out", "m.png")
    assert "the first 6 of 7 methods; choose others by --methods" in ran.err
    image = cv2.imread("m.png")
    assert image is not None and image.shape[0] == 240 + 15 * 7 + 5


def test_methods_without_a_result_on_the_clip_are_named(capsys) -> None:
    vbench(capsys, "run", "--methods", "hold", "--clips", "pan", "--quiet")
    ran = vbench(capsys, "show", "pan", "--out", "sheet.png")
    assert ran.code == 0
    assert "without a result on pan: hold+dummy@fixed:3" in ran.err
    line = vbench(capsys, "show", "pan", "--methods", "hold+dummy@fixed:3").one_line()
    assert "none of hold+dummy@fixed:3 has a result on pan" in line
