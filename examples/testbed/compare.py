"""Runs the example `testbed` on worlds of the testbed and sets its results beside those of other libraries.

    cargo build --release -p dspy-examples --bin testbed
    python examples/testbed/compare.py --testbed path/to/testbed --optimizers bootstrap,rs10 --worlds desk,hops,math \
        --seeds 0,1,2,3,4 --out results.json

`--testbed` is the folder with the package `simlm` and with `baselines.json`. Results are appended to `--out`; what is
there is not run again. At the end, or at once with `--table`, a table in Markdown is printed. Standard library only.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BINARY = HERE.parent.parent / "target" / "release" / "testbed"


def key(result: dict) -> tuple:
    return result["world"], result["world_seed"], result["optimizer"], result["seed"], result.get("share")


def read(path: Path) -> list[dict]:
    return json.loads(path.read_text()) if path.exists() else []


def write(path: Path, results: list[dict]) -> None:
    path.write_text("[\n" + ",\n".join(json.dumps(r) for r in results) + "\n]\n")


def budget(args: argparse.Namespace, theirs: list[dict], world: str, optimizer: str) -> int | None:
    """The calls that a run may make: a number, or a share of what the other library makes, whatever the seed of the world."""
    if args.share is None:
        return args.budget_calls
    calls = [r["calls_task"] + r["calls_proposer"] for r in theirs if (r["world"], r["optimizer"]) == (world, optimizer)]
    return int(args.share * statistics.fmean(calls)) if calls and sum(calls) else None


def run_world(args: argparse.Namespace, world: str, results: list[dict], theirs: list[dict]) -> None:
    """All runs on one world, one after the other: the server counts for all."""
    seeds, optimizers = map(int, args.seeds.split(",")), args.optimizers.split(",")
    done = {key(r) for r in results}
    wanted = [(o, s) for s in seeds for o in optimizers if (world, args.world_seed, o, s, args.share) not in done]
    if not wanted:
        return
    simlm = [sys.executable, "-m", "simlm"]
    which = ["--world", world, "--seed", str(args.world_seed)]
    with tempfile.TemporaryDirectory(prefix="testbed-") as rows:
        subprocess.run([*simlm, "rows", *which, "--out", rows], cwd=args.testbed, check=True)
        server = subprocess.Popen([*simlm, "serve", *which], cwd=args.testbed, stdout=subprocess.PIPE, text=True)
        try:
            port = json.loads(server.stdout.readline())["port"]
            for optimizer, seed in wanted:
                command = [str(args.binary), "--api-base", f"http://127.0.0.1:{port}/v1", "--rows", rows, "--world", world,
                           "--world-seed", str(args.world_seed), "--optimizer", optimizer, "--seed", str(seed)]
                if calls := budget(args, theirs, world, optimizer):
                    command += ["--budget-calls", str(calls)]
                elif args.share is not None:
                    print(f"{world} {optimizer}: the other library makes no calls", file=sys.stderr, flush=True)
                    continue
                try:
                    ran = subprocess.run(command, capture_output=True, text=True, timeout=args.timeout)
                except subprocess.TimeoutExpired:
                    print(f"{world} {optimizer} {seed}: more than {args.timeout} s", file=sys.stderr, flush=True)
                    continue
                if ran.returncode:
                    print(f"{world} {optimizer} {seed}: {ran.stderr.strip()}", file=sys.stderr, flush=True)
                    continue
                result = json.loads(ran.stdout)
                if args.share is not None:
                    result["share"] = args.share
                # Another run of this script may have written in between.
                results[:] = read(args.out)
                results.append(result)
                write(args.out, results)
                print(f"{world} {optimizer} {seed}: {result['test']} with {result['calls_task']}+"
                      f"{result['calls_proposer']} calls in {result['wall_s']} s", file=sys.stderr, flush=True)
        finally:
            server.terminate()
            server.wait()


def spread(results: list[dict]) -> str:
    tests = [r["test"] for r in results]
    sd = statistics.stdev(tests) if len(tests) > 1 else 0.0
    return f"{statistics.fmean(tests):.1f} ± {sd:.1f}"


def mean(results: list[dict], name: str) -> float:
    return statistics.fmean(r[name] for r in results)


def columns(results: list[dict]) -> list[str]:
    if not results:
        return ["", "", "", ""]
    calls = f"{mean(results, 'calls_task'):.0f} + {mean(results, 'calls_proposer'):.0f}"
    return [spread(results), calls, f"{mean(results, 'tokens') / 1000:.0f}", str(len(results))]


def table(ours: list[dict], theirs: list[dict], worlds: list[str], optimizers: list[str], world_seed: int) -> str:
    """One row for each world and optimizer: score, calls of task and proposer, and thousands of tokens."""
    name = theirs[0]["library"] if theirs else "other"
    mine = ours[0]["library"] if ours else "ours"
    head = ["world", "optimizer", mine, "calls", "tokens, 10^3", "seeds", name, "calls", "tokens, 10^3", "seeds"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for world in worlds:
        for optimizer in optimizers:
            def of(results: list[dict]) -> list[dict]:
                return [r for r in results if (r["world"], r["world_seed"], r["optimizer"]) == (world, world_seed, optimizer)]
            a, b = of(ours), of(theirs)
            if a or b:
                lines.append("| " + " | ".join([world, optimizer, *columns(a), *columns(b)]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--testbed", type=Path, required=True, help="the folder with simlm and baselines.json")
    parser.add_argument("--binary", type=Path, default=BINARY, help="the example, built")
    parser.add_argument("--optimizers", default="none,labeled8,bootstrap,rs10,rs16")
    parser.add_argument("--worlds", default="desk,hops,math")
    parser.add_argument("--world-seed", type=int, default=1)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--budget-calls", type=int)
    parser.add_argument("--share", type=float, help="a budget: so much of the other library's mean calls")
    parser.add_argument("--out", type=Path, required=True, help="where results are kept")
    parser.add_argument("--against", type=Path, help="results of the other library (baselines.json of the testbed)")
    parser.add_argument("--library", default="dspy 3", help="how the name of the other library begins")
    parser.add_argument("--timeout", type=float, default=1500, help="seconds for one run")
    parser.add_argument("--table", action="store_true", help="run nothing")
    args = parser.parse_args()
    args.out, args.binary = args.out.resolve(), args.binary.resolve()
    worlds, optimizers = args.worlds.split(","), args.optimizers.split(",")
    results = read(args.out)
    others = read(args.against or args.testbed / "baselines.json")
    theirs = [r for r in others if r["library"].startswith(args.library)]
    if not args.table:
        for world in worlds:
            run_world(args, world, results, theirs)
    ours = [r for r in read(args.out) if r.get("share") == args.share]
    print(table(ours, theirs, worlds, optimizers, args.world_seed))


if __name__ == "__main__":
    main()
