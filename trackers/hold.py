"""The first box for ever. A tracker that does not beat it has learnt nothing."""

from __future__ import annotations

from vbench.core.boxes import Box, Image
from vbench.core.roles import Estimate, Work, WorkTable


class Hold:
    """Answers the last box that it was given."""

    def start(self, frame: Image, box: Box) -> None:
        """Remember `box`."""
        self.box = box

    def track(self, frame: Image) -> Estimate:
        """Answer the remembered box, without a score."""
        return Estimate(self.box)

    def reseat(self, box: Box) -> None:
        """Remember `box` instead."""
        self.box = box

    def work(self) -> WorkTable:
        """Nothing is computed."""
        return {"start": [Work("hold", macs=0.0)], "track": [Work("hold", macs=0.0)]}
