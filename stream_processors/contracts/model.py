"""What a model promises: a validated value, its YAML, its canonical JSON and digests.

The *shape* of a contract is what sketches depend on; the rest (thresholds, owner, routes, horizon) may change without
splitting anything (design: "What a delta holds").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from producers.at_source.buckets import Bucket, bucket_problem
from stream_processors.contracts.document import Document
from stream_processors.contracts.problems import mistakes, schema_mistakes
from stream_processors.contracts.values import Name, Number, Seconds, Whole, duration, seconds

MAX_LISTED = 1_000
_MAX_FEATURES = 1_000
# fields that were not there when the first contracts were published, with what they then meant
_LATER = {"bucket": None, "keep_errors": True, "entity_id": "none", "keep_days": 0}
RETENTIONS = (0, 7, 30, 90, 180, 365, 730, 1095, 2555, 3650)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class FeatureDrift(_Part):
    """Drift settings of one feature; None takes the contract's."""

    enabled: bool = True
    warn: Number | None = Field(default=None, gt=0)
    severe: Number | None = Field(default=None, gt=0)


def _drift(value: object) -> object:
    # YAML 1.1 reads a bare `off` as false
    if value == "off" or value is False:
        return {"enabled": False}
    if value == "on" or value is True:
        return {}
    return value


