#!/usr/bin/env python3
"""Runs ito's benchmark, and its peers on the same workload, and prints what they reached.

A path-step is one Euler–Maruyama step of one path; M/s are millions of them a second, all threads
together. Rows of the reference workload are run in rounds, ito and every peer in turn, and each
row's fastest run is shown. Peak memory is that of the row's own process.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import machine
import report
import rows

RESULTS = Path(__file__).parent / "results" / "cpu.json"
ROUNDS = {"latent-4x64", "row-grids", "peer", "by-set", "lorenz", "lorenz-peer"}


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=Path, help="the ito_bench to run")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="their virtual environments")
    parser.add_argument("--instructions", action="store_true", help="count them, under valgrind")
    parser.add_argument("--full", action="store_true", help="every combination of shapes")
    parser.add_argument("--only", default="", metavar="REGEX", help="rows to run, by name")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of every row")
    parser.add_argument("--save", action="store_true", help=f"keep the rows in {RESULTS.name}")
    return parser.parse_args()


def all_names(chosen):
    names = rows.ito_names(chosen.binary, chosen.full)
    peers = rows.peer_names() if chosen.peers else []
    training = rows.training_peer_names() if chosen.peers else []
    return names + peers + training + rows.by_set_names(names, peers)


def chosen_names(chosen):
    return [
        name
        for name in all_names(chosen)
        if re.search(chosen.only, name)
        and (chosen.instructions or not name.startswith("instructions/"))
    ]


def runs_of(chosen, name, repetitions):
    if name.startswith("peer/"):
        return rows.peer_runs(chosen.peers, name)
    if name.startswith("lorenz-peer/"):
        return rows.training_peer_runs(chosen.peers)
    if name.startswith("by-set/"):
        return rows.by_set_runs(chosen.binary, chosen.peers, name)
    if name.startswith("instructions/"):
        return rows.instruction_runs(chosen.binary, name)
    return rows.ito_runs(chosen.binary, name, repetitions)


def measure(chosen, names):
    """A row for each name, and the names that failed."""
    runs, failed = {name: [] for name in names}, []
    in_rounds = [name for name in names if name.split("/")[0] in ROUNDS]
    once = [name for name in names if name not in in_rounds]
    work = [(name, 1) for name in in_rounds] * chosen.rounds + [(n, chosen.rounds) for n in once]
    progress = rows.Progress(len(work))
    for name, repetitions in work:
        if name in failed:
            continue
        progress.start(name)
        try:
            runs[name] += runs_of(chosen, name, repetitions)
        except rows.Failed as reason:
            progress.end()
            print(f"{name}: {reason}", file=sys.stderr)
            failed.append(name)
    progress.end()
    return [{"name": n, **rows.best_row(runs[n])} for n in names if n not in failed], failed


def row_a_line(result):
    """JSON text in which each row has a line of its own."""
    rest = {key: value for key, value in result.items() if key != "rows"}
    head = json.dumps(rest, indent=1, ensure_ascii=False)
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in result["rows"])
    return head[:-2] + ',\n "rows": [\n' + rows + "\n]}\n"


def save(result, order):
    """Keeps the result, and returns it, with what the same machine did before. A row of another
    commit than the last says which."""
    if RESULTS.exists():
        before = json.loads(RESULTS.read_text())
        if before["machine"] == result["machine"]:
            if before["commit"] != result["commit"]:
                for row in before["rows"]:
                    row.setdefault("commit", before["commit"])
            kept = {row["name"]: row for row in before["rows"] + result["rows"]}
            result = {**result, "rows": [kept.pop(name) for name in order if name in kept]
                      + list(kept.values())}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(row_a_line(result))
    return result


def main():
    chosen = options()
    names = chosen_names(chosen)
    if not names:
        sys.exit(f"no row's name matches {chosen.only}")
    described = machine.description()  # of the code that is timed, whatever is edited meanwhile
    measured, failed = measure(chosen, names)
    result = {**described, "rounds": chosen.rounds, "rows": measured}
    if chosen.save:
        result = save(result, all_names(chosen))
    report.show(result)
    if failed:
        sys.exit(f"{len(failed)} rows failed")


main()
