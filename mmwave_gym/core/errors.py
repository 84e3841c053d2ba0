"""Errors about what others made: files and sources. Each text says where, what is wrong and what to do."""

from __future__ import annotations


class InputError(ValueError):
    """A file or a source cannot be used."""


class ChannelError(InputError):
    """A link matrix, or the file that should hold one, is wrong."""


class CityError(InputError):
    """A city, its file or what it should be built from is wrong."""
