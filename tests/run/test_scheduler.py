import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_policy import BOX, moment
from vbench import catalogue
from vbench.core.dort import Dort, Scheduler, features, read_scheduler
from vbench.core.errors import VBenchError
from vbench.core.policy import parse_policy
from vbench.run.compose import compose, plan
from vbench.run.scheduler import Samples, as_json, fitted, samples


def test_features_are_what_they_say() -> None:
    moved = np.array([[10.0 + 4, 10, 16, 16]])  # centre from (14, 14) to (22, 18), size doubled
    found = features(moment(gap=3, belief=[0.7], boxes=moved), k=6)
    assert found == pytest.approx(np.array([[0.7, 1.0, np.log(2), 0.5]]))


@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_without_a_file_the_belief_decides(c, belief) -> None:
    boxes = np.tile(BOX, (len(belief), 1))
    believed = parse_policy(f"dort:{c}:5").believes(moment(belief=belief, boxes=boxes))
    assert believed == (min(belief) >= c)


def test_a_fit_finds_the_rule_behind_the_labels() -> None:
    rng = np.random.default_rng(0)
    rows = rng.random((4000, 4))
    p = Scheduler((6.0, -4.0, -2.0, -1.0), 0.5).probabilities(rows)
    scheduler = fitted(Samples(rows, rng.random(4000) < p))
    # Within three standard errors of a logistic fit of this size, a little shrunk by the ridge.
    assert scheduler.weights == pytest.approx((6.0, -4.0, -2.0, -1.0), abs=0.9)


def test_a_scheduler_comes_back_and_decides(tmp_path) -> None:
    suite = catalogue.open_suite("synth-sot:train", None, None).only(limit=2)
    composed = compose(plan("kcf+dummy@fixed:8"), lambda part, name: None)
    given_ = samples(composed, suite, 8)
    assert 0.05 < given_.right.mean() < 0.95
    made = fitted(given_)
    path = tmp_path / "dort.json"
    path.write_text(as_json(made, composed.name, suite, 8, given_))
    assert read_scheduler(str(path)) == made
    # A still box is right less often the longer it stands.
    assert made.weights[3] < 0
    policy = parse_policy(f"dort:0.5:8:{path}")
    assert policy == Dort(0.5, 8, str(path))
    assert str(policy) == f"dort:0.5:8:{path}"
    young, old = (features(moment(gap=g), 8) for g in (1, 7))
    assert made.probabilities(young) > made.probabilities(old)


@pytest.mark.parametrize("text", ["", "{}", '{"schema": 1}', json.dumps({"schema": 2})])
def test_what_is_no_scheduler_is_named(tmp_path, text) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(VBenchError, match=r"broken.json"):
        parse_policy(f"dort:0.5:8:{path}").believes(moment())
    with pytest.raises(VBenchError, match="vbench train dort"):
        parse_policy("dort:0.5:8:nowhere.json").believes(moment())
