"""How much windows differ among themselves beyond chance, as a component of variance that does not depend on how many rows a window has.

A window of ``n`` rows against a reference of ``m`` rows has a statistic (a squared z, or chi-squared with ``d = B - 1`` degrees of freedom) of mean
``M = d + c T`` with ``c = (1 + S) / (1/n + 1/m)``: rows contribute their degrees of freedom, and what differs between windows contributes ``T``, the same for
every size. ``S`` is the sum of the squared shares that the reference's windows have of its rows: their own differences are averaged, not gone. A window that
is as long as L of the reference's averages likewise: ``1/L`` takes the place of the 1.

``T`` solves ``mean_i X_i / M_i(T) = 1`` over the reference's windows, each against all others (Paule and Mandel 1982, *J. Res. NBS* 87:377; for windows of one
size this is the estimate of DerSimonian and Laird 1986, *Controlled Clinical Trials* 7:177). The mean being ``chi2_v / v`` about 1, all T that explain the
windows are known with their probabilities: those with ``mean_i X_i / M_i(T) = q`` for a q of that distribution (a generalised pivot: Tsui and Weerahandi 1989,
*JASA* 84:602). So an excess from few windows, or one carried over to far larger windows, is as uncertain as it should be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtr, chdtrc

from stream_processors.sketches.bins import Floats, Ints

# Kurtosis beyond the gaussian is believed as far as this many windows would prove it.
_PRIOR_WINDOWS = 5.0
# Squared z of windows whose effect is itself a square (a shift seen by a test of scale) has about this many degrees of freedom.
_LEAST_RANK = 0.15
_NODES = 80
_NEGLIGIBLE = 1e-16


@dataclass(frozen=True, slots=True, eq=False)
class BetweenWindows:
    """What differs between windows, as one test sees it.

    Attributes:
        degrees: of freedom of the statistic among the reference's windows.
        excess: T, the part of a statistic's mean per unit of exposure; 0 where rows alone explain how windows differ.
        rank: how many directions it has, by Satterthwaite's count: 1 where windows differ by shifts along one.
        shares: S, the sum of squared shares of the reference's windows.
        values: values of T that the windows allow.
        weights: their probabilities.
    """

    degrees: int
    excess: float
    rank: float
    shares: float
    values: Floats
    weights: Floats

    def exposure(self, n: float, m: float, spans: float = 1.0) -> float:
        """The factor c of a window of ``n`` rows against the reference's ``m``, as long as ``spans`` of the reference's windows."""
        return (1 / spans + self.shares) / (1 / n + 1 / m)

    def factor(self, n: float, m: float, spans: float = 1.0) -> float:
        """How many times greater than by chance the mean statistic is at this size; at least 1."""
        return 1 + self.exposure(n, m, spans) * self.excess / self.degrees

    def p_value(self, statistic: float, degrees: int, n: float, m: float, spans: float = 1.0) -> float:
        """P-value of a statistic at this size, over all T that the windows allow; never below that of independent rows.

        Given T it is a scaled chi-squared of the same mean and variance (Satterthwaite 1946, *Biometrics Bulletin* 2:110; for chi-squared tests of clustered rows
        Rao and Scott 1984, *Annals of Statistics* 12:46).
        """
        between = self.exposure(n, m, spans) * self.values
        mean = degrees + between
        freedom = mean * mean / (mean + between * (1 + between / self.rank))
        p = float(self.weights @ chdtrc(freedom, statistic * freedom / mean))
        return max(p, float(chdtrc(degrees, statistic)))


def between_windows(
    statistics: Floats,
    degrees: int,
    rows: Floats,
    residuals: Floats | None = None,
    *,
    sparse: bool = False,
) -> BetweenWindows | None:
    """Estimate from the statistic of each reference window of so many rows against all others; None where fewer than two are finite.

    Args:
        statistics: one a window; NaN where it has no test.
        degrees: of freedom, the same for all.
        rows: of each window.
        residuals: (windows, B), of which each row's squares add up to its statistic; without, the statistic is a squared z.
        sparse: the statistics count events that most windows may have none of: their variance says nothing of what differs between windows.
    """
    usable = np.isfinite(statistics)
    if degrees <= 0 or usable.sum() < 2:
        return None
    total = rows.sum()
    shares = float(np.square(rows / total).sum())
    statistics, rows = statistics[usable], rows[usable]
    others = total - rows
    exposures = (1 + (shares * total**2 - rows**2) / others**2) / (1 / rows + 1 / others)
    edges = _grid(statistics, degrees, exposures)
    ratios = np.mean(statistics / (degrees + np.multiply.outer(edges, exposures)), axis=1)
    excess = float(np.interp(-1.0, -ratios, edges))
    means = degrees + excess * exposures
    freedom = 1.0 if residuals is None else _gaussian_freedom(statistics, degrees, residuals[usable], means)
    if not sparse:
        freedom = _heavy_tailed(freedom, statistics / means)
    rank = _rank(excess * float(exposures.mean()), degrees, freedom)
    values, weights = _distribution(edges, ratios, freedom * (statistics.size - 1))
    return BetweenWindows(degrees, excess, rank, shares, values, weights)


def _grid(statistics: Floats, degrees: int, exposures: Floats) -> Floats:
    """Rising values of T, 0 first, up to one so great that the windows cannot have it."""
    least = 0.03 * degrees / float(exposures.max())
    most = 100 * (degrees + float(statistics.max())) / float(exposures.min())
    return np.concatenate(([0.0], np.geomspace(least, most, _NODES)))


def _gaussian_freedom(statistics: Floats, degrees: int, residuals: Floats, means: Floats) -> float:
    """Satterthwaite's degrees of freedom of the windows' statistics, at the size they have: ``tr(V)^2 / tr(V^2)`` of their covariance V.

    The squared inner product of two windows' residuals has ``tr(V^2)`` as its mean, over all pairs without bias (Chen and Qin 2010, *Annals of Statistics*
    38:808); the product of their statistics has ``tr(V)^2``. Over all pairs the squared inner products add up to those of the bins: a series of a hundred
    thousand windows is never held pair by pair.
    """
    scaled = residuals / np.sqrt(means)[:, None]
    ratios = statistics / means
    pairs = float(np.square(scaled.T @ scaled).sum() - np.square(np.square(scaled).sum(axis=1)).sum())
    squared_trace = float(ratios.sum() ** 2 - np.square(ratios).sum())
    return float(np.clip(squared_trace / max(pairs, 1e-9), 1.0, degrees))


def _heavy_tailed(freedom: float, ratios: Floats) -> float:
    """Lower the freedom where statistics vary more than it says, as the windows' effects do that are not gaussian."""
    variance = float(np.square(ratios - 1).sum()) / (ratios.size - 1)
    shrunk = (_PRIOR_WINDOWS * 2 / freedom + (ratios.size - 1) * variance) / (
        _PRIOR_WINDOWS + ratios.size - 1
    )
    return max(_LEAST_RANK, min(freedom, 2 / shrunk))


