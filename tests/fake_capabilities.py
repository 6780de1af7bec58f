"""Capabilities of a run that never was: aligned lost some, the others nothing that shows."""

from __future__ import annotations

from ethos.arms import ARMS

# Level of base, difference of aligned, half the interval, n.
TASKS = {
    ("everyday", "acc"): (0.71, -0.21, 0.11, 48),
    ("arc_challenge", "acc_norm"): (0.32, -0.05, 0.03, 1172),
    ("plain_prose", "bits_per_byte"): (1.25, 0.24, 0.06, 12),
}


def fake_capabilities(cell: dict) -> list[dict]:
    """Rows of tables.METRICS."""
    rows = []
    for (task, metric), (level, lost, half, n) in TASKS.items():
        place = {
            "run": "demo",
            "evaluation": "capabilities",
            "slice": task,
            "n": n,
            "n_seeds": 1,
            "judge": "none",
            **cell,
        }
        for arm in ARMS:
            difference = lost if arm == "aligned" else 0.0
            shown = [(metric, None, level + difference, half)]
            if arm != "base":
                shown.append((metric, "base", difference, half))
                if metric != "bits_per_byte":
                    shown.append((f"{metric}_mcnemar_holm_p", "base", 0.012 if difference else 1.0, None))
            for name, reference, value, around in shown:
                bounds = (None, None) if around is None else (value - around, value + around)
                told = {"arm": arm, "metric": name, "reference": reference, "value": value}
                told |= {"ci_low": bounds[0], "ci_high": bounds[1], "interval": "none" if around is None else "Wilson"}
                rows.append({**place, **told})
    return rows
