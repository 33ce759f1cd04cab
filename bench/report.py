"""Prints a result of table.py as tables."""


def table(title, headings, lines):
    """Aligned columns, the first to the left; a `None` cell stays empty."""
    if not lines:
        return
    cells = [headings] + [["" if cell is None else str(cell) for cell in line] for line in lines]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    print(f"\n{title}")
    for row in cells:
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths))
        print("  ".join([row[0].ljust(len(first)), *rest]).rstrip())


def show(result):
    machine, rows = result["machine"], result["rows"]
    print(f"{machine['cpu']} (family {machine['family']}), {machine['cores']} cores, "
          f"{machine['memory_GiB']} GiB, {machine['system']}; commit {result['commit']}, "
          f"{result['date']}")
    earlier = dict.fromkeys((row["commit"], row["name"].split("/")[0]) for row in rows
                            if "commit" in row)
    for commit in dict.fromkeys(commit for commit, _ in earlier):
        print(f"of commit {commit}: {', '.join(part for at, part in earlier if at == commit)}")
    reference(rows)
    limits(rows)
    row_grids(rows)
    by_set(rows)
    errors(rows)
    digits(rows)
    lorenz(rows)
    peaks(rows)
    pieces(rows)
    instructions(rows)
    shapes(rows)
    sizes(rows)
    grid(rows)


def pick(rows, **wanted):
    return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]


def one(rows, **wanted):
    found = pick(rows, **wanted)
    return found[0] if found else None


def millions(row):
    return f"{row['path_steps'] / 1e6:.3f}" if row else None


def percent(row, key="of_limit"):
    return f"{100 * row[key]:.0f} %" if row and key in row else None


def mib(row):
    return f"{row['peak_MiB']:.0f}" if row else None


def ratio(ours, row):
    return f"{ours['path_steps'] / row['path_steps']:.1f}" if ours and row else None


def pairs(rows, *keys):
    """(values of `keys`, forward row, gradient row), in the order of the rows."""
    seen = dict.fromkeys(tuple(row[key] for key in keys) for row in rows)
    for values in seen:
        same = pick(rows, **dict(zip(keys, values)))
        yield values, one(same, mode="forward"), one(same, mode="gradient")


def reference(rows):
    for diffusion in ["const", "mlp"]:
        group = pick(rows, group="latent-4x64", diffusion=diffusion, threads=2)
        ours = {mode: one(group, engine="ito", mode=mode) for mode in ["forward", "gradient"]}
        lines = []
        for engine, method in dict.fromkeys((row["engine"], row.get("method")) for row in group):
            same = [r for r in group if (r["engine"], r.get("method")) == (engine, method)]
            forward, gradient = one(same, mode="forward"), one(same, mode="gradient")
            lines.append([engine, millions(forward), ratio(ours["forward"], forward), mib(forward),
                          millions(gradient), ratio(ours["gradient"], gradient), mib(gradient),
                          f"{(gradient or forward)['loss']:.2f}",
                          percent(max(filter(None, [forward, gradient]),
                                      key=lambda row: row.get("spread", 0)), "spread")])
        table(f"latent-4x64, diffusion {diffusion}: 1024 paths, 1000 steps, float32, 2 threads; "
              "ratio: ito's speed to this one's",
              ["", "forward M/s", "ratio", "MiB", "+ gradient M/s", "ratio", "MiB", "loss", "spread"],
              lines)


def limits(rows):
    group = pick(rows, group="latent-4x64", engine="ito")
    lines = []
    for row in group:
        alone = one(group, threads=1, mode=row["mode"], diffusion=row["diffusion"])
        scaling = ratio(row, alone) if row["threads"] > 1 else None
        lines.append([f"{row['diffusion']}, {row['mode']}", row["threads"], millions(row),
                      f"{row['flops'] / 1e9:.0f}", percent(row), scaling])
    table("The limit: FMAs / peak FMAs + activations / peak activations (bench/limit.hpp)",
          ["latent-4x64", "threads", "M/s", "GFLOP/s", "of limit", "scaling"], lines)


def row_grids(rows):
    lines = []
    for diffusion in ["const", "mlp"]:
        for mode in ["forward", "gradient"]:
            shared, own = (one(pick(rows, group="row-grids"), diffusion=diffusion, mode=mode,
                               grids=grids) for grids in [None, "own"])
            if shared and own:
                cost = shared["path_steps"] / own["path_steps"] - 1
                lines.append([f"{diffusion}, {mode}", millions(shared), millions(own),
                              f"{100 * cost:.0f} %"])
    table("latent-4x64 as 64 observations of 16 paths with a grid each, beside one grid for all",
          ["", "shared M/s", "own M/s", "cost"], lines)


