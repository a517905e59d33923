"""Draws score over calls from what `compare.py` has measured: ours with smaller and larger budgets, and the other library.

    python examples/testbed/curves.py --ours ours.json --theirs path/to/testbed/baselines.json --out docs/src/testbed.svg

Of the other library the end of its runs is known, not the way there: a point. A vertical line marks 70 % of its calls.
Standard library only.
"""

import argparse
import json
import statistics
from pathlib import Path

NAMES = {
    "rs10": "random search, 10", "rs16": "random search, 16", "mipro_light": "MIPROv2", "mipro_zeroshot": "MIPROv2, zero-shot",
    "gepa_light": "GEPA", "simba": "SIMBA", "copro": "COPRO", "inferrules": "InferRules",
}
WORLDS = ["desk", "hops", "math"]
WIDTH, HEIGHT, LEFT, TOP, GAP = 200, 96, 128, 40, 28
STYLE = """
text { font: 11px system-ui, sans-serif; fill: #555 } .name { font-weight: 600 } .axis { stroke: #bbb } .share { stroke: #bbb; stroke-dasharray: 2 3 }
.ours { stroke: #1767b3; fill: none; stroke-width: 1.6 } .ours.at { fill: #1767b3 } .theirs { stroke: #c0501b; fill: none; stroke-width: 1.6 }
.theirs.at { fill: #c0501b } .ours-text { fill: #1767b3 } .theirs-text { fill: #c0501b }
@media (prefers-color-scheme: dark) { text { fill: #bbb } .axis, .share { stroke: #666 } .ours { stroke: #6ab0f3 } .ours.at, .ours-text { fill: #6ab0f3 }
.theirs { stroke: #f0905a } .theirs.at, .theirs-text { fill: #f0905a } }
"""


def points(results: list[dict], world: str, optimizer: str) -> list[tuple[float, float, float]]:
    """Mean calls, mean score and its standard deviation, of runs of the same budget."""
    shares: dict = {}
    for r in results:
        if (r["world"], r["world_seed"], r["optimizer"]) == (world, 1, optimizer):
            shares.setdefault(r.get("share"), []).append(r)
    found = []
    for runs in shares.values():
        tests = [r["test"] for r in runs]
        calls = statistics.fmean(r["calls_task"] + r["calls_proposer"] for r in runs)
        found.append((calls, statistics.fmean(tests), statistics.stdev(tests) if len(tests) > 1 else 0.0))
    return sorted(found)


def panel(x0: int, y0: int, ours: list, theirs: list) -> list[str]:
    most = max(calls for calls, _, _ in ours + theirs) * 1.05
    def x(calls: float) -> str:
        return f"{x0 + WIDTH * calls / most:.1f}"
    def y(score: float) -> str:
        return f"{y0 + HEIGHT - HEIGHT * (score - 20) / 80:.1f}"
    def marks(kind: str, of: list) -> list[str]:
        return [part for calls, score, sd in of for part in (
            f'<path class="{kind}" d="M{x(calls)} {y(score - sd)}V{y(min(100, score + sd))}"/>',
            f'<circle class="{kind} at" cx="{x(calls)}" cy="{y(score)}" r="2.4"/>')]
    parts = [f'<path class="axis" d="M{x0} {y0}V{y0 + HEIGHT}H{x0 + WIDTH}" fill="none"/>']
    for score in (25, 50, 75, 100):
        parts.append(f'<text x="{x0 - 5}" y="{float(y(score)) + 4:.1f}" text-anchor="end">{score}</text>')
    parts.append(f'<text x="{x0 + WIDTH}" y="{y0 + HEIGHT + 13}" text-anchor="end">{most / 1.05:,.0f} calls</text>')
    for calls, _, _ in theirs:
        parts.append(f'<path class="share" d="M{x(0.7 * calls)} {y0}V{y0 + HEIGHT}"/>')
    line = " ".join(f"{x(calls)},{y(score)}" for calls, score, _ in ours)
    parts += [f'<polyline class="ours" points="{line}"/>', *marks("ours", ours), *marks("theirs", theirs)]
    return parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", type=Path, required=True, nargs="+")
    parser.add_argument("--theirs", type=Path, required=True)
    parser.add_argument("--library", default="dspy 3", help="how the name of the other library begins")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    ours = [r for path in args.ours for r in json.loads(path.read_text())]
    theirs = [r for r in json.loads(args.theirs.read_text()) if r["library"].startswith(args.library)]
    rows = [o for o in NAMES if any(r["optimizer"] == o for r in ours)]
    width, height = LEFT + len(WORLDS) * (WIDTH + 2 * GAP), TOP + len(rows) * (HEIGHT + GAP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
             f"<style>{STYLE}</style>",
             '<text x="0" y="14" class="ours-text">dspy-rs, by budget</text>',
             f'<text x="0" y="29" class="theirs-text">{theirs[0]["library"]}</text>']
    for i, world in enumerate(WORLDS):
        x0 = LEFT + GAP + i * (WIDTH + 2 * GAP)
        parts.append(f'<text class="name" x="{x0}" y="18">{world}</text>')
        for j, optimizer in enumerate(rows):
            y0 = TOP + j * (HEIGHT + GAP)
            a, b = points(ours, world, optimizer), points(theirs, world, optimizer)
            if a and b:
                parts += panel(x0, y0, a, b)
    for j, optimizer in enumerate(rows):
        parts.append(f'<text class="name" x="0" y="{TOP + j * (HEIGHT + GAP) + HEIGHT // 2}">{NAMES[optimizer]}</text>')
    args.out.write_text("\n".join([*parts, "</svg>"]) + "\n")


if __name__ == "__main__":
    main()
