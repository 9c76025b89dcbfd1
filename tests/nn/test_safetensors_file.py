import json

import numpy as np
import pytest
import torch

from vbench.core.errors import VBenchError
from vbench.nn.safetensors_file import as_safetensors
from vbench.nn.state import read_state

STATE = {
    "b.weight": torch.arange(6.0).reshape(2, 3),
    "a.bias": torch.tensor([1, -2, 3]),
    "c": torch.tensor([0.5, -1.5], dtype=torch.bfloat16),
    "empty": torch.zeros(0, 4),
    "scalar": torch.tensor(7, dtype=torch.int64),
}


def test_tensors_come_back_as_they_were(tmp_path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(as_safetensors(STATE))
    found = read_state(path)
    assert found.keys() == STATE.keys()
    for key, value in STATE.items():
        assert found[key].dtype == value.dtype
        assert found[key].shape == value.shape
        assert torch.equal(found[key], value)


def test_the_layout_is_the_formats() -> None:
    content = as_safetensors({"x": torch.tensor([[1.0, 2.0]])})
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    header = json.loads(content[8 : 8 + length])
    assert header == {"x": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}}
    assert np.frombuffer(content[8 + length :], "<f4").tolist() == [1.0, 2.0]


def test_equal_states_give_equal_bytes() -> None:
    assert as_safetensors(STATE) == as_safetensors(dict(reversed(STATE.items())))


def file_of(header, data=b""):
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        file_of(b"{not json"),
        file_of({"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, bytes(8)),
        file_of({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, bytes(8)),
        file_of({"x": {"dtype": "F32", "shape": [-2], "data_offsets": [0, -8]}}, bytes(8)),
        file_of({"x": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}}, bytes(8)),
        file_of({"x": {"dtype": "pickle", "shape": [1], "data_offsets": [0, 4]}}, bytes(8)),
        file_of({"x": 3}),
    ],
)
def test_damaged_files_are_refused_in_one_line(tmp_path, content) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(VBenchError, match="damaged safetensors") as error:
        read_state(path)
    assert "\n" not in str(error.value)
