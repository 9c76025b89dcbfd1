"""Projecting stored runs onto a device of published or measured component times."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.core.errors import UnknownName, VBenchError
from vbench.core.trace import Kind, Trace
from vbench.cost.device_profile import (
    Component,
    DeviceProfile,
    open_profile,
    profile_from,
    read_profile,
    shipped_profiles,
)
from vbench.cost.projection import check_printed, frame_ms, project


def trace(kinds, carried, objects=None):
    n = len(kinds)
    return Trace(
        kind=np.array(kinds, np.int8),
        objects=np.array(objects or [1] * n, np.int64),
        carried=np.array(carried, np.int64),
        belief=np.ones(n),
        seconds=np.zeros(n),
        cheap_seconds=np.zeros(n),
        decode_seconds=np.zeros(n),
        boxes=np.zeros((n, 4)),
        scores=np.ones(n),
        labels=np.zeros(n, np.int64),
    )


def test_table_6_comes_out_and_its_misprint_is_named():
    rows = {checked.row.what: checked for checked in check_printed(open_profile("jetson-nano"))}
    assert {name: round(c.projected_ms) for name, c in rows.items()} == {
        "R-FCN ResNet-101": 254,
        "EfficientDet-D0": 55,
        "SiamFC": 41,
        "SiamRPN-2x": 65,
    }
    assert [name for name, checked in rows.items() if not checked.agrees] == ["SiamFC"]
    assert rows["SiamFC"].verdict == "misprint: 52 ms would be 2.2x; 41 ms is the printed 2.8x"
    assert "by construction" in rows["R-FCN ResNet-101"].verdict
    for checked in rows.values():
        assert checked.speed_up == pytest.approx(checked.row.speed_up, rel=0.02)


def test_shipped_profiles_are_cited():
    for profile in shipped_profiles().values():
        assert profile.source == "published"
        assert "Table 6" in profile.citation
        assert all(component.note for component in profile.components)


def test_calls_that_happened_are_charged_and_a_fallback_pays_twice():
    nano = open_profile("jetson-nano")
    kinds = [Kind.START, Kind.INTER, Kind.FALLBACK, Kind.KEY, Kind.INTER]
    found = frame_ms(nano, "siamfc", "patchnet", trace(kinds, [0, 1, 1, 0, 1]))
    assert found.tolist() == [114, 9.3, 114 + 9.3, 114, 9.3]
    whole = project(nano, "siamfc[scales=1]", "patchnet", [trace(kinds, [0, 1, 1, 0, 1])])
    assert whole.ms_executed == pytest.approx((2 * 114 + 3 * 9.3) / 4)
    assert whole.interval == 2
    assert whole.ms_formula == pytest.approx(114 / 2 + 9.3)
    assert whole.columns()["projected_fps"] == pytest.approx(1000 / whole.ms_executed)


def test_objects_are_charged_between_and_beyond_those_timed():
    patch = open_profile("jetson-nano").component("patchnet", "propagate")
    assert [patch.ms(n) for n in (0, 1, 7)] == [0, 9.3, 35.2]
    assert patch.ms(4) == pytest.approx((9.3 + 35.2) / 2)
    assert patch.ms(13) == pytest.approx(2 * 35.2 - 9.3)
    assert Component("p", "propagate", {2: 10.0}).ms(3) == 15
    assert Component("d", "detect", {1: 10.0}).ms(30) == 10


def test_a_method_without_a_cheap_half_is_its_base():
    nano = open_profile("jetson-nano")
    found = project(nano, "siamrpn", None, [trace([Kind.START, Kind.KEY, Kind.KEY], [0, 0, 0])])
    assert (found.ms_executed, found.ms_formula, found.interval) == (232, 232, 1)


def test_anchoring_is_charged_where_it_was_timed():
    profile = DeviceProfile(
        "d",
        "measured",
        {},
        (
            Component("det", "detect", {1: 100.0}),
            Component("prop", "anchor", {1: 2.0, 3: 4.0}),
            Component("prop", "propagate", {1: 5.0, 3: 7.0}),
        ),
    )
    found = frame_ms(profile, "det", "prop", trace([1, 2, 1], [0, 3, 0], [3, 3, 1]))
    assert found.tolist() == [104, 7, 102]


def test_a_part_that_was_not_timed_is_named_with_what_was():
    with pytest.raises(UnknownName, match=r"no component on jetson-nano called 'kcf\.track'"):
        project(open_profile("jetson-nano"), "kcf", None, [trace([0, 1], [0, 0])])
    with pytest.raises(UnknownName, match="did you mean 'jetson-nano'"):
        open_profile("jetson-nan")


@given(
    st.lists(
        st.builds(
            Component,
            st.sampled_from(["a", "b[x=1]"]),
            st.sampled_from(["track", "propagate"]),
            st.dictionaries(st.integers(1, 9), st.floats(0, 1e6), min_size=1),
            st.none() | st.floats(0, 1e6),
            st.none() | st.integers(1, 99),
        ),
        min_size=1,
    )
)
def test_a_profile_survives_json(components):
    profile = DeviceProfile("dev", "measured", {"cpu": {"cores": 2}}, tuple(components))
    text = json.dumps(profile.to_json(), allow_nan=False)
    assert profile_from(json.loads(text), "it") == profile


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "has schema None, not 1"),
        ('{"schema": 7}', "has schema 7, not 1; make it again"),
        ('{"schema": 1}', "is damaged: 'source'"),
        (
            '{"schema": 1, "source": "measured", "name": "d", "device": {}, "components": '
            '[{"model": "a", "call": "track", "ms_by_objects": {"1": -3}}]}',
            r"a\.track: times must be numbers",
        ),
        ('{"schema": 1, "source": "guess", "components": []}', "source 'guess'"),
    ],
)
def test_a_wrong_profile_is_one_line(tmp_path, text, said):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(VBenchError, match=said) as raised:
        read_profile(tmp_path / "p.json")
    assert "\n" not in str(raised.value)


def test_a_missing_profile_is_one_line(tmp_path):
    with pytest.raises(VBenchError, match="No such file"):
        read_profile(tmp_path / "none.json")
