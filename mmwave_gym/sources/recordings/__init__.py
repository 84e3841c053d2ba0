"""Recordings of phones and modems: drive tests by any logger, as one kind of table.

`read` finds the columns of time, level and cell in a table of text, makes seconds and decibels of them, and tells what
it understood. Presets know the loggers of `PRESETS`; options name what is called otherwise.
"""

from mmwave_gym.sources.recordings.options import PRESETS, Options
from mmwave_gym.sources.recordings.recording import Recording, RecordingError, read, read_text
from mmwave_gym.sources.recordings.wide import to_csv, to_links

__all__ = ["PRESETS", "Options", "Recording", "RecordingError", "read", "read_text", "to_csv", "to_links"]
