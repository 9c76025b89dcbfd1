"""A straight-line reading of region.c and of vot/region/raster.py: masks, pixel by pixel."""

import numpy as np

F = np.float32


def half_away(value):
    return np.trunc(float(value) + (0.5 if value >= 0 else -0.5))


def draw(points, width, height, convention):
    """Draw corner points (k, 2) into a mask as `rasterize_polygon` does."""
    mask = np.zeros((height, width), dtype=bool)
    exact = convention == "region-c-legacy"
    p = [(x, y) if exact else (half_away(x), half_away(y)) for x, y in points]
    if convention == "vot-python":
        p = [(float(x), float(y)) for x, y in points]
    for row in range(height):
        nodes = []
        for (xi, yi), (xj, yj) in zip(p, [p[-1], *p[:-1]], strict=True):
            if exact:
                if yi < row <= yj or yj < row <= yi:
                    nodes.append(int(xi + (F(row) - yi) / (yj - yi) * (xj - xi)))
            elif min(yi, yj) <= row <= max(yi, yj):
                if yi != yj:
                    nodes.append(int(xi + (row - yi) / (yj - yi) * (xj - xi)))
                elif convention == "vot-python":
                    nodes.append(int(xi))
        fill(mask[row], sorted(nodes), convention)
    return mask


def fill(line, nodes, convention):
    width, i = len(line), 0
    while i < len(nodes) - 1:
        a, b = nodes[i], nodes[i + 1]
        if convention == "region-c-legacy":
            if a >= width:
                break
            if b > 0:
                line[max(a, 0) : width - 1 if b > width else b] = True
            i += 2
            continue
        last = convention == "vot-python" and i == len(nodes) - 2
        if a == b and not last:
            i += 1
            continue
        if a >= width:
            break
        if b >= 0:
            line[max(a, 0) : min(b, width - 1) + 1] = True
        i += 2


def counts(first, second, limit, convention):
    """Pixels of the first, the second and both regions (8,); None where nothing is drawn."""
    regions = [np.array(r, dtype=F).reshape(4, 2) for r in (first, second)]
    if convention == "vot-python":
        return counts_python(regions, limit)
    bounds = []
    for region in regions:
        low, high = region.min(axis=0), region.max(axis=0)
        if convention == "region-c":
            low, high = np.floor(low), np.ceil(high)
        if limit is not None:
            low, high = np.maximum(low, F(0)), np.minimum(high, np.array(limit, F))
        bounds.append((low, high))
    (low1, high1), (low2, high2) = bounds
    origin = np.minimum(low1, low2)
    size = [int(v) + 1 for v in np.maximum(high1, high2) - origin]
    area1, area2 = (float(np.prod(high - low)) for low, high in bounds)
    with np.errstate(all="ignore"):
        unlike = np.float64(area1) / area2 < 1e-10 or np.float64(area2) / area1 < 1e-10
        inner = np.prod(np.minimum(high1, high2) - np.maximum(low1, low2))
        share = inner / (F(area1) + F(area2) - inner)
    if unlike or min(size) < 1 or (0 if share < 0 else share) == 0:
        return None
    masks = [draw([tuple(c) for c in r - origin], size[0], size[1], convention) for r in regions]
    return tuple(int(m.sum()) for m in (*masks, masks[0] & masks[1]))


def counts_python(regions, limit):
    low = np.min([np.rint(r.min(axis=0)) for r in regions], axis=0)
    high = np.max([np.rint(r.max(axis=0)) for r in regions], axis=0)
    if limit is not None:
        low, high = np.maximum(low, 0), np.minimum(high, np.array(limit) - 1)
    if (low >= high).any():
        return None
    size = [int(v) + 1 for v in high - low]
    points = [[tuple(c) for c in np.rint(r) - low] for r in regions]
    masks = [draw(corners, size[0], size[1], "vot-python") for corners in points]
    return tuple(int(m.sum()) for m in (*masks, masks[0] & masks[1]))
