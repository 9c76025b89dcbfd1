"""What a trace costs, against hand counts."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.core.errors import VBenchError
from vbench.core.roles import Work
from vbench.core.trace import Kind
from vbench.cost.unit_costs import Price, UnitCosts, compose, unit_costs


class Base:
    def start(self, frame, box): ...

    def track(self, frame): ...

    def work(self):
        return {
            "start": [Work("exemplar", macs=7.0)],
            "track": [Work("search", macs=100.0, times=3)],
            "update_iterations": [Work("sgd", macs=11.0)],
        }


class Carrier:
    def anchor(self, frame, boxes): ...

    def propagate(self, frame): ...

    def work(self):
        return {
            "anchor": [Work("template", macs=2.0, per_object=True)],
            "propagate": [
                Work("frame", macs=1.0),
                Work("patch", macs=5.0, per_object=True, uncounted=("peak search",)),
            ],
        }


class Finder:
    def detect(self, frame): ...

    def work(self):
        return {"detect": [Work("net", macs=50.0)]}


class Warper:
    def start(self, size): ...

    def key(self, frame): ...

    def inter(self, frame): ...

    def work(self):
        return {"key": [Work("net", macs=50.0)], "inter": [Work("flow", macs=9.0)]}


def test_scales_objects_and_fallbacks_cost_what_a_hand_counts():
    costs = unit_costs(Base(), Carrier())
    kinds = [Kind.START, Kind.INTER, Kind.FALLBACK, Kind.KEY, Kind.INTER]
    macs = costs.total(
        kinds, np.ones(5), {"update_iterations": [30, np.nan, 2, 0, 0]}, carried=[0, 1, 1, 0, 1]
    )
    track, propagate = 300 + 2, 1 + 5
    assert macs.tolist() == [
        7 + 2 + 30 * 11,
        propagate,
        propagate + track + 2 * 11,
        track,
        propagate,
    ]
    assert costs.uncounted == ("peak search",)


def test_every_carried_object_is_charged():
    costs = unit_costs(Finder(), Carrier())
    kinds = [Kind.START, Kind.INTER, Kind.INTER, Kind.KEY]
    macs = costs.total(kinds, objects=[4, 4, 3, 0], carried=[0, 4, 3, 0])
    assert macs.tolist() == [50 + 4 * 2, 1 + 4 * 5, 1 + 3 * 5, 50]


def test_a_video_detector_brings_its_own_cheap_half():
    costs = unit_costs(Warper())
    assert costs.total([0, 2, 1], [1, 1, 1]).tolist() == [50, 9, 50]


def test_a_model_that_does_not_say_makes_its_steps_unknown_and_no_others():
    class Silent:
        def start(self, frame, box): ...

        def track(self, frame): ...

    costs = unit_costs(Silent(), Carrier())
    macs = costs.total([Kind.START, Kind.INTER, Kind.FALLBACK], [1, 1, 1])
    assert np.isnan(macs).tolist() == [True, False, True]
    assert "silent.track" in costs.uncounted


def test_an_extra_without_a_column_makes_keyframes_unknown():
    macs = unit_costs(Base()).total([Kind.START, Kind.KEY, Kind.INTER, Kind.FALLBACK], np.ones(4))
    assert np.isnan(macs).tolist() == [False, True, False, True]


def test_compose_prices_given_work():
    costs = compose(start=[Work("a", macs=1.0)], key=None, inter=[])
    assert costs.start.per_call == 1
    assert math.isnan(costs.key.per_call)
    assert costs.inter == Price()


prices = st.builds(
    Price,
    st.one_of(st.just(float("nan")), st.floats(0, 1e15)),
    st.floats(0, 1e15),
    st.lists(st.text(), max_size=3).map(tuple),
    st.text(),
)


@given(st.builds(UnitCosts, prices, prices, prices, st.dictionaries(st.text(), prices, max_size=2)))
def test_json_brings_everything_back(costs):
    text = json.dumps(costs.to_json(), allow_nan=False)
    assert UnitCosts.from_json(text).to_json() == costs.to_json()


@pytest.mark.parametrize("text", ["{}", "[]", "no", '{"unit": "flop"}', "null"])
def test_json_of_something_else_is_named(text):
    with pytest.raises(VBenchError, match="unit costs cannot be read"):
        UnitCosts.from_json(text)
