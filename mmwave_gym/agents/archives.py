"""Stable-Baselines3 archives as agents.

**An archive holds pickles, and unpickling runs whatever code its author put in. Load one only if you trust who made
it.** The statistics of a `VecNormalize` (vecnormalize.pkl) beside it are a pickle too, but they are only data: they are
read by an unpickler that knows the classes they need and no others.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import pickletools
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.policy import Frames, PolicyMemory, check_fits, config_of, fields_of, training_of
from mmwave_gym.agents.protocol import AgentError, RowRng, UnknownAgent
from mmwave_gym.core import untrusted
from mmwave_gym.core.batch import View

LARGEST_STATISTICS_BYTES = 16 * 2**20
MOST_OPERATIONS = 100_000
"""Of a pickle of statistics: ours; real ones have less than 1,000."""
_ARCHIVES: tuple[tuple[str, str, str], ...] = (  # (a key in the archive's data, module, class), first match wins
    ("target_entropy", "stable_baselines3", "SAC"),
    ("policy_delay", "stable_baselines3", "TD3"),
    ("exploration_rate", "stable_baselines3", "DQN"),
    ("clip_range", "stable_baselines3", "PPO"),
    ("vf_coef", "stable_baselines3", "A2C"),
)
_STATISTICS = re.compile(  # classes that the pickle of a VecNormalize names
    r"stable_baselines3\.common\.(vec_env\.vec_normalize\.VecNormalize|running_mean_std\.RunningMeanStd)"
    r"|numpy\.(ndarray|dtype)|numpy\._?core\.multiarray\.(_reconstruct|scalar)|numpy\._?core\.numeric\._frombuffer"
    r"|collections\.OrderedDict"
)


def load_archive(path: Path, described: Mapping[str, Any]) -> ArchivePolicy:
    """The agent in an archive, with its vecnormalize.pkl where one lies beside it.

    described: the .json beside it, see `save_policy`; may be empty. Raises AgentError.
    """
    if not path.exists():
        raise UnknownAgent(f"there is no file {path}.")
    with untrusted.blaming(path, AgentError):
        raw = untrusted.read_bytes(path)
        data = _data(raw)
    module, algorithm = next(((m, a) for key, m, a in _ARCHIVES if key in data), ("", ""))
    if "sb3_contrib" in str(data.get("policy_class")) or "maskable" in str(data.get("policy_class")).lower():
        recurrent = "recurrent" in str(data.get("policy_class")).lower()
        module, algorithm = "sb3_contrib", "RecurrentPPO" if recurrent else "MaskablePPO"
    if not algorithm:
        raise AgentError(f"{path} holds an algorithm that is not known here: export its network with save_policy.")
    try:
        loader = getattr(__import__(module), algorithm)
    except ImportError:
        raise AgentError(f"{path} needs Stable-Baselines3: pip install 'mmwave-gym[train]'.") from None
    try:
        model = loader.load(io.BytesIO(raw), device="cpu")
    except Exception as error:  # unpickling may raise anything
        raise AgentError(f"{path} cannot be loaded as {algorithm}: {type(error).__name__} {error}.") from error
    metadata = {"algorithm": algorithm, "normalised": False, "frame_stack": 1, **described}
    pickled = _statistics_beside(path)
    statistics = None if pickled is None else read_statistics(pickled)
    digest = hashlib.sha256(raw + (b"" if pickled is None else pickled.read_bytes())).hexdigest()
    return ArchivePolicy(model, metadata, digest, statistics)


def _data(raw: bytes) -> dict[str, Any]:
    """What an archive says of itself in JSON."""
    try:
        with untrusted.checked_zip(raw) as archive:
            data = untrusted.json_value(untrusted.member(archive, "data"))
    except ValueError as error:
        raise AgentError(f"it is not a Stable-Baselines3 archive, or it is damaged: {error}") from None
    if not isinstance(data, dict):
        raise AgentError("it is not a Stable-Baselines3 archive: its data are no object.")
    return data


def _statistics_beside(path: Path) -> Path | None:
    """The pickle of the VecNormalize that an archive was trained with, as SB3 and its zoo name it; None without one.

    A file with such a name that belongs to no archive here is told in a warning: it may be this one's.
    """
    checkpoint = re.fullmatch(r"(.+)_(\d+)_steps", path.stem)
    names = ["vecnormalize.pkl", "vec_normalize.pkl", f"{path.stem}/vecnormalize.pkl", f"{path.stem}_vecnormalize.pkl"]
    if checkpoint:
        names.insert(0, f"{checkpoint[1]}_vecnormalize_{checkpoint[2]}_steps.pkl")
    found = next((path.parent / name for name in names if (path.parent / name).is_file()), None)
    others = [] if found else sorted(p.name for p in path.parent.glob("*vec*normalize*.pkl"))
    if others:
        warnings.warn(
            f"{path} is played without normalisation of observations; {others[0]} lies beside it. If it belongs to "
            f"it, name it {path.stem}_vecnormalize.pkl.",
            stacklevel=4,
        )
    return found


class _Nothing:
    """Stands for a space and its random generator: what reads statistics needs neither, and a space may be huge."""

    def __init__(self, *_: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class _DataOnly(pickle.Unpickler):
    """Knows the classes of a VecNormalize's statistics; others are refused, so that nothing in the file is run."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith(("numpy.random", "gymnasium.spaces")):
            return _Nothing
        if not _STATISTICS.fullmatch(f"{module}.{name}"):
            raise AgentError(f"it holds {module}.{name}, which is no part of VecNormalize's statistics.")
        found = super().find_class(module, name)
        # Pickles make these without calling them; a call may ask for any amount of memory.
        return type(name, (found,), {"__init__": _refused}) if module.startswith("stable_baselines3") else found


