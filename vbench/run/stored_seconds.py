"""Seconds that an earlier run took, in place of the clock: real time simulated on any machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vbench.core.boxes import Floats
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed, UnknownName
from vbench.store.run_folder import Manifest, RunFolder


@dataclass(frozen=True)
class StoredSeconds:
    """The seconds of each frame that a run keeps of its methods."""

    folder: RunFolder
    manifest: Manifest

    @classmethod
    def of_run(cls, path: Path) -> StoredSeconds:
        """Open the run at `path`. Raises VBenchError where there is none."""
        folder = RunFolder(path)
        return cls(folder, folder.read())

    def key(self, method: str) -> str:
        """What the seconds of a method depend on.

        Raises:
            UnknownName: the run has no such method.
        """
        if method not in self.manifest.methods:
            raise UnknownName(f"method in {self.folder.path}", method, self.manifest.methods)
        return f"{self.manifest.methods[method].key} {self.manifest.suite_digest}"

    def seconds(self, method: str, clip: Clip) -> Floats:
        """Seconds (n,) of a method on a clip, starts included.

        Raises:
            ClipFailed: that run has none, or of another clip.
        """
        record = self.manifest.methods[method]
        trace = self.folder.trace(record, clip.name)
        if trace is None or self.manifest.clips.get(clip.name) != clip.digest():
            raise ClipFailed(f"{self.folder.path} has no times of {method} on this clip")
        return trace.seconds
