"""What a recording calls its columns, and what its values mean: options, presets of loggers, known names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from mmwave_gym.core.checks import unknown

UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "d": 86400.0}
KINDS = ("rsrp", "snr")
NAMES = {
    "time": ("timestamp", "time", "time_s", "pub_time", "timestamp_ms", "utc_time", "datetime", "date_time", "date"),
    "snr": ("snr", "snr_db", "sinr", "sinr_db", "rssnr", "ss_sinr", "nr_sinr", "nr_sssinr", "ss_snr"),
    "rsrp": ("rsrp", "rsrp_dbm", "ss_rsrp", "nr_rsrp", "ssrsrp", "nr_ssrsrp", "lte_rsrp", "level"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lng", "long"),
    "technology": ("networktech", "networkmode", "network_tech", "network_mode", "network_type", "rat", "tech"),
    "cell": ("rawcellid", "cellid", "cell_id", "cell", "ci", "nci", "eci", "pci"),
}
"""Names that a column may have, in small letters and without a unit in brackets, the best first."""
MISSING = frozenset({"", "-", "--", "---", "?", "na", "n/a", "#n/a", "n.a.", "nan", "null", "nil", "none",
                     "not available", "unavailable", "unknown", "undefined", "2147483647"})  # fmt: skip
"""Fields without a value. 2147483647 is what Android reports for a value that the modem does not give."""
ZERO_LIKE = (0.0, -1.0)
"""What loggers write for "no signal" and what can be no RSRP."""


class OptionError(ValueError):
    """Options of a recording that contradict each other or name what is not known."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to read a recording. None: find it out, and tell."""

    time: str | None = None
    """The column of times."""
    level: str | None = None
    """The column of levels, or "rsrp" or "snr": the column that is usually called so."""
    cell: str | None = None
    """The column of the serving cell; "" for none."""
    unit: str | None = None
    """Of times that are numbers: s, ms, us, ns, min or d (days)."""
    separator: str | None = None
    """Between fields: a character, "tab" or "space" (any number of spaces)."""
    no_signal: tuple[float, ...] | None = None
    """Levels that mean "no signal"; an empty tuple: no level does."""
    unnamed: bool | None = None
    """Whether rows may end in values that the header does not name: these are left out."""
    kind: str | None = None
    """Whether a level is an "rsrp" in dBm or an "snr" in dB; None: by the column's name."""

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in UNITS_S:
            raise OptionError(unknown("unit", self.unit, UNITS_S))
        if self.kind is not None and self.kind not in KINDS:
            raise OptionError(unknown("kind", self.kind, KINDS))
        if self.separator is not None and self.separator not in ("tab", "space") and len(self.separator) != 1:
            raise OptionError(f"a separator is one character, 'tab' or 'space', got {self.separator!r}.")

    def over(self, preset: str | None) -> Options:
        """These options, and those of a preset where these are None. Raises OptionError for an unknown preset."""
        if preset is None:
            return self
        if preset not in PRESETS:
            raise OptionError(unknown("preset", preset, PRESETS))
        given = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        return dataclasses.replace(PRESETS[preset], **given)


PRESETS: Mapping[str, Options] = {
    # G-NetTrack Pro as cleaned by its authors: D. Raca et al., ACM MMSys 2020 (github uccmisl/5Gdataset)
    "irish": Options(time="Timestamp", cell="RAWCELLID", separator=","),
    # G-NetTrack's own log: tabs, a trailing one, the RSRP is called Level (gyokovsolutions.com, its manual). -24 is
    # what Android tells at most in 3G; a public log (braz0101/GNetTrackAnalytics) has it in all rows without a signal.
    "g-nettrack": Options(time="Timestamp", level="Level", cell="CellID", separator="tab", no_signal=(0.0, -1.0, -24.0),
                          kind="rsrp"),
    # a modem's answers, 0 in all columns where it gave none (github MTU-Insectt/Measurements5G)
    "mtu": Options(time="Time", level="rsrp(dBm)", cell="", separator=",", no_signal=(0.0,), kind="rsrp"),
    # github zxr805/CICV5G: spaces, milliseconds since 1970; its header gives the levels' unit as dB, and in 20 of 140
    # files it does not name the two or three last columns
    "cicv5g": Options(time="pub_time(ms)", level="rsrp(db)", cell="cellid(db)", unit="ms", separator="space",
                      no_signal=(0.0,), kind="rsrp", unnamed=True),
    # github hendrikschippers/CNI-Cell-Tracker: semicolons, milliseconds since 1970
    "cni-cell-tracker": Options(time="Timestamp", level="RSRP", cell="PCI", unit="ms", separator=";",
                                no_signal=(0.0, -1.0), kind="rsrp"),
}  # fmt: skip
"""Loggers by name."""
