"""Reads the part of a contract's file that matters at the source, and refuses every word it does not know: a misspelt `pii` would protect nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from producers.at_source.buckets import Bucket
from producers.at_source.promises import (
    ENTITY_PROTECTIONS,
    KINDS,
    POLICIES,
    PROTECTIONS,
    FeaturePromise,
    SourcePromises,
    protection_problem,
)
from producers.errors import ConfigError

CONTRACT_FIELDS = frozenset(
    {
        "model", "environment", "owner", "description", "routes", "prediction", "features", "slices", "windows", "label", "drift",
        "on_violation", "retention_days", "sampling_rate", "keep_errors", "entity_id", "references",
    }
)  # fmt: skip
FEATURE_FIELDS = frozenset(
    {"kind", "required", "precision", "values", "only_listed", "minimum", "maximum", "pii", "bucket", "drift"}
)
MAX_MODEL_LENGTH = 200
MAX_FEATURES = 1_000
_YAML = (".yaml", ".yml")
_LARGEST = sys.float_info.max


def read_promises(path: Path) -> SourcePromises:
    """What a contract's file says that matters at the source.

    Raises:
        ConfigError: a file that cannot be read, is neither YAML nor JSON, or no contract; one line that names file and place.
    """
    suffix = path.suffix.lower()
    if suffix not in {*_YAML, ".json"}:
        raise ConfigError(f"{path}: a contract ending in {', '.join([*_YAML, '.json'])} is wanted")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {getattr(error, 'strerror', None) or 'not text'}") from None
    if suffix not in _YAML:
        return promises_of(_from_json(text, path), str(path))
    body = _from_yaml(text, path)
    try:
        return promises_of(body, str(path))
    except _Misplaced as mistake:
        raise ConfigError(mistake.told(f"{path} line {_line(text, mistake.place)}")) from None


def promises_of(body: object, source: str) -> SourcePromises:
    """The promises in a contract that was read from YAML or JSON; ``source`` names it in errors.

    Raises:
        ConfigError: no contract, or a word nobody knows.
    """
    part = _Part(body, source, (), CONTRACT_FIELDS)
    features = part.named("features")
    if len(features) > MAX_FEATURES:
        raise part.error("features", f"more than {MAX_FEATURES:,}")
    model = part.text("model")
    if not model or len(model) > MAX_MODEL_LENGTH:
        raise part.error("model", f"a name of 1 to {MAX_MODEL_LENGTH} characters is wanted")
    rate = part.number("sampling_rate", 1.0)
    if rate is None or not 0 < rate <= 1:
        raise part.error("sampling_rate", "a number above 0 and up to 1 is wanted")
    return SourcePromises(
        model=model,
        environment=part.text("environment"),
        features={
            name: _feature(_Part(one, source, ("features", name), FEATURE_FIELDS))
            for name, one in features.items()
        },
        on_violation=part.word("on_violation", POLICIES, "warn"),
        sampling_rate=rate,
        keep_errors=part.truth("keep_errors", default=True),
        entity_id=part.word("entity_id", ENTITY_PROTECTIONS, "none"),
    )


def _feature(part: _Part) -> FeaturePromise:
    found = FeaturePromise(
        kind=part.word("kind", KINDS),
        required=part.truth("required", default=False),
        values=part.texts("values"),
        only_listed=part.truth("only_listed", default=False),
        minimum=part.number("minimum"),
        maximum=part.number("maximum"),
        pii=part.word("pii", PROTECTIONS, "none"),
        bucket=part.bucket("bucket"),
    )
    if found.only_listed and found.values is None:
        raise part.error("only_listed", "needs values")
    problem = protection_problem(found.kind, found.pii, found.bucket, found.values)
    if problem:
        raise part.error("pii", problem)
    return found


class _Misplaced(ConfigError):
    """What is wrong with the field at this place of a contract."""

    def __init__(self, source: str, place: tuple[str, ...], problem: str) -> None:
        self.place, self._problem = place, problem
        super().__init__(self.told(source))

    def told(self, source: str) -> str:
        return f"{source}: {'.'.join(self.place) or 'contract'}: {self._problem}"


class _Part:
    """A mapping of the file, its values read by what they must be; a field that is not there is None or its default."""

    def __init__(
        self, body: object, source: str, place: tuple[str, ...], known: Collection[str] | None
    ) -> None:
        self._source, self._place = source, place
        if not isinstance(body, Mapping):
            raise self.error("", "a mapping is wanted")
        self.body: Mapping[Any, Any] = body
        for name in body:
            if not isinstance(name, str):
                raise self.error(str(name), "a name is wanted: put it in quotation marks")
            if known is not None and name not in known:
                raise self.error(name, "no contract has such a field")

    def error(self, name: str, problem: str) -> ConfigError:
        return _Misplaced(self._source, (*self._place, name) if name else self._place, problem)

    def named(self, name: str) -> Mapping[str, Any]:
        """A mapping of names to anything; empty where there is none."""
        return _Part(self.body.get(name, {}), self._source, (name,), None).body

    def word(self, name: str, words: Collection[str], default: str | None = None) -> str:
        value = self.body.get(name, default)
        if not isinstance(value, str) or value not in words:
            raise self.error(name, f"one of {', '.join(words)} is wanted")
        return value

    def text(self, name: str) -> str | None:
        value = self.body.get(name)
        if value is not None and not isinstance(value, str):
            raise self.error(name, "a text is wanted")
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.error(name, "a list of texts is wanted: put numbers and yes or no in quotation marks")
        return tuple(value)

    def truth(self, name: str, *, default: bool) -> bool:
        value = self.body.get(name, default)
        if not isinstance(value, bool):
            raise self.error(name, "true or false is wanted")
        return value

    def number(self, name: str, default: float | None = None) -> float | None:
        value = self.body.get(name, default)
        return None if value is None else self._double(name, value)

    def bucket(self, name: str) -> Bucket | None:
        value = self.body.get(name)
        if isinstance(value, list):
            return tuple(self._double(name, one) for one in value)
        return None if value is None else self._double(name, value)

    def _double(self, name: str, value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.error(name, f"a number is wanted, not {type(value).__name__}")
        # an integer in digits may be beyond every double, and comparing is exact
        if not -_LARGEST <= value <= _LARGEST:
            raise self.error(name, "a finite number is wanted")
        return float(value)


def _from_json(text: str, path: Path) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise ConfigError(f"{path}{f' line {line}' if line else ''}: not JSON") from None


def _from_yaml(text: str, path: Path) -> object:
    try:
        import yaml  # of the extra [processors]: a service that gives its contract as JSON does without
    except ImportError:
        raise ConfigError(
            f"{path}: a contract in YAML needs PyYAML: pip install pyyaml, or give what `hindcast contract show MODEL --json` prints"
        ) from None
    try:
        return yaml.safe_load(text)
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
    ) as error:  # the last two of dates and depths that cannot be
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(f"{path}{f' line {mark.line + 1}' if mark else ''}: not YAML") from None


def _line(text: str, place: tuple[str, ...]) -> int:
    """The line of a field, from 1; of what it would stand in where it is missing. Only of text that was read as YAML."""
    import yaml

    node = yaml.compose(text, yaml.SafeLoader)
    line = 1 if node is None else node.start_mark.line + 1
    for name in place:
        inner = reversed(node.value) if isinstance(node, yaml.MappingNode) else ()
        found = next(((key, value) for key, value in inner if key.value == name), None)
        if found is None:
            break
        key, node = found
        line = key.start_mark.line + 1
    return int(line)
