"""A picture of features: t-SNE (van der Maaten & Hinton 2008), the same points on every run."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def tsne(features: Tensor) -> NDArray[np.float32]:
    """Features (n, d) -> points (n, 2), centred; neighbours stay neighbours, distances do not.

    The perplexity is 30, less for fewer than 91 videos. Features that are all equal give points
    that are all 0. Raises ValueError for fewer than 4 videos.
    """
    from sklearn.manifold import TSNE

    if len(features) < 4:
        raise ValueError(f"a t-SNE picture needs at least 4 videos, got {len(features)}")
    extent = (features.amax(dim=0) - features.amin(dim=0)).max()
    if extent == 0:  # a collapsed model; scikit-learn would crash
        return np.zeros((len(features), 2), np.float32)
    scaled = (features - features.mean(dim=0)) / extent
    perplexity = min(30.0, (len(features) - 1) / 3)
    model = TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1)
    points = model.fit_transform(scaled.cpu().numpy())
    return points - points.mean(axis=0)
