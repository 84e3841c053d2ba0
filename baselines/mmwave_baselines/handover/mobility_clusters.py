"""The upper layer of Wang et al. (arXiv 1801.02077, section III-A): UEs that move alike share a parameter server.

K-means (scikit-learn) over the positions and speeds of each UE in T_u = 150 slots, eq. 12 to 15. The distance weighs
positions with tau and speeds with 1 - tau. Multiplying positions by sqrt(tau) and speeds by sqrt(1 - tau) makes
it Euclid's. The number of clusters is the one with the largest Calinski-Harabasz index, eq. 33, at most that of areas.

1. The paper names neither tau nor the slot of its Table I. A slot of 0.12 s and tau = 0.6 give its numbers within 4 %,
   with UEs that begin in the centre and stop at walls (fitted by us): the preset `OBSERVED`.
2. "Re-cluster periodically" (section III-A) is skipped: areas keep their patterns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.checks import at_least, between
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.core.types import Float64Array

OBSERVED_SLOTS = 150  # section V-A: T_u
TAU = 0.6  # ours, see above
MOST_CLUSTERS = 3  # section III-A: at most as many as areas
OBSERVED = {"step_s": 0.12, "boundary": "stay", "start": "centre", "shadowing": "none", "fading": "none"}
"""Keywords of the environment while UEs are observed: walks as Table I needs them, and no radio."""
STARTS = 10  # ours: K-means begins so often, and the best ends


def observe(mobility: Any, ues: int, seed: int = 0, slots: int = OBSERVED_SLOTS, **keywords: Any) -> Float64Array:
    """Positions x, y in m and speed in m/s of observed UEs, (ues, slots, 3), from the environment's own walks.

    mobility: an area or four probabilities, as the environment takes them. keywords: other settings than `OBSERVED`.
    """
    at_least("ues", ues, 1, integer=True)
    at_least("slots", slots, 1, integer=True)
    settings = {**OBSERVED, **keywords, "mobility": mobility, "horizon": slots, "num_ues": ues}
    scenario: Any = make_scenario("handover", **settings)
    drawn = scenario.draw([EpisodeRng(EpisodeKey(seed, stream=f"observation {mobility}"))])
    place_m = drawn.position_m[0].swapaxes(0, 1).astype(np.float64)  # (ues, slots + 1, 2)
    # A UE at a wall may not move although it walks, so its fastest step tells its speed (one a UE).
    stride_m = np.hypot(*np.moveaxis(np.diff(place_m, axis=1), -1, 0))
    if scenario.config.speed_drawn_per == "ue":
        stride_m = np.broadcast_to(stride_m.max(axis=1, keepdims=True), stride_m.shape)
    return np.concatenate((place_m[:, 1:], stride_m[..., None] / scenario.config.step_s), axis=-1)


def features(observed: Float64Array, tau: float = TAU) -> Float64Array:
    """Vectors (ues, 3 * slots) whose squared Euclidean distance is the paper's.

    observed (ues, slots, 3): as fields of the observation, in their units."""
    between("tau", tau, 0.0, 1.0)
    return (observed * np.sqrt([tau, tau, 1.0 - tau])).reshape(len(observed), -1)


def calinski_harabasz(vectors: Float64Array, labels: NDArray[Any]) -> float:
    """Eq. 33: separation over compactness of a clustering of vectors (n, features) by labels (n,), numbers.

    Raises ValueError for one alone.
    """
    kinds = np.unique(labels)
    n, h = len(vectors), len(kinds)
    if not 1 < h < n:
        raise ValueError(f"between 2 and {n - 1} clusters are needed for an index, got {h}.")
    centre = vectors.mean(axis=0)
    apart = within = 0.0
    for kind in kinds:
        own = vectors[labels == kind]
        middle = own.mean(axis=0)
        apart += len(own) * ((middle - centre) ** 2).sum()
        within += ((own - middle) ** 2).sum()
    return float(np.inf if within == 0.0 else apart / within * (n - h) / (h - 1))


@dataclass(frozen=True)
class MobilityClusters:
    """UEs by the way they move."""

    centroids: Float64Array  # (clusters, 3 * slots), weighted as `features` are
    labels: NDArray[np.int64]  # (ues,): whose cluster each UE is that was clustered
    index: dict[int, float]  # Calinski-Harabasz by the number of clusters that was tried
    tau: float = TAU

    @classmethod
    def fit(
        cls,
        observed: Float64Array,
        *,
        tau: float = TAU,
        most: int = MOST_CLUSTERS,
        count: int | None = None,
        seed: int = 0,
    ) -> MobilityClusters:
        """Cluster UEs observed as (ues, slots, 3). count: this many clusters, instead of 2 to `most` by their index.

        Raises ValueError where there are too few UEs for it.
        """
        from sklearn.cluster import KMeans

        at_least("most", most, 2, integer=True)
        candidates = range(2, most + 1) if count is None else (count,)
        if len(observed) <= candidates[-1]:
            raise ValueError(f"more than {candidates[-1]} UEs must be observed, got {len(observed)}.")
        vectors = features(observed, tau)
        found = {
            h: KMeans(h, n_init=STARTS, random_state=np.random.RandomState(seed % 2**32)).fit(vectors)
            for h in candidates
        }
        index = {h: calinski_harabasz(vectors, k.labels_) for h, k in found.items() if h > 1}
        best = found[max(index, key=lambda h: index[h]) if count is None else count]
        return cls(best.cluster_centers_.astype(np.float64), best.labels_.astype(np.int64), index, tau)

    @property
    def count(self) -> int:
        return len(self.centroids)

    def assign(self, observed: Float64Array) -> NDArray[np.int64]:
        """The nearest cluster of UEs, new ones or old ones, eq. 14; observed (ues, slots, 3) as for `features`."""
        vectors = features(observed, self.tau)
        if vectors.shape[1] != self.centroids.shape[1]:
            raise ValueError(
                f"observations must last {self.centroids.shape[1] // 3} slots as those that were clustered, "
                f"got {observed.shape[1]}."
            )
        distance = ((vectors[:, None] - self.centroids) ** 2).sum(axis=-1)
        return distance.argmin(axis=1)

    def of_group(self, member: Sequence[bool] | NDArray[np.bool_]) -> int:
        """The cluster of most of the UEs that `member` (ues,) marks: for a UE that arrives in their area.

        The paper says that this cluster "controls the area". Raises ValueError where no UE is marked.
        """
        chosen = self.labels[np.asarray(member, bool)]
        if not len(chosen):
            raise ValueError("none of the observed UEs is a member.")
        return int(np.bincount(chosen, minlength=self.count).argmax())
