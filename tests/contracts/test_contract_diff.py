"""`hindcast contract diff` of files and of what is published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from contract_command import run

FIRST = "model: m\nowner: a\nfeatures:\n  age: {kind: numeric, precision: 5}\n"
HOSTILE = "m [red]'é"


def written(directory: Path, name: str, text: str) -> Path:
    """A file."""
    (directory / name).write_text(text)
    return directory / name


def test_two_files(tmp_path: Path) -> None:
    """A change of shape is told from one of an owner, for people and for programs."""
    a = written(tmp_path, "a.yaml", FIRST)
    owner = written(tmp_path, "b.yaml", FIRST.replace("owner: a", "owner: '[red]'"))
    shape = written(tmp_path, "c.yaml", FIRST.replace("precision: 5", "precision: 9, minimum: 1"))
    told = run("diff", a, owner)
    assert told.exit_code == 0
    assert ["owner", "a", "[red]"] in [line.split() for line in told.output.splitlines()]
    assert "the shape stays: no window is split" in told.output
    assert "the shape changes" in run("diff", a, shape).output
    assert "no difference" in run("diff", a, a).output
    facts = json.loads(run("diff", a, shape, "--json").output)
    assert facts["shape_changes"]
    assert facts["changes"] == [
        {"field": "features.age.precision", "before": 5, "after": 9, "shape": True, "rule": None},
        {"field": "features.age.minimum", "before": None, "after": 1.0, "shape": False, "rule": "tightened"},
    ]
    assert not json.loads(run("diff", a, owner, "--json").output)["shape_changes"]


def test_what_is_published(tmp_path: Path, contracts_topic: dict[str, str]) -> None:
    """A file against what is in effect, and the last two of a model; one that was published again is one."""
    text = FIRST.replace("model: m", f'model: "{HOSTILE}"')
    first = written(tmp_path, "a.yaml", text)
    second = written(tmp_path, "b.yaml", text.replace("precision: 5", "precision: 6"))
    none = run("diff", first, **contracts_topic)
    assert (none.exit_code, "has no contract in effect in production" in none.output) == (2, True)
    for _ in range(2):
        assert run("publish", first, **contracts_topic).exit_code == 0
    alone = run("diff", HOSTILE, **contracts_topic)
    assert (alone.exit_code, "has no two contracts in production" in alone.output) == (2, True)
    (change,) = json.loads(run("diff", second, "--json", **contracts_topic).output)["changes"]
    assert (change["before"], change["after"]) == (5, 6)
    assert run("publish", second, **contracts_topic).exit_code == 0
    (published,) = json.loads(run("diff", HOSTILE, "--json", **contracts_topic).output)["changes"]
    assert published == change
    assert run("diff", second, **contracts_topic).output.strip() == "no difference"


def test_a_baseline_that_was_published_is_no_difference(
    tmp_path: Path, contracts_topic: dict[str, str]
) -> None:
    """`publish` fills its digest in, from the baseline beside the file; one that no longer fits counts as none."""
    file, data = tmp_path / "m.yaml", tmp_path / "data.csv"
    data.write_text("age\n1\n2\n")
    assert run("infer", data, "--model", "m", "--output", file).exit_code == 0
    assert run("publish", file, **contracts_topic).exit_code == 0
    assert run("diff", file, **contracts_topic).output.strip() == "no difference"
    file.write_text(file.read_text().replace("precision: 20", "precision: 9"))
    changed = json.loads(run("diff", file, "--json", **contracts_topic).output)["changes"]
    assert {one["field"] for one in changed} == {"features.age.precision", "references.training"}


def test_a_narrow_terminal_cuts_no_field_off(tmp_path: Path) -> None:
    """Rows that differ in their end stay apart; what does not fit is wrapped."""
    features = "model: m\nfeatures:\n  tenure_of_customer: {kind: numeric, precision: %s, minimum: %s}\n  plan: {kind: categorical, values: [%s]}\n"
    a = written(tmp_path, "a.yaml", features % (5, 0, ", ".join("abcdefghijklm")))
    b = written(tmp_path, "b.yaml", features % (6, 1, ", ".join("abcdefghijklmnopq")))
    told = run("diff", a, b, COLUMNS="80").output
    for field in ("precision", "minimum"):
        assert f"features.tenure_of_customer.{field} " in told
    assert "tightened" in told
    long = "x" * 90
    a = written(tmp_path, "a.yaml", f"model: m\nfeatures: {{{long}: {{kind: numeric, precision: 5}}}}\n")
    b = written(tmp_path, "b.yaml", f"model: m\nfeatures: {{{long}: {{kind: numeric, precision: 6}}}}\n")
    told = run("diff", a, b, COLUMNS="80").output
    assert told.count("x") >= 90
    assert "…" not in told


def test_a_name_cannot_steer_a_terminal(tmp_path: Path) -> None:
    """Control characters in names and values are written out."""
    a = written(tmp_path, "a.yaml", FIRST)
    b = written(tmp_path, "b.yaml", FIRST.replace("owner: a", 'owner: "\\e[2J"').replace("age:", '"\\e[1m":'))
    told = run("diff", a, b).output
    assert "\\x1b[2J" in told
    assert "\x1b" not in told


@pytest.mark.parametrize("arguments", [("nowhere.yaml",), ("nowhere.yaml", "b.yaml")])
def test_a_file_that_is_not_there(arguments: tuple[str, ...]) -> None:
    """Is named."""
    done = run("diff", *arguments)
    assert (done.exit_code, done.output) == (2, "cannot read nowhere.yaml: No such file or directory")
