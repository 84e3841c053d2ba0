"""Keywords of a scenario that plays in one of several worlds, such as a paper's room or measured streets.

A keyword of one world says nothing about another, so the two cannot be given together:

    @dataclass(frozen=True, kw_only=True)
    class Config(OneWorld):
        room_m: float = only_in("the room", default=16.0)
        file: str | None = None

        @property
        def world(self) -> Mapping[str, str]:
            return {"the room" if self.file is None else "measured streets": "file"}

        def __post_init__(self) -> None:
            self.check_world()
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self


def only_in(*worlds: str, default: Any) -> Any:
    """The default of a keyword that means something in these worlds only."""
    return dataclasses.field(default=default, metadata={"worlds": worlds})


def worlds_of(field: dataclasses.Field[Any]) -> tuple[str, ...]:
    """The worlds in which a keyword means something; none for a keyword of all worlds."""
    return tuple(field.metadata.get("worlds", ()))


def only_with(keyword: str, *values: Any, default: Any, worlds: tuple[str, ...] = ()) -> Any:
    """The default of a keyword that means something only with these values of another keyword, and in these worlds."""
    return dataclasses.field(default=default, metadata={"with": (keyword, values), "worlds": worlds})


class OneWorld:
    """Base of a configuration whose world is one of several.

    A keyword counts as given if it was passed, its default value too, but not with None. Where all are passed at once,
    as `dataclasses.replace` and `Config(**asdict(config))` do, only those count that are not at their defaults.
    """

    given: frozenset[str]
    """Names of the given keywords."""
    passed: frozenset[str]
    """Names of all keywords that were passed, even with None: a preset must not change them."""

    def __new__(cls, **keywords: Any) -> Self:
        self = super().__new__(cls)
        given = {k for k, value in keywords.items() if value is not None}
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        if len(keywords) == len(fields):
            given -= {f.name for f in fields if f.default is keywords.get(f.name) or f.default == keywords.get(f.name)}
        object.__setattr__(self, "given", frozenset(given))
        object.__setattr__(self, "passed", frozenset(keywords))
        return self

    @property
    def world(self) -> Mapping[str, str]:
        """What the world is, each name with the keyword that chose it; a keyword belongs if one of its worlds does."""
        raise NotImplementedError

    def check_world(self) -> None:
        """ValueError where a given keyword belongs to another world, or means nothing with the value of another."""
        self._check_values()
        by = tuple(self.world.values())
        here = " and ".join(f"{world} ({name}={_short(getattr(self, name))})" for world, name in self.world.items())
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            if field.name in self.given and not self._belongs(field):
                its = " or ".join(worlds_of(field))
                chosen = self.given.intersection(by)
                todo = "leave one of them out" if chosen else f"leave it out, or choose {its} by {' and '.join(by)}"
                raise ValueError(
                    f"{field.name} belongs to {its} and means nothing in {here}: {todo} "
                    f"(got {field.name}={_short(getattr(self, field.name))})."
                )

    def _check_values(self) -> None:
        """ValueError where a given keyword means nothing with the value of the keyword that it depends on."""
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            keyword, values = field.metadata.get("with", ("", ()))
            if keyword and field.name in self.given and getattr(self, keyword) not in values:
                needed = " or ".join(f"{keyword}={value!r}" for value in values)
                raise ValueError(
                    f"{field.name} means nothing with {keyword}={_short(getattr(self, keyword))}: it needs {needed}; "
                    f"leave it out (got {field.name}={_short(getattr(self, field.name))})."
                )

    def own_keywords(self) -> dict[str, Any]:
        """Values of the keywords that mean something in this world, by name."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {field.name: getattr(self, field.name) for field in fields if self._belongs(field)}

    def _belongs(self, field: dataclasses.Field[Any]) -> bool:
        worlds = worlds_of(field)
        return not worlds or any(world in self.world for world in worlds)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
