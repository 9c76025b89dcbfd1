"""Seq-NMS word for word: every chain is searched for anew in what is left of the clip."""

import numpy as np

from vbench.core.boxes import iou_matrix
from vbench.core.roles import Detections


def grown(boxes):
    return boxes + [0, 0, 1, 1]


def textbook_seq_nms(clip, link=0.5, overlap=0.3, predicted=None):
    scores = [np.array(d.scores) for d in clip]
    dropped = [np.zeros(len(d.boxes), bool) for d in clip]
    predicted = predicted or [d.boxes for d in clip[:-1]]
    for label in sorted({int(x) for d in clip for x in d.labels}):
        own = [d.labels == label for d in clip]
        free = [mask.copy() for mask in own]
        links = [
            (iou_matrix(grown(predicted[t]), grown(clip[t + 1].boxes)) >= link)
            & own[t][:, None]
            & own[t + 1][None]
            for t in range(len(clip) - 1)
        ]
        while any(m.any() for m in links):
            chain, total = best_chain(clip, free, links)
            if not chain or total < 0.01:
                break
            for t, j in chain:
                scores[t][j] = total / len(chain)
                near = iou_matrix(grown(clip[t].boxes[[j]]), grown(clip[t].boxes))[0] >= overlap
                gone = near & free[t]
                gone[j] = True
                free[t] &= ~gone
                dropped[t] |= gone & (np.arange(len(gone)) != j)
                if t + 1 < len(clip):
                    links[t][gone] = False
                if t > 0:
                    links[t - 1][:, gone] = False
    return [
        Detections(d.boxes[~g], s[~g], d.labels[~g])
        for d, s, g in zip(clip, scores, dropped, strict=True)
    ]


def best_chain(clip, free, links):
    sums: list = []
    came: list = []
    for t, found in enumerate(clip):
        total = np.where(free[t], found.scores, 0.0)
        previous = np.full(len(total), -1)
        for i, j in zip(*np.nonzero(links[t - 1]), strict=True) if t else ():
            if sums[t - 1][i] + found.scores[j] > total[j]:
                total[j], previous[j] = sums[t - 1][i] + found.scores[j], i
        sums.append(total)
        came.append(previous)
    best = max((s.max(initial=0.0) for s in sums), default=0.0)
    if best <= 0:
        return [], 0.0
    t = next(t for t, s in enumerate(sums) if s.max(initial=0.0) == best)
    j = int(sums[t].argmax())
    chain = [(t, j)]
    while came[t][j] >= 0:
        t, j = t - 1, int(came[t][j])
        chain.append((t, j))
    return chain, best
