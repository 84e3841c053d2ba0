"""The journal of a tuning: a file of Optuna's that holds every setting which was played, with its merit."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from mmwave_gym.core.files import try_place

_STUDY = "tuning"
_ABOUT = "about"
_BEGAN = "began_with"


@dataclass(frozen=True)
class Entry:
    """Settings that were played: their merit, -inf where the agent refused them, and the processor time in s."""

    settings: dict[str, Any]
    merit: float
    processor_s: float


class Journal:
    """The settings of one tuning by their number.

    Optuna's own tools read the file: it holds one study, each setting is a trial with its value.
    """

    def __init__(self, path: Path, study: optuna.Study):
        self._path, self._study = path, study
        self._held = {trial.user_attrs["number"]: _entry(trial) for trial in study.get_trials(deepcopy=False)}
        self.began_with: dict[str, dict[str, Any]] = study.user_attrs[_ABOUT].get(_BEGAN, {})
        """Settings that were known when the tuning began, by task."""

    @classmethod
    def of(cls, path: Path, about: Mapping[str, Any], known: Mapping[str, Any]) -> Journal:
        """The journal in a file, which is made where there is none.

        about: the tuning, as JSON values. known: settings to begin with, by task; a file that is there keeps its own,
        so that a tuning which has stored its result repeats it. ValueError where the file holds another one or is no
        journal, OSError where it cannot be written.
        """
        try_place(path)
        _drop_torn_end(path)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            storage = JournalStorage(JournalFileBackend(str(path)))
            study = optuna.create_study(storage=storage, direction="maximize", study_name=_STUDY, load_if_exists=True)
            if not study.user_attrs and not study.trials:
                study.set_user_attr(_ABOUT, {**about, _BEGAN: dict(known)})
        except (KeyError, ValueError) as error:  # Optuna's, of a line or a study
            raise ValueError(f"{path} is no journal of a tuning: {error}. Name another --journal.") from error
        if (differs := _difference(study.user_attrs.get(_ABOUT) or {}, about)) is not None:
            name, was, now = differs
            raise ValueError(
                f"{path} is the journal of another tuning: its {name} is {was!r}, and {now!r} is asked for. "
                "Name another --journal, or delete this one."
            )
        return cls(path, study)

    def holds(self, number: int, settings: Mapping[str, Any]) -> bool:
        """Were these settings played already? ValueError where other settings have their number."""
        entry = self._held.get(number)
        if entry is not None and entry.settings != json.loads(json.dumps(settings)):
            raise ValueError(
                f"{self._path}: settings {number} are {entry.settings}, and this version proposes {settings}: another "
                "version of Optuna or of mmwave-gym wrote it. Name another --journal, or delete this one."
            )
        return entry is not None

    def entry(self, number: int) -> Entry:
        """What was kept."""
        return self._held[number]

    def keep(
        self, number: int, settings: Mapping[str, Any], merit: float, processor_s: float, trial: Mapping[str, Any]
    ) -> None:
        """Keep settings that were played; they are in the file when this returns.

        trial: what Optuna's own tools show of them, value and distribution by parameter, see `proposals.flat`.
        """
        refused = merit == -math.inf
        told = {"number": number, "settings": dict(settings), "processor_s": processor_s}
        made = create_trial(
            params={name: value for name, (value, _) in trial.items()},
            distributions={name: distribution for name, (_, distribution) in trial.items()},
            state=TrialState.FAIL if refused else TrialState.COMPLETE,
            value=None if refused else merit,
            user_attrs=json.loads(json.dumps(told)),
        )
        self._study.add_trial(made)
        self._held[number] = _entry(made)


def _entry(trial: FrozenTrial) -> Entry:
    merit = trial.value if trial.state == TrialState.COMPLETE else None
    told = trial.user_attrs
    return Entry(told["settings"], -math.inf if merit is None else float(merit), float(told["processor_s"]))


def _difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    plain = json.loads(json.dumps(now))
    return next(((name, was.get(name), plain[name]) for name in plain if was.get(name) != plain[name]), None)


def _drop_torn_end(path: Path) -> None:
    """Cut a last line that a kill has left unfinished: Optuna would write on behind it."""
    content = path.read_bytes() if path.exists() else b""
    if not content.startswith(b'{"op_code"'):
        return  # somebody else's file
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
