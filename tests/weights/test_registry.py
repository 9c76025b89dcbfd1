"""The registry is complete, consistent, and agrees with the published files."""

import re

import pytest

from vbench import catalogue
from vbench.core.errors import UnknownName
from vbench.weights.content import git_blob_of, sha256_of
from vbench.weights.registry import registry, release

# where the published files lie in the folder of real material
KNOWN = {
    "patchnet": "patchnet",
    "dcfnet": "dcfnet",
    "nanotrack-v1": "nanotrack/nanotrackv1",
    "nanotrack-v3": "nanotrack/nanotrackv3",
    "nanodet": "nanodet",
    "fastestdet": "fastestdet",
}


@pytest.mark.parametrize("name", registry())
def test_an_entry_says_all_that_a_user_needs(name):
    entry = registry()[name]
    assert entry.title and entry.citation and entry.licence and entry.format
    assert re.match(r"[\w.-]+/[\w.-]+ (@ [0-9a-f]{7,40} )?:? ?", entry.source)
    assert entry.files
    assert entry.fetchable != bool(entry.manual), "either fetched or told where to get it"
    assert "\n" not in entry.next_step()


@pytest.mark.parametrize("name", [name for name, entry in registry().items() if entry.fetchable])
def test_a_fetched_file_is_checked_by_size_and_hash(name):
    for file in registry()[name].files:
        assert file.url.startswith("https://")
        assert file.url.rpartition("/")[2] == file.name
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert re.fullmatch(r"([0-9a-f]{40})?", file.git_blob)
        assert file.bytes


@pytest.mark.parametrize(("name", "folder"), KNOWN.items())
def test_hashes_are_those_of_the_published_files(real_data, name, folder):
    for file in registry()[name].files:
        path = real_data / "weights" / folder / file.name
        assert path.stat().st_size == file.bytes
        assert sha256_of(path) == file.sha256
        assert git_blob_of(path) == file.git_blob


def test_git_blob_is_what_git_prints(tmp_path):
    # `printf 'hello\n' | git hash-object --stdin`
    (tmp_path / "hello").write_text("hello\n")
    assert git_blob_of(tmp_path / "hello") == "ce013625030ba8dba906f756967f9e9ca394464a"


@pytest.mark.parametrize("kind", ["trackers", "propagators", "detectors"])
def test_every_method_asks_for_weights_that_the_registry_has(kind):
    asked = {entry.weights for entry in catalogue.table(kind).values() if entry.weights}
    assert asked <= set(registry())


def test_an_unknown_name_gets_the_nearest_ones():
    with pytest.raises(UnknownName, match="'patchnet'"):
        release("patchnett")
