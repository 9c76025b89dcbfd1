"""A budget of time that was not kept is said, others are not."""

import pandas as pd

from vbench.report.budget_notes import budget_notes

SPENT = {
    "a+dummy@budget:12ms": 13.0,  # within what times vary by
    "b+dummy@budget:12ms:7": 21.0,
    "c+dummy@budget:0.2": 99.0,
    "d+dummy@fixed:5": 99.0,
    "e+dummy@budget:12ms": float("nan"),
}


def test_more_than_the_budget_is_said() -> None:
    found = pd.DataFrame({"method": list(SPENT), "ms_mean": list(SPENT.values())})
    (line,) = budget_notes(found)
    assert line.startswith("b+dummy@budget:12ms:7 took 21 ms a frame, more than its budget")
    assert budget_notes(found[["method"]]) == []
