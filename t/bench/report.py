"""report.py: what a row of the benchmark is, and how the table is printed.

A figure without a measurement is None. `better` says which way is won: "more" or
"less". A goal is a comparison of our figure with another one, in words as well.
"""
import dataclasses
import json
import statistics


class Cannot(Exception):
    """This machine cannot run a row; says why."""


@dataclasses.dataclass
class Goal:
    text: str    # "≥ 0.95 of routing"
    ratio: float  # what was measured
    reached: bool


@dataclasses.dataclass
class Row:
    name: str
    unit: str
    ours: float = None
    rivals: dict = dataclasses.field(default_factory=dict)  # name: figure
    limit: dict = dataclasses.field(default_factory=dict)   # the same
    goals: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)   # further figures, each a text
    skipped: str = None                                      # why, if it cannot run here

    def at_least(self, factor, of, what):
        ratio = self.ours / of
        self.goals.append(Goal(f"≥ {factor} × {what}", ratio, ratio >= factor))
        return self

    def at_most(self, factor, of, what):
        ratio = self.ours / of
        self.goals.append(Goal(f"≤ {factor} × {what}", ratio, ratio <= factor))
        return self

    def below(self, bound, what):
        self.goals.append(Goal(f"< {bound:g} {self.unit} {what}".strip(), self.ours, self.ours < bound))
        return self

    def none(self, count, what):
        self.goals.append(Goal(f"no {what}", count, count == 0))
        return self

    def verdict(self):
        if self.skipped:
            return "SKIP"
        return "reached" if all(goal.reached for goal in self.goals) else "MISSED"


def median(figures):
    return statistics.median(figures)


def number(figure):
    if figure is None:
        return "-"
    if abs(figure) >= 1000:
        return f"{figure:,.0f}"
    return f"{figure:.3g}"


def others(figures):
    return ", ".join(f"{name} {number(figure)}" for name, figure in figures.items()) or "-"


def text_of(row):
    if row.skipped:
        return f"{row.name}\n    SKIP: {row.skipped}\n"
    lines = [f"{row.name}", f"    ours {number(row.ours)} {row.unit}   rival {others(row.rivals)}   limit {others(row.limit)}"]
    for goal in row.goals:
        lines.append(f"    {'reached' if goal.reached else 'MISSED '}  {goal.text}: {number(goal.ratio)}")
    lines += [f"    {note}" for note in row.notes]
    return "\n".join(lines) + "\n"


def table(rows):
    """One line for each row, in columns."""
    cells = [("row", "unit", "ours", "rival", "limit", "goal", "")]
    for row in rows:
        goals = "; ".join(f"{goal.text}: {number(goal.ratio)}" for goal in row.goals) or "-"
        cells.append((row.name, row.unit, number(row.ours), others(row.rivals), others(row.limit), row.skipped or goals, row.verdict()))
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in cells)


def as_json(versions, rows):
    return json.dumps({"versions": versions, "rows": [dict(dataclasses.asdict(row), verdict=row.verdict()) for row in rows]},
                      indent=2, ensure_ascii=False)