def by_set(rows):
    group = pick(rows, group="by-set")
    lines = []
    for isa, diffusion in dict.fromkeys((row["isa"], row["diffusion"]) for row in group):
        line = [isa, diffusion]
        for mode in ["forward", "gradient"]:
            same = pick(group, isa=isa, diffusion=diffusion, mode=mode)
            ours = one(same, engine="ito")
            scans = [row for row in same if row is not ours]
            fastest = max(scans, key=lambda row: row["path_steps"], default=None)
            line += [millions(ours), percent(ours), millions(fastest), ratio(ours, fastest)]
        lines.append(line)
    table("latent-4x64 by instruction set, 2 threads; JAX's faster scan kept to the same set",
          ["", "diffusion", "forward M/s", "of limit", "JAX M/s", "ratio",
           "+ gradient M/s", "of limit", "JAX M/s", "ratio"], lines)


def errors(rows):
    parts = ["states", "energy", "martingale", "gradient"]
    table("Distance from the reference engine, relative, norm-wise: 64 paths, 1000 steps",
          ["latent-4x64", *parts],
          [[row["diffusion"], *(f"{row[part]:.1e}" for part in parts)]
           for row in pick(rows, group="error")])


def digits(rows):
    table("Training the digits demo: encode, simulate, decode, adjoint, Adam",
          ["", "M/s", "steps of fit a second", "MiB"],
          [["digits", millions(row), f"{row['fit_steps']:.1f}", mib(row)]
           for row in pick(rows, group="digits")])


def lorenz(rows):
    group = pick(rows, group="lorenz")
    ours = one(group, engine="ito")
    table("Training a model of 1024 Lorenz series, a path each, with the sizes of torchsde's example",
          ["", "M/s", "steps of fit a second", "MiB", "ito's ratio"],
          [[row["engine"], millions(row), f"{row['fit_steps']:.3f}", mib(row), ratio(ours, row)]
           for row in group])


def peaks(rows):
    group = pick(rows, group="peak")
    kinds = list(dict.fromkeys(row["of"] for row in group))
    lines = []
    for isa, threads in dict.fromkeys((row["isa"], row["threads"]) for row in group):
        rates = [one(group, isa=isa, threads=threads, of=kind) for kind in kinds]
        lines.append([isa, threads] + [rate and f"{rate['rate'] / 1e9:.2f}" for rate in rates])
    table("Peaks, 10⁹ a second (an FMA is 2 FLOP)", ["", "threads", *kinds], lines)


def pieces(rows):
    group = pick(rows, group="piece")
    for isa in dict.fromkeys(row["isa"] for row in group):
        table(f"Pieces of a step with {isa}, for 64 paths, alone; a slot is the time of a vector FMA",
              ["", "slots", "FMAs", "tanh", "slots beside the FMAs"],
              [[row["of"], *(f"{row[key]:.0f}" for key in ["slots", "fmas", "activations"]),
                f"{row['slots'] - row['fmas']:.0f}"] for row in pick(group, isa=isa)])


def instructions(rows):
    table("Instructions a path-step with AVX2, by callgrind, and the FMAs there must be among them",
          ["latent-4x64", "instructions", "FMAs"],
          [[f"{row['diffusion']}, {row['mode']}" + (", own grids" if "grids" in row else ""),
            f"{row['instructions']:.0f}",
            f"{row['fma_instructions']:.0f}"]
           for row in pick(rows, group="instructions")])


def sweep(title, group, *keys, memory=False):
    lines = []
    for values, forward, gradient in pairs(group, *keys):
        line = [*values, millions(forward), percent(forward), millions(gradient), percent(gradient)]
        lines.append(line + ([mib(forward), mib(gradient)] if memory else []))
    table(title, [*keys, "forward M/s", "of limit", "+ gradient M/s", "of limit"]
          + (["MiB", "MiB"] if memory else []), lines)


def shapes(rows):
    group = pick(rows, group="shape")
    for axis in dict.fromkeys(row["axis"] for row in group):
        sweep(f"Shapes: {axis} (others as in latent-4x64; 100 steps, 1 thread)",
              pick(group, axis=axis), axis)


def sizes(rows):
    sweep("Sizes: the model of latent-4x64, 2 threads", pick(rows, group="size"),
          "paths", "steps", memory=True)


def grid(rows):
    sweep("Every combination of shapes (1024 paths, 100 steps, 1 thread)", pick(rows, group="grid"),
          "d", "hidden", "layers", "activation")
