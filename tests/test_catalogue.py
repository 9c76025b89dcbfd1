"""What a user writes for a parameter becomes a value of the type that the class says."""

import inspect
from typing import Literal

import pytest

from vbench.catalogue import convert
from vbench.core.errors import VBenchError


class Evaluated:
    """Without `from __future__ import annotations`: annotations are classes, not texts."""

    def __init__(
        self,
        speed: float = 1.0,
        steps: "int" = 1,
        bare=2.5,
        switch: bool = True,
        most: int | None = None,
        shape: Literal["box", "disc"] = "box",
    ):
        raise NotImplementedError


OFFERED = inspect.signature(Evaluated).parameters


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("speed", "2", 2.0),
        ("steps", "3", 3),
        ("bare", "4", 4.0),
        ("switch", "no", False),
        ("most", "5", 5),
        ("most", "none", None),
        ("shape", "disc", "disc"),
    ],
)
def test_a_parameter_has_the_type_of_its_annotation_or_default(name, text, value):
    found = convert(text, OFFERED[name], name)
    assert found == value and type(found) is type(value)


def test_a_wrong_value_is_named():
    with pytest.raises(VBenchError, match="box, disc"):
        convert("cube", OFFERED["shape"], "x[shape=cube]")
    with pytest.raises(VBenchError, match="'fast' is not a number"):
        convert("fast", OFFERED["speed"], "x[speed=fast]")