def _rank(between: float, degrees: int, freedom: float) -> float:
    """Rank of what differs between windows, from the freedom of rows and windows together."""
    if between <= 0:
        return 1.0
    squared = (degrees + between) ** 2 / freedom - degrees - 2 * between
    return float(np.clip(between**2 / max(squared, 1e-9 * between**2), _LEAST_RANK, degrees))


def _distribution(edges: Floats, ratios: Floats, freedom: float) -> tuple[Floats, Floats]:
    """Values of T and their probabilities, from the ratio that each would leave."""
    beyond = np.append(chdtr(freedom, freedom * ratios), 0.0)
    weights = np.concatenate(([float(chdtrc(freedom, freedom * ratios[0]))], beyond[:-1] - beyond[1:]))
    values = np.concatenate(
        ([0.0], np.append(np.sqrt(np.maximum(edges[:-1], edges[1] / 4) * edges[1:]), edges[-1]))
    )
    kept = weights > _NEGLIGIBLE
    return values[kept], weights[kept]


def share_statistics(hits: Floats, rows: Floats) -> Floats:
    """Pearson's chi-squared (one degree) of each window's share of hits against that of all other windows; NaN where no share varies.

    >>> share_statistics(np.array([10.0, 20.0]), np.array([100.0, 100.0])).round(4).tolist()
    [3.9216, 3.9216]
    """
    total_hits, total = hits.sum(), rows.sum()
    share = total_hits / total
    others = total - rows
    if not 0 < share < 1 or not others.all():
        return np.full(hits.shape, np.nan)
    difference = hits / rows - (total_hits - hits) / others
    result: Floats = np.square(difference) / (share * (1 - share) * (1 / rows + 1 / others))
    return result


def between_shares(hits: Floats, rows: Floats) -> BetweenWindows | None:
    """How the windows' shares of hits differ."""
    return between_windows(share_statistics(hits, rows), 1, rows, sparse=True)


def between_histograms(groups: Ints) -> BetweenWindows | None:
    """How the windows' histograms (windows, B) differ, as the two-sample chi-squared test sees it."""
    groups = groups[:, groups.any(axis=0)]
    rows, total = groups.sum(axis=1).astype(np.float64), groups.sum(axis=0)
    ratio = np.sqrt((rows.sum() - rows) / rows)[:, None]
    residuals = (ratio * groups - (total - groups) / ratio) / np.sqrt(total)
    return between_windows(np.square(residuals).sum(axis=1), groups.shape[1] - 1, rows, residuals)
