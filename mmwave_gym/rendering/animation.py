"""Pictures of an episode as a file: .gif, .mp4, or .png of the last one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.errors import is_installed, require
from mmwave_gym.core.files import replacing

SUFFIXES = (".gif", ".mp4", ".png")
_LEAST_MS = 20  # browsers show shorter frames of a .gif for 100 ms


def check(path: Path) -> None:
    """Raise, before any work, where no such file can be written: ValueError for another ending, ImportError where a
    library is missing."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"--out must end in {', '.join(SUFFIXES)} or .html, got {str(path)!r}.")
    require(f"{path.suffix} pictures", "pygame", *(("PIL",) if path.suffix != ".mp4" else ()))
    if path.suffix == ".mp4" and shutil.which("ffmpeg") is None:
        require("an .mp4 without ffmpeg on this machine", "imageio_ffmpeg")


def write(frames: Sequence[NDArray[np.uint8]], path: Path, seconds_per_frame: float) -> None:
    """Write frames (height, width, 3), colours from 0 to 255, all of one size; .png has the last one only.

    Raises what `check` raises, and OSError where the file cannot be written or ffmpeg fails, with what it said.
    """
    check(path)
    if path.suffix == ".mp4":
        _mp4(frames, path, seconds_per_frame)
        return
    from PIL import Image  # in the extra [report]

    images = [Image.fromarray(frame) for frame in frames]
    if path.suffix == ".png":
        images[-1].save(path)
        return
    duration = max(_LEAST_MS, round(1000 * seconds_per_frame))
    images[0].save(path, save_all=True, append_images=images[1:], duration=duration, loop=0, optimize=True)


def _mp4(frames: Sequence[NDArray[np.uint8]], path: Path, seconds_per_frame: float) -> None:
    height, width, _ = frames[0].shape
    form = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{1.0 / seconds_per_frame:g}"]
    # Players want yuv420p, and that wants even sides.
    wanted = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", "libx264", "-pix_fmt", "yuv420p"]
    with replacing(path, ".mp4") as draft:
        command = [_ffmpeg(), "-y", "-loglevel", "error", *form, "-i", "-", *wanted, "-movflags", "+faststart"]
        pictures = b"".join(np.ascontiguousarray(frame, np.uint8).tobytes() for frame in frames)
        done = subprocess.run([*command, str(draft)], input=pictures, capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise OSError(f"ffmpeg could not write {path}: {said[-1]}")


def _ffmpeg() -> str:
    """The program: that of the extra [video] where it is installed, else that of this machine."""
    if is_installed("imageio_ffmpeg"):
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    return shutil.which("ffmpeg") or "ffmpeg"
