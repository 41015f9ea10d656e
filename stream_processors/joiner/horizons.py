"""How long after its fact a prediction may come, per fact: the label horizon of the contract that applies to the fact. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_processors.contracts.effect import ContractHistory
from stream_processors.contracts.model import Contract
from stream_processors.joiner.micros import Ints, micros

_DEFAULT_S = Contract(model="-").label.horizon
# a fact that names no environment is judged by the contract of the usual one
_ENVIRONMENT = "production"


def horizons(facts: pa.Table, history: ContractHistory) -> Ints:
    """The label horizon of each fact in seconds, by the contract in effect at the fact's append time; 30 days without one."""
    found = np.full(facts.num_rows, _DEFAULT_S, dtype=np.int64)
    appended_at = micros(facts["_appended_at"])
    environments = pc.fill_null(facts["environment"], _ENVIRONMENT)
    for model in facts["model"].unique().to_pylist():
        of_model = pc.equal(facts["model"], model)
        for environment in pc.filter(environments, of_model).unique().to_pylist():
            rows = np.flatnonzero(pc.and_(of_model, pc.equal(environments, environment)).to_numpy())
            found[rows] = _by_time(appended_at[rows], model, environment, history)
    return found


def _by_time(appended_at: Ints, model: str, environment: str, history: ContractHistory) -> Ints:
    starts = sorted(set(history.boundaries(model, environment)))
    applying = [history.applying(model, environment, start) for start in starts]
    horizon_s = [_DEFAULT_S, *(one.contract.label.horizon if one else _DEFAULT_S for one in applying)]
    return np.array(horizon_s, dtype=np.int64)[
        np.searchsorted(np.array(starts, dtype=np.int64), appended_at, side="right")
    ]
