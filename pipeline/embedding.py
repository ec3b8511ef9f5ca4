"""A picture of features: t-SNE (van der Maaten & Hinton 2008), the same points on every run."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def tsne(features: Tensor) -> NDArray[np.float32]:
    """Features (n, d) -> points (n, 2), centred; neighbours stay neighbours, distances do not.

    The perplexity is 30, less for fewer than 91 videos. Raises ValueError for fewer than 4.
    """
    from sklearn.manifold import TSNE

    if len(features) < 4:
        raise ValueError(f"a t-SNE picture needs at least 4 videos, got {len(features)}")
    perplexity = min(30.0, (len(features) - 1) / 3)
    model = TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1)
    points = model.fit_transform(features.cpu().numpy())
    return points - points.mean(axis=0)
