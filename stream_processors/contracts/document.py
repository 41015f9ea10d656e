"""A YAML document that knows the line of each of its fields and refuses a key that stands twice. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from producers.errors import ConfigError

Place = tuple[str | int, ...]

# a name as it is told is not longer: a mistake is one line
_BRIEF = 100
# what no mapping of a contract has: to tell more than 1,000 features from far more, which are not even read
_MOST_FIELDS = 2_000


@dataclass(frozen=True)
class Problem:
    """One mistake of a file.

    Attributes:
        line: from 1.
        field: path such as ``features.age.kind``; empty: the document as a whole.
        reason: what is wrong with it.
    """

    line: int
    field: str
    reason: str

    def told(self, source: str) -> str:
        """One line: file, line, field, reason."""
        return f"{source} line {self.line}: {f'{self.field}: ' if self.field else ''}{self.reason}"


class ContractFileError(ConfigError):
    """A file that is no contract; the message tells the first problem and how many more there are.

    Attributes:
        source: names the file.
        problems: every one that was found, by line.
    """

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda one: one.line))
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(self.problems[0].told(source) + more)


class _Loader(yaml.SafeLoader):
    """Says where a date stands that no calendar has, a number that is too long, or text that no encoding has; and ``010`` and ``1:30``, numbers
    of base 8 and 60 in YAML 1.1, are text.
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if isinstance(parent, yaml.MappingNode) and len(parent.value) > _MOST_FIELDS:
            why = f"more than {_MOST_FIELDS:,} fields stand here, and a contract has 1,000 features at most"
            raise _TooManyFields(problem=why, problem_mark=parent.start_mark)
        return super().compose_node(parent, index)

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> Any:
        try:
            return super().construct_yaml_timestamp(node)
        except ValueError:
            raise _refused(node, "no such date") from None

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        try:
            return int(super().construct_yaml_int(node))
        except ValueError:
            raise _refused(node, "no number, or one of thousands of digits") from None

    def construct_yaml_str(self, node: yaml.ScalarNode) -> str:
        text = str(super().construct_yaml_str(node))
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _refused(node, "half of a surrogate pair is no text") from None
        return text


def _refused(node: yaml.Node, why: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(problem=why, problem_mark=node.start_mark)


_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_timestamp)
_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.construct_yaml_str)
_Loader.add_constructor(_INT, _Loader.construct_yaml_int)
_Loader.yaml_implicit_resolvers = {
    first: [one for one in resolvers if one[0] not in {_INT, _FLOAT}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_INT, re.compile(r"[-+]?(?:0|[1-9][0-9_]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(
        r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


class Document:
    """A parsed YAML file.

    Args:
        text: the file.
        source: names it in errors.

    Attributes:
        body: what it says.

    Raises:
        ContractFileError: not YAML, or a key that stands twice in one mapping, which YAML would answer with the second.
    """

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        loader = _Loader("")
        try:
            loader = _Loader(text)
            self._root = loader.get_single_node()
            twice = list(_twice(self._root, (), set()))
            self.body: Any = None if self._root is None else loader.construct_document(self._root)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ContractFileError(source, [_unreadable(error, text)]) from None
        finally:
            loader.dispose()
        if twice:
            raise ContractFileError(source, twice)

    def refused(self, mistakes: Sequence[tuple[Place, str]]) -> ContractFileError:
        """The error that names these places of the document; each place is told once."""
        found: dict[str, Problem] = {}
        for place, reason in mistakes:
            field = ".".join(_brief(str(part)) for part in place)
            found.setdefault(field, Problem(self.line(place), field or "contract", reason))
        return ContractFileError(self.source, list(found.values()))

    def line(self, place: Place) -> int:
        """The line of a field; of what it would stand in where it is missing."""
        return self._find(place)[0]

    def known(self, place: Place) -> Place:
        """As much of a place as there is in the document."""
        return place[: self._find(place)[1]]

    def _find(self, place: Place) -> tuple[int, int]:
        """Line and depth of the deepest part of a place that is there."""
        node = self._root
        line = 1 if node is None else node.start_mark.line + 1
        for depth, part in enumerate(place):
            found = _inner(node, part)
            if found is None:
                return line, depth
            mark, node = found
            line = mark.line + 1
        return line, len(place)


def _brief(name: str) -> str:
    return name if len(name) <= _BRIEF else f"{name[: _BRIEF - 3]}..."


def _inner(node: Any, part: str | int) -> tuple[Any, Any] | None:
    """Where a part of a node begins, and its value; None where there is none."""
    if isinstance(node, yaml.MappingNode):
        # of keys that were merged in and own ones the last counts
        for key, value in reversed(node.value):
            if key.value == str(part):
                return key.start_mark, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark, node.value[part]
    return None


def _twice(node: Any, place: tuple[str, ...], seen: set[int]) -> Iterator[Problem]:
    """Keys that stand twice in one mapping."""
    if id(node) in seen:
        return
    # an anchor may contain itself
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        first: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            if first.setdefault(name, key) is not key:
                before = first[name].start_mark.line + 1
                reason = f"stands twice, first on line {before}"
                yield Problem(key.start_mark.line + 1, ".".join([*place, name]), reason)
            yield from _twice(value, (*place, name), seen)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _twice(value, (*place, str(number)), seen)


class _TooManyFields(yaml.constructor.ConstructorError):
    """YAML, and more of it than a contract can be: told before all of it is taken apart, which would take minutes."""


def _unreadable(error: Exception, text: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", None)
    if mark is not None:
        line = mark.line + 1
    else:
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
    if isinstance(error, _TooManyFields):
        return Problem(line, "", str(error.problem))
    why = getattr(error, "problem", None) or getattr(error, "reason", None)
    return Problem(line, "", f"not YAML: {why}" if isinstance(why, str) else "not YAML")
