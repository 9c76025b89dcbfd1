import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.core.errors import BadMethod, UnknownName
from vbench.core.method import Method, Part, parse_method, split_methods
from vbench.core.policy import Adaptive, Decay, Every, Fixed, FixedMiddle, Online, Oracle

names = st.from_regex(r"[a-z][a-z0-9_./:-]{0,9}", fullmatch=True)
values = st.from_regex(r"[A-Za-z0-9_.:/-]{1,6}", fullmatch=True)
keys = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True)
parts = st.builds(
    Part, names, st.lists(st.tuples(keys, values), max_size=3, unique_by=lambda p: p[0]).map(tuple)
)
shares = st.floats(0, 1)
intervals = st.integers(1, 1000)
policies = st.one_of(
    st.none(),
    st.just(Every()),
    st.builds(Fixed, intervals),
    st.builds(FixedMiddle, intervals),
    st.builds(Online, shares, intervals),
    st.builds(Decay, intervals, shares),
    st.builds(Adaptive, st.sampled_from(["diff", "move", "drop"]), st.floats(0, 50), intervals),
    st.builds(Oracle, shares, st.none() | intervals),
)
methods = st.builds(Method, parts, st.lists(parts, max_size=2).map(tuple), policies)


@given(methods)
def test_parsing_undoes_writing(method: Method) -> None:
    assert parse_method(str(method)) == method


@given(st.lists(methods, min_size=1, max_size=4))
def test_a_list_splits_at_the_commas_outside_brackets(given: list[Method]) -> None:
    assert split_methods(", ".join(map(str, given))) == [str(m) for m in given]


def test_the_parts_of_a_full_method() -> None:
    method = parse_method("siamfc[scales=1]+patchnet[prior=keyframe]@online:0.8:5")
    assert method.base == Part("siamfc", (("scales", "1"),))
    assert method.parts == (Part("patchnet", (("prior", "keyframe"),)),)
    assert method.policy == Online(0.8, 5)


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("", 1, "a name is missing"),
        ("siamfc+", 8, "a name is missing"),
        ("siamfc[scales=1", 7, "never closed"),
        ("siamfc[scales]", 8, "parameter=value"),
        ("siamfc[a=1,a=2]", 12, "given twice"),
        ("siamfc]x", 7, "expected"),
        ("kcf@fixed:0", 5, "whole number"),
        ("kcf@fixed", 5, "fixed:k"),
        ("kcf@online:1.2:5", 5, "[0, 1]"),
        ("kcf@online:0.8", 5, "online:c:k"),
        ("kcf@adaptive:blink:1:5", 5, "diff, move, drop"),
    ],
)
def test_errors_point_at_the_offending_part(text: str, column: int, says: str) -> None:
    with pytest.raises(BadMethod) as caught:
        parse_method(text)
    assert says in str(caught.value)
    assert f"character {column})" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_policy_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="did you mean 'fixed'"):
        parse_method("kcf@fixd:5")
