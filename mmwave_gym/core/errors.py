"""Errors about what others made: files, sources, libraries. Each text says where, what is wrong and what to do."""

from __future__ import annotations

from importlib.util import find_spec


class InputError(ValueError):
    """A file or a source cannot be used."""


class ChannelError(InputError):
    """A link matrix, or the file that should hold one, is wrong."""


class CityError(InputError):
    """A city, its file or what it should be built from is wrong."""


EXTRAS = {
    **dict.fromkeys(("torch", "stable_baselines3", "sb3_contrib", "tensorboard", "tqdm"), "train"),
    **dict.fromkeys(("numba", "sklearn"), "baselines"),
    **dict.fromkeys(("jinja2", "PIL"), "report"),
    **dict.fromkeys(("pygame", "matplotlib"), "render"),
    **dict.fromkeys(("pandas", "pyarrow", "pyrosm", "pyproj", "shapely"), "real"),
    "ray": "ray",
    "onnxruntime": "onnx",
    "optuna": "tune",
    "minari": "minari",
    "huggingface_hub": "hub",
    **{library: library for library in ("torchrl", "benchmarl", "tianshou", "skrl", "d3rlpy")},
    "sionna": "raytrace",
    **dict.fromkeys(("sphinx", "furo", "myst_nb", "ipykernel"), "docs"),
    "imageio_ffmpeg": "video",
}
"""Module -> the extra that brings it."""


def extra_of(error: ImportError) -> str | None:
    """The extra that brings what is missing; None where none does, or the error's text says it."""
    return None if "pip install" in str(error) else EXTRAS.get((error.name or "").partition(".")[0])


def require(what: str, *libraries: str) -> None:
    """Raise ImportError, before any work, where `what` needs libraries of extras that are not installed here.

    The text names them and the one command that installs all of them. what: a noun, such as "a data set".
    """
    missing = [library for library in libraries if not is_installed(library)]
    if missing:
        extras = ",".join(dict.fromkeys(EXTRAS[library.partition(".")[0]] for library in missing))
        names = " and ".join(missing)
        raise ImportError(f"{what} needs {names}: pip install 'mmwave-gym[{extras}]'.", name=missing[0])


def is_installed(library: str) -> bool:
    """Whether a module can be found; it is not imported, but for the packages that hold it."""
    try:
        return find_spec(library) is not None
    except ModuleNotFoundError:  # of "a.b", where there is no a
        return False


def missing_library(error: BaseException | None) -> str | None:
    """The library of an extra for want of which an error was raised, at first or at last; None for other reasons."""
    while error is not None:
        name = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
        if name in EXTRAS and find_spec(name) is None:
            return name
        error = error.__cause__ or error.__context__
    return None


def error_text(error: BaseException) -> str:
    """An error's text; where a library of an extra is missing, how to get it."""
    if isinstance(error, ImportError) and (extra := extra_of(error)):
        return f"{error.name} is not installed: pip install 'mmwave-gym[{extra}]'"
    return str(error)


def needs(what: str, extra: str, error: ImportError) -> ImportError:
    """What to raise for an import error in a module that only an extra's libraries make usable: how to get them."""
    if not isinstance(error, ModuleNotFoundError):
        return error
    text = f"{what} needs {error.name or 'a library'}, which is not installed: pip install 'mmwave-gym[{extra}]'."
    return ModuleNotFoundError(text, name=error.name)
