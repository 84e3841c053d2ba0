"""Minari: a data set recorded with infos and masks, and its environment recovered from it."""

from __future__ import annotations

import os
import tempfile

import numpy as np

os.environ.setdefault("MINARI_DATASETS_PATH", tempfile.mkdtemp())

import minari

from clients.probing import SEED, STEPS, Case, Trace, flat, script


def single(case: Case) -> Trace:
    env = minari.DataCollector(case.make(), record_infos=True)
    env.reset(seed=SEED)
    for _, (action,) in zip(range(STEPS), script(env.action_space), strict=False):
        env.step(action)
    name = f"mmwave/{abs(hash(case.name))}-v0"
    data = env.create_dataset(dataset_id=name, algorithm_name="scripted")
    recovered = data.recover_environment()
    assert recovered.spec.kwargs == case.make().spec.kwargs
    (episode,) = data.iterate_episodes()
    assert set(episode.infos) >= {"elapsed_s"}
    assert len({len(np.asarray(v)) for v in episode.infos.values()}) == 1
    first, *rest = episode.observations
    return [flat(first), *(flat(o, r) for o, r in zip(rest, episode.rewards, strict=True))]
