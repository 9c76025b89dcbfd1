"""The zero-motion propagator of PatchNet's Table 4, "Dummy", re-centred at each keyframe."""

from __future__ import annotations

import numpy as np

from vbench.core.boxes import Boxes, Image
from vbench.core.roles import Propagated, Work, WorkTable


class Dummy:
    """Carries the keyframe's boxes unchanged and always believes itself."""

    blind = True

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Remember `boxes` (n, 4)."""
        self.boxes = boxes.copy()

    def propagate(self, frame: Image) -> Propagated:
        """Answer the remembered boxes with belief 1."""
        return Propagated(self.boxes.copy(), np.ones(len(self.boxes)))

    def work(self) -> WorkTable:
        """Nothing is computed."""
        return {"propagate": [Work("dummy", macs=0.0, per_object=True)]}
