"""Confidence sequences: intervals that hold at all looks at once, however often one looks and whatever ends it.

An interval at 95 % that is computed after each new repeat leaves out the truth far more often than in 5 % of cases, at
one look or another. These leave it out at any look at all in at most 5 %.
"""

from __future__ import annotations

import math

# The variance, in units of that of the noise, of what an effect may be before anything is seen. The intervals hold for
# every value; this one makes them short from about 4 to 20 repeats on.
PRIOR_VARIANCE = 30.0


def log_evidence(t: float, freedom: float, information: float, prior: float = PRIOR_VARIANCE) -> float:
    """The log of the evidence against an effect of 0, which is 1 in the mean where the effect is 0.

    With the effect / sigma normal with variance `prior`, and sigma of any scale (the right Haar prior), the Bayes
    factor of a t statistic is a test martingale (M. F. Pérez-Ortiz, T. Lardy, R. de Heide, P. Grünwald, E-statistics,
    group invariance and anytime-valid testing, Annals of Statistics 52, 2024; M. Lindon, D. W. Ham, M. Tingley,
    I. Bojinov, Anytime-valid linear models and regression adjusted causal inference, 2022). So it exceeds 1 / alpha at
    any time at all with a probability of at most alpha (J. Ville, 1939), where the noise is normal.

    t: estimate / its standard error. freedom: degrees of freedom of that error, 1 or more. information: sigma^2 over
    the variance of the estimate; for the mean of n values n, with n - 1 degrees of freedom.
    """
    growth = 1 + information * prior
    square = t * t / freedom
    return 0.5 * ((freedom + 1) * (math.log1p(square) - math.log1p(square / growth)) - math.log(growth))


def half_width(
    error: float,
    freedom: float,
    information: float,
    alpha: float,
    prior: float = PRIOR_VARIANCE,
    *,
    one_sided: bool = False,
) -> float:
    """Half the width of the confidence sequence of an effect at 1 - alpha: infinite where there is too little to tell.

    error: the standard error of the estimate; the others as in `log_evidence`. It is the set of all effects against
    which the evidence is below 1 / alpha.

    one_sided: how far the lower bound alone lies below the estimate. The evidence E is the mean of E+ and E-, those by
    effects above and below 0 (half normal). E+ is a test martingale too where the effect is 0. Where it is below 0, E+
    is at no time larger than it would be with the effect taken out of the same noise, since it rises with t: so it
    exceeds 1 / alpha with a probability of at most alpha for all of these effects together. For t > 0, E- is below its
    value at 0, which is that of E; so E+ reaches 1 / alpha where 2 E - E(t = 0) does, if not before.
    """
    growth = 1 + information * prior
    if freedom < 1:
        return math.inf
    if one_sided:
        alpha = 2 / (1 / alpha + 1 / math.sqrt(growth))
    bound = math.exp((math.log(growth) - 2 * math.log(alpha)) / (freedom + 1))
    if bound >= growth:
        return math.inf
    return error * math.sqrt(freedom * (bound - 1) / (1 - bound / growth))
