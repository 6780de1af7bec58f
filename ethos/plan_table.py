"""A plan for the terminal."""

from __future__ import annotations

from ethos.cost import Cost
from ethos.plan import Plan
from ethos.progress import spell_seconds


def plan_table(plan: Plan) -> str:
    """Stages and their costs, the total, the longest path, and what the marks mean."""
    total = plan.total
    names = ["stage", "jobs", "to run", "calls", "to do", "tokens", "to do", "time"]
    names += ["GPU-hours"] if total.gpu_hours else []
    names += ["MB of disk"]
    names += ["money"] if total.money else []
    rows = [names, *(_row(rule, cost, total) for rule, cost in plan.stages.items()), _row("all", total, total)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]  # fmt: skip
    seconds, path = plan.longest
    if path:
        lines += ["", f"Longest path, {spell_seconds(seconds)}: {', '.join(path)}."]
    if not total.exact:
        lines += ["~ calls: expected, since earlier stages or what models say will decide."]
    if not total.measured:
        lines += ["~ time: by stated defaults, since no such work of that model was measured here."]
    if plan.not_fetched:
        lines += [tell_not_fetched(plan)]
    return "\n".join(lines)


def tell_not_fetched(plan: Plan) -> str:
    """Which models' sizes are guesses; nothing, where none is."""
    if not plan.not_fetched:
        return ""
    names = ", ".join(plan.not_fetched)
    return f"Not fetched yet, so counted as eight billion parameters: {names}. After `snakemake prepare` the plan knows the size."


def _row(name: str, cost: Cost, total: Cost) -> list[str]:
    calls = "" if cost.exact else "~"
    cells = [name, f"{cost.jobs:,}", f"{cost.jobs_to_do:,}"]
    cells += [f"{calls if number else ''}{round(number):,}" for number in (cost.calls, cost.calls_to_do)]
    cells += [f"{'~' if number else ''}{round(number):,}" for number in (cost.tokens, cost.tokens_to_do)]
    cells += [f"{'' if cost.measured or not cost.seconds else '~'}{spell_seconds(cost.seconds)}"]
    cells += [f"{cost.gpu_hours:.2f}"] if total.gpu_hours else []
    cells += [f"{cost.disk:,.0f}"]
    cells += [f"{cost.money:.2f}"] if total.money else []
    return cells