def _listed(values: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if len(values or ()) > MAX_LISTED:
        raise ValueError(f"more than {MAX_LISTED:,} values: leave the list out")
    return values


def _bucket(bucket: Bucket | None) -> Bucket | None:
    problem = None if bucket is None else bucket_problem(bucket)
    if problem:
        raise ValueError(problem)
    return bucket


class Feature(_Part):
    """One input column.

    Attributes:
        precision: significant bits of a numeric histogram, 0 to 20.
        values: categories counted by name; None: by smallest hashes.
        minimum, maximum: range of a numeric feature, inclusive; values outside break the contract.
        pii: what becomes of it before it leaves the service; ``kind`` is that of what is sent.
        bucket: width, or rising edges, with ``pii: bucket``.
    """

    kind: Literal["numeric", "categorical"]
    required: bool = False
    precision: Whole = Field(default=5, ge=0, le=20)
    values: Annotated[tuple[str, ...] | None, AfterValidator(_listed)] = None
    only_listed: bool = False
    minimum: Number | None = None
    maximum: Number | None = None
    pii: Literal["none", "drop", "hash", "bucket"] = "none"
    bucket: Annotated[Bucket | None, AfterValidator(_bucket)] = None
    drift: Annotated[FeatureDrift, BeforeValidator(_drift)] = FeatureDrift()

    @field_validator("only_listed")
    @classmethod
    def _has_a_list(cls, wanted: Any, info: ValidationInfo) -> Any:
        if wanted and info.data.get("values", ()) is None:
            raise ValueError("needs values")
        return wanted

    @property
    def hidden(self) -> bool:
        """Whether what events carry of it says nothing of its values: no reference holds it, and its drift is not looked for."""
        return self.pii in {"drop", "hash"}


class Prediction(_Part):
    """What the model answers."""

    kind: Literal["binary", "multiclass", "regression", "ranking"] = "binary"
    positive_class: Name | None = None
    threshold: Number | None = None
    classes: tuple[Name, ...] = ()
    score_precision: Whole = Field(default=7, ge=0, le=20)


def _names(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _rows(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple((item,) if isinstance(item, str) else item for item in value)
    return value


def _one_or_two(names: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(names) <= 2:
        raise ValueError("a slice is by one name or by a pair")
    if len(set(names)) < len(names):
        raise ValueError("a pair is of two names")
    return names


class Slice(_Part):
    """A categorical feature or segment (or several) and the values that get a slice of their own; the rest is @other."""

    by: Annotated[tuple[Name, ...], BeforeValidator(_names), AfterValidator(_one_or_two)]
    values: Annotated[tuple[tuple[Name, ...], ...], BeforeValidator(_rows)]

    @field_validator("values")
    @classmethod
    def _fit_the_names(
        cls, values: tuple[tuple[str, ...], ...], info: ValidationInfo
    ) -> tuple[tuple[str, ...], ...]:
        if len(values) > MAX_LISTED:
            raise ValueError(f"more than {MAX_LISTED:,} slices")
        if any(len(row) != len(info.data.get("by", row)) for row in values):
            raise ValueError("each value needs as many parts as `by` has names")
        return values


def _divides_a_day(base: int) -> int:
    if not 1 <= base <= 86400 or 86400 % base:
        raise ValueError("base must divide a day: from 1s to 1d")
    return base


_ROLLUPS = ("1h", "1d")


class Windows(_Part):
    """Base window and roll-ups, in seconds; a calendar month is the roll-up `month`.

    Attributes:
        keep_days: base windows shorter than an hour are kept for so many days, their hours and days for ever; 0 keeps them too.
    """

    base: Annotated[Seconds, AfterValidator(_divides_a_day)] = 60
    rollups: tuple[str, ...] = _ROLLUPS
    keep_days: Whole = Field(default=0, ge=0, le=36_500)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_no_rollup(cls, said: Any) -> Any:
        """Of the default what sums up more than one base window: it is written into the contract like all else."""
        if not isinstance(said, dict) or "rollups" in said or "base" not in said:
            return said
        try:
            base = seconds(said["base"])
        except ValueError:
            return said  # which is told of the base
        fitting = tuple(one for one in _ROLLUPS if seconds(one) > base > 0 == seconds(one) % base)
        return {**said, "rollups": fitting} if fitting != _ROLLUPS else said

    @field_validator("rollups")
    @classmethod
    def _are_multiples(cls, rollups: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        base = info.data.get("base")
        for rollup in rollups:
            try:
                long = rollup == "month" or seconds(rollup)
            except ValueError as error:
                raise ValueError(f"roll-up {rollup}: {error}") from None
            if base and long is not True and (long % base or long <= base):
                raise ValueError(f"roll-up {rollup} is not a multiple of the base window")
        return rollups


class Label(_Part):
    """How long the truth may take, in seconds, and how much of it is expected."""

    horizon: Seconds = 30 * 86400
    minimum_coverage: Number = Field(default=0.0, ge=0, le=1)


class Drift(_Part):
    """Thresholds of verdicts and alerts (design/drift.md)."""

    warn: Number = Field(default=0.1, gt=0)
    severe: Number = Field(default=0.25, gt=0)
    level: Number = Field(default=0.05, gt=0, lt=1)
    minimum_sample: Whole = Field(default=200, ge=2, le=1_000_000_000)
    persistence: Whole = Field(default=2, ge=1, le=1_000_000)
    references: tuple[Literal["training", "previous", "seasonal", "version"], ...] = ()


def _retention(days: int) -> int:
    if days not in RETENTIONS:
        raise ValueError(f"must be one of {', '.join(map(str, RETENTIONS))} (0 keeps for ever)")
    return days


def _few(features: Mapping[str, Feature]) -> Mapping[str, Feature]:
    if len(features) > _MAX_FEATURES:
        raise ValueError(f"more than {_MAX_FEATURES:,} features")
    return features


def _apart(slices: tuple[Slice, ...]) -> tuple[Slice, ...]:
    if len({one.by for one in slices}) < len(slices):
        raise ValueError("two slices by the same names: list all values in one")
    return slices


class Contract(_Part):
    """A model's contract.

    Attributes:
        environment: None applies to every environment.
        on_violation: whether an event that breaks it is kept with a warning or becomes a dead letter.
        retention_days: one of `RETENTIONS`; 0 keeps for ever.
        sampling_rate, keep_errors: the share of events that a service with this contract sends, and whether it sends failed predictions
            whatever the share.
        entity_id: what becomes of entity ids before they leave the service.
        references: name → digest of the published reference sketches.
    """

    model: str = Field(min_length=1, max_length=200)
    environment: Name | None = None
    owner: Name | None = None
    description: str | None = None
    routes: Mapping[str, tuple[str, ...]] = {}
    prediction: Prediction = Prediction()
    features: Annotated[Mapping[Name, Feature], AfterValidator(_few)] = {}
    slices: Annotated[tuple[Slice, ...], AfterValidator(_apart)] = ()
    windows: Windows = Windows()
    label: Label = Label()
    drift: Drift = Drift()
    on_violation: Literal["warn", "reject"] = "warn"
    retention_days: Annotated[Whole, AfterValidator(_retention)] = 90
    sampling_rate: Number = Field(default=1.0, gt=0, le=1)
    keep_errors: bool = True
    entity_id: Literal["none", "drop", "hash"] = "none"
    references: Mapping[Name, Name] = {}

    @property
    def sent_features(self) -> dict[str, Feature]:
        """The features that events carry: all but the dropped."""
        return {name: one for name, one in self.features.items() if one.pii != "drop"}

    def canonical(self) -> str:
        """Canonical JSON: sorted keys, no spaces, defaults written out.

        Fields that came later are left out where they say nothing, so that the digest of a contract stays what it was.
        """
        body = self.model_dump(mode="json")
        for part in (body, body["windows"], *body["features"].values()):
            for name, default in _LATER.items():
                if part.get(name, ...) == default:
                    del part[name]
        return _canonical(body)

    def digest(self) -> str:
        """SHA-256 of the canonical JSON, hex."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def shape(self) -> str:
        """Digest (16 hex digits) of `shape_facts`."""
        return hashlib.sha256(_canonical(self.shape_facts()).encode()).hexdigest()[:16]

    def shape_facts(self) -> dict[str, Any]:
        """Features' kinds, precisions, lists and protection, slices, base window and score precision."""
        return {
            "features": {
                name: {
                    "kind": f.kind,
                    "precision": f.precision if f.kind == "numeric" else 0,
                    "values": sorted(f.values) if f.values is not None else None,
                    # what is counted is what was sent; contracts without personal data have the shapes they always had
                    **({} if f.pii == "none" else {"pii": f.pii, "bucket": f.bucket}),
                }
                for name, f in self.features.items()
            },
            "slices": [s.model_dump(mode="json") for s in self.slices],
            "base": self.windows.base,
            "score_precision": self.prediction.score_precision,
        }

    @classmethod
    def from_yaml(cls, text: str, source: str = "contract") -> Contract:
        """A contract from its YAML.

        Raises:
            ContractFileError: not YAML, or not a contract; a ConfigError of one line that names file, line, field and reason.
        """
        document = Document(text, source)
        try:
            found = cls.model_validate(document.body)
        except ValidationError as error:
            raise document.refused(schema_mistakes(document, error)) from None
        wrong = list(mistakes(found))
        if wrong:
            raise document.refused(wrong)
        return found

    def to_yaml(self) -> str:
        """YAML with defaults left out: a line per feature, durations as people write them."""
        body = self.model_dump(mode="json", exclude_defaults=True)
        for part, field in (("windows", "base"), ("label", "horizon")):
            if field in body.get(part, {}):
                body[part][field] = duration(body[part][field])
        for one in body.get("slices", []):
            if len(one["by"]) == 1:
                one["by"], one["values"] = one["by"][0], [row[0] for row in one["values"]]
        # None: innermost maps and lists on one line
        return yaml.dump(
            body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None
        )


class _Dumper(yaml.SafeDumper):
    """Escapes what is a line break to YAML 1.1, and read back as a space: U+0085, the ellipsis of a cp1252 text that was read as Latin-1."""

    def represent_str(self, text: str) -> yaml.ScalarNode:
        if "\x85" in text:
            return self.represent_scalar("tag:yaml.org,2002:str", text, style='"')
        return super().represent_str(text)


_Dumper.add_representer(str, _Dumper.represent_str)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