def _refused(*_: Any, **__: Any) -> None:
    raise AgentError("it calls a class with arguments of its own.")


def _check_operations(data: bytes) -> None:
    """AgentError for a pickle of more operations, or with larger places for its memory, than statistics have."""
    for count, (operation, argument, _) in enumerate(pickletools.genops(data)):
        place = argument if isinstance(argument, int) and "PUT" in operation.name else 0
        if max(count, place) > MOST_OPERATIONS:
            raise AgentError(f"it has more than {MOST_OPERATIONS:,} operations.")


def read_statistics(path: Path) -> Any:
    """The `VecNormalize` in a pickle, without its environments. Raises AgentError for anything else."""
    with untrusted.blaming(path, AgentError, library="pickle"):
        data = untrusted.read_bytes(path, LARGEST_STATISTICS_BYTES)
        _check_operations(data)
        found = _DataOnly(io.BytesIO(data)).load()
        if type(found).__name__ != "VecNormalize":
            raise AgentError(f"it holds a {type(found).__name__}, no VecNormalize.")
        if found.norm_obs and not hasattr(found.obs_rms, "mean"):
            raise AgentError("its observations are a dictionary; those of this package are one array.")
        if found.norm_obs:
            _check_statistics(found)
    return found


def _check_statistics(found: Any) -> None:
    """AgentError where means, variances or limits are no numbers that can be used."""
    mean, var = found.obs_rms.mean, found.obs_rms.var
    for name, array in (("mean", mean), ("var", var)):
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise AgentError(f"its {name} must be an array of finite numbers.")
    if mean.shape != var.shape or (var < 0.0).any():
        raise AgentError("its var must have the shape of its mean, and no negative number.")
    for name in ("clip_obs", "epsilon"):
        value = getattr(found, name, None)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0.0:
            raise AgentError(f"its {name} must be a number above 0, got {str(value)[:50]!r}.")


class ArchivePolicy:
    """An agent made of a Stable-Baselines3 model; see `load_policy` on why an archive must be trusted."""

    access = "local"
    kind = "learned"

    def __init__(self, model: Any, metadata: Mapping[str, Any], sha256: str, statistics: Any = None):
        self.model = model
        self.statistics = statistics if statistics is not None and statistics.norm_obs else None
        self.metadata = dict(metadata)
        self.label = str(metadata.get("label") or metadata["algorithm"])
        self.weights_sha256 = sha256
        self.config = config_of(metadata)
        self.training = training_of(metadata)

    def begin(self, view: View, rng: RowRng) -> PolicyMemory:
        """Fresh memory for `view.num_rows` rows. Raises AgentError where the model reads other observations."""
        if self.metadata.get("fields"):
            check_fits(self.metadata, view)
        expected = (view.fields.size * int(self.metadata["frame_stack"]),)
        if tuple(self.model.observation_space.shape) != expected:
            raise AgentError(
                f"this archive reads observations of shape {self.model.observation_space.shape}, here they are "
                f"{expected}: another environment, or frames stacked in training without a .json that says so."
            )
        if self.statistics is not None and self.statistics.obs_rms.mean.shape != expected:
            raise AgentError(
                f"its vecnormalize.pkl is of observations of shape {self.statistics.obs_rms.mean.shape}, here they are "
                f"{expected}: it belongs to another model, or was applied before frames were stacked."
            )
        return PolicyMemory(np.zeros((view.num_rows, *expected), np.float32), rng, view)

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Actions (rows, …) of the model for observations (rows, features) in their units, and the new memory.

        episode_start: (rows,), see `Agent.predict`. Raises AgentError where `begin` is needed and was not called, or
        observations have another number of features or rows.
        """
        if state is None and "fields" not in self.metadata:
            raise AgentError("begin(view, rng) must be called first: what is observed is unknown.")
        fields = fields_of(self.metadata) if "fields" in self.metadata else state.view.fields
        frames = Frames(fields, bool(self.metadata["normalised"]), int(self.metadata["frame_stack"]))
        memory = frames.remember(np.asarray(observation), state, episode_start)
        keywords: dict[str, Any] = {}
        mask = None if memory.view is None else memory.view.action_mask()
        if mask is not None and "Maskable" in type(self.model).__name__:
            keywords["action_masks"] = mask
        if hasattr(self.model.policy, "lstm_actor"):
            keywords["state"], keywords["episode_start"] = memory.recurrent, episode_start
        shown = memory.frames if self.statistics is None else self.statistics.normalize_obs(memory.frames)
        action, memory.recurrent = self.model.predict(shown, deterministic=deterministic, **keywords)
        return action, memory
