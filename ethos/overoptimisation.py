"""Whether a reward was over-optimised: the proxy rises while what was not optimised gets worse, step by step of the training."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ethos.settings import Report
from ethos.verdicts import above_zero, signed

Row = Mapping[str, Any]
PROXY = "preference_model_score"
# What should not fall while the proxy rises, as it is called in a sentence.
_WATCHED = {"likelihood_ratio": "the likelihood ratio", "cue_rate": "the rate of cue words"}
_TAUGHT = (
    " The likelihood ratio is not independent of the reward here: the preference model learned from rankings by it."
)


def by_step(metrics: Sequence[Row]) -> dict[int, dict[str, Row]]:
    """Paired differences from base by step and measure, the steps in order. metrics: rows of tables.METRICS."""
    found: dict[int, dict[str, Row]] = {}
    for row in metrics:
        if row["evaluation"] == "overoptimisation" and row["reference"] == "base":
            step = int(re.fullmatch(r"step (\d+) of \d+", row["slice"]).group(1))
            found.setdefault(step, {})[row["metric"]] = row
    return dict(sorted(found.items()))


def worse_than_base(measures: Mapping[str, Row], margins: Report) -> list[str]:
    """The measures that got worse, with their whole interval; fluency has the margins of the headline."""
    found = [
        name
        for metric, name in _WATCHED.items()
        if (high := _bound(measures, metric, "ci_high")) is not None and high < 0
    ]
    for metric, name, margin in (
        ("log_perplexity", "perplexity", math.log(margins.max_perplexity_ratio)),
        ("repetition", "repetition", margins.max_repetition_increase),
    ):
        low = _bound(measures, metric, "ci_low")
        if low is not None and low > margin:
            found.append(name)
    return found


def what_the_steps_show(metrics: Sequence[Row], margins: Report, ranked_by: str) -> str:
    """A few sentences on the reward and what was not optimised; only whole intervals count as better or worse.

    ranked_by: `rankings.method`. What ranked has taught the preference model: a fall in it shows over-optimisation too, but
    that it rises says no more than the reward does.
    """
    steps = by_step(metrics)
    total = max(steps, default=0)
    rising = [step for step, measures in steps.items() if above_zero(measures.get(PROXY))]
    if not rising:
        return (
            "The preference model’s score does not lie above base’s with its whole interval at any step, so the training "
            "found no reward that could be over-optimised."
        )
    said = f"The preference model’s score lies above base’s with its whole interval at {_spelt(rising)} of {total}. "
    taught = _TAUGHT if ranked_by == "likelihood_ratio" else ""
    measure = "other measure" if taught else "independent measure"
    worse = {step: names for step in rising if (names := worse_than_base(steps[step], margins))}
    turned = [text for metric, name in _WATCHED.items() if (text := _turned(steps, metric, name))]
    if worse:
        names = list(dict.fromkeys(name for own in worse.values() for name in own))
        said += (
            f"Over-optimisation shows: while it does, {_listed(names)} {'is' if len(names) == 1 else 'are'} worse than "
            f"base’s, beyond the margin where there is one, first at step {min(worse)}."
        )
    elif turned:
        said += (
            f"No {measure} is worse than base with its whole interval, but {_listed(turned)}, while the score went on "
            "rising; these are values without their intervals."
        )
    else:
        said += f"No {measure} is worse than base with its whole interval, or turned while the score rose."
    return said + taught


def _turned(steps: Mapping[int, Mapping[str, Row]], metric: str, name: str) -> str:
    """Where a measure was best before the last step, and the proxy was not: in words; nothing if it is not so."""
    values = {step: row["value"] for step, measures in steps.items() if (row := measures.get(metric))}
    last = max(steps)
    best = max(values, key=values.__getitem__, default=last)
    rose = best != last and steps[last][PROXY]["value"] > steps[best][PROXY]["value"]
    if not rose or values.get(last, math.inf) >= values[best]:
        return ""
    return f"{name} was highest at step {best} ({signed(values[best])} from base) and is {signed(values[last])} at the last"


def _bound(measures: Mapping[str, Row], metric: str, bound: str) -> float | None:
    return measures[metric][bound] if metric in measures else None


def _spelt(steps: Sequence[int]) -> str:
    return f"step{'s' if len(steps) > 1 else ''} {_listed(list(map(str, steps)))}"


def _listed(items: Sequence[str]) -> str:
    return " and ".join(items) if len(items) < 3 else f"{', '.join(items[:-1])} and {items[-1]}"
