"""The models of the demo: logistic regressions that say how likely a departing flight is to arrive late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hindcast.demo.flights import CATEGORICAL, FEATURES, NUMERIC

if TYPE_CHECKING:
    import pandas as pd

THRESHOLD = 0.5


def train(rows: pd.DataFrame) -> Any:
    """A scikit-learn pipeline fitted on departures whose outcome is known; missing weather takes the training median."""
    from sklearn.compose import ColumnTransformer  # a package of the demo's extra
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    known = rows[rows["late"].notna()]
    columns = ColumnTransformer(
        [
            ("numeric", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), list(NUMERIC)),
            ("categorical", OneHotEncoder(handle_unknown="ignore"), list(CATEGORICAL)),
        ]
    )
    pipeline = make_pipeline(columns, LogisticRegression(max_iter=500))
    return pipeline.fit(known[list(FEATURES)], known["late"].astype(bool))


def score(pipeline: Any, rows: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Probability of arriving late, one per row."""
    probabilities = pipeline.predict_proba(rows[list(FEATURES)])
    return np.asarray(probabilities[:, 1], dtype=np.float64)
