"""torchsde's sdeint for SDEs whose nets ito knows: multilayer perceptrons and constants.

    sde = NeuralSDE(drift=Net(nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 2)), ("t", "y")),
                    diffusion=nn.Sequential(nn.Linear(2, 16), nn.Softplus(), nn.Linear(16, 2), nn.Sigmoid()))
    ys = sdeint(sde, y0, ts, dt=1e-2)

The modules stay the caller's own: gradients reach their parameters. The same object also has the methods
f, g and h that torchsde calls, so that torchsde.sdeint solves it too. What differs from torchsde:

- Noise follows from `seed` and the path's index (row of y0), not from a Brownian motion `bm`.
- A grid passes through every time of `ts`, with equal steps no longer than `dt` between two of them, where
  torchsde steps by dt throughout and interpolates states linearly.
- The default method of an Itô SDE is euler, where torchsde takes srk unless the noise is general.
- logqp integrates ½|g⁻¹(f − h)|² with the method's own stages; with euler and milstein it is the sum over
  steps of its value at the left end, which makes it exact for the discrete chain.
- The gradient is that of the discrete chain, exactly: there is no sdeint_adjoint to choose.
- Its output is [T, batch, d] as torchsde's, as a view of [batch, T, d].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from itosde._core import Error
from itosde.model import Model
from itosde.torch.paths import simulate

_METHODS = {"euler": "euler-maruyama", "milstein": "milstein", "midpoint": "midpoint", "heun": "heun",
            "reversible_heun": "reversible-heun", "srk": "sra1"}
_KEPT = 16  # models, of different times, that a NeuralSDE keeps with their plans

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z, "relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
    "softplus": nn.functional.softplus, "silu": nn.functional.silu,
    "lipswish": lambda z: 0.909 * nn.functional.silu(z), "gelu": nn.functional.gelu,
    "elu": nn.functional.elu, "exp": torch.exp}


class Net(nn.Module):
    """A perceptron with the order of its inputs: "y" the state, "t" the time, "context" what
    NeuralSDE.contextualize sets.

    module: Linear layers with activations between, in nn.Sequential, nested or not; or, for a diagonal
    diffusion, an nn.ModuleList of d such nets, of which net i reads y_i alone in place of y. A module
    without parameters is taken for the activation of ito that it equals; hidden ones are all the same.
    """

    def __init__(self, module: nn.Module, inputs: Sequence[str] = ("y",)):
        super().__init__()
        self.module, self.inputs = module, tuple(inputs)
        unknown = [one for one in self.inputs if one not in ("y", "t", "context")]
        if unknown or len(set(self.inputs)) != len(self.inputs) or "y" not in self.inputs:
            raise Error(f"inputs: got {list(inputs)}; accepted: 'y' and, at most once, 't' and 'context'")

    def forward(self, t: Tensor | float, y: Tensor, context: Tensor | None = None) -> Tensor:
        time = torch.as_tensor(t, dtype=y.dtype, device=y.device).expand(len(y), 1)
        if isinstance(self.module, nn.ModuleList):
            columns = [self._read(net, time, y[:, i : i + 1], context) for i, net in enumerate(self.module)]
            return torch.cat(columns, 1)
        return self._read(self.module, time, y, context)

    def _read(self, net: nn.Module, time: Tensor, y: Tensor, context: Tensor | None) -> Tensor:
        given = {"y": y, "t": time, "context": context}
        return net(torch.cat([given[one] for one in self.inputs], 1))


class _Perceptron:
    """A net in ito's terms: its description, and its tensors with the columns (state, time, context)."""

    def __init__(self, name: str, net: Net, state: int):
        several = isinstance(net.module, nn.ModuleList)
        if several and len(net.module) != state:
            raise Error(f"{name}: got {len(net.module)} nets; accepted: {state}, one for each coordinate")
        read = [_layers(name, one) for one in (net.module if several else [net.module])]
        linears, activations, output = zip(*read)
        if len({(len(one), tuple(used), out) for one, used, out in read}) != 1:
            raise Error(f"{name}: got nets of different depths or activations; accepted: nets that differ in "
                        "widths alone")
        self.depth = len(linears[0])
        self.context = linears[0][0].in_features - (1 if several else state) - ("t" in net.inputs)
        if self.context < 0 or (self.context == 0) != ("context" not in net.inputs):
            raise Error(f"{name}: got a first layer of {linears[0][0].in_features} inputs for {list(net.inputs)} "
                        f"and a state of {1 if several else state}; accepted: as many as these have")
        self.outputs = sum(one[-1].out_features for one in linears)
        self.fields = {"kind": "mlp", "hidden": [sum(one[k].out_features for one in linears)
                                                 for k in range(self.depth - 1)],
                       "activation": activations[0][0] if activations[0] else "identity",
                       "output": output[0], "time": "t" in net.inputs}

    def named(self, prefix: str, net: Net, state: int) -> dict[str, Tensor]:
        """The tensors by ito's names, differentiable by the modules' own."""
        several = isinstance(net.module, nn.ModuleList)
        nets = [_layers(prefix, one)[0] for one in (net.module if several else [net.module])]
        tensors = {}
        for k in range(self.depth):
            layers = [one[k] for one in nets]
            if k > 0:
                weight = torch.block_diag(*(one.weight for one in layers)) if several else layers[0].weight
            else:
                weight = self._first(layers, net.inputs, 1 if several else state)
            tensors[f"{prefix}.{k}.weight"] = weight
            biases = [one.weight.new_zeros(one.out_features) if one.bias is None else one.bias for one in layers]
            tensors[f"{prefix}.{k}.bias"] = torch.cat(biases)
        return tensors

    def _first(self, layers: list[nn.Linear], inputs: tuple[str, ...], state: int) -> Tensor:
        widths = {"y": state, "t": 1, "context": self.context}
        parts = [dict(zip(inputs, one.weight.split([widths[i] for i in inputs], 1))) for one in layers]
        columns = [torch.block_diag(*(part["y"] for part in parts)) if len(parts) > 1 else parts[0]["y"]]
        columns += [torch.cat([part[i] for part in parts]) for i in ("t", "context") if i in inputs]
        return torch.cat(columns, 1)


def _layers(name: str, module: nn.Module) -> tuple[list[nn.Linear], list[str], str]:
    """(linear layers, activations between them, activation after the last)."""
    linears: list[nn.Linear] = []
    between: list[str] = []
    for one in _flattened(module):
        if isinstance(one, nn.Linear):
            if len(between) < len(linears):
                between.append("identity")
            linears.append(one)
        elif isinstance(one, nn.Identity):
            continue
        elif not linears or len(between) == len(linears):
            raise Error(f"{name}: got {one} where a Linear is to be; accepted: Linear layers with one activation "
                        "between")
        else:
            between.append(_activation(name, one))
    if not linears:
        raise Error(f"{name}: got {type(module).__name__} without a Linear; accepted: nn.Sequential of Linear and "
                    "activations")
    hidden, last = between[: len(linears) - 1], between[len(linears) - 1 :]
    if len(set(hidden)) > 1:
        raise Error(f"{name}: got hidden activations {', '.join(hidden)}; accepted: one for all hidden layers")
    return linears, hidden, last[0] if last else "identity"


def _flattened(module: nn.Module) -> list[nn.Module]:
    if isinstance(module, nn.Sequential):
        return [part for one in module for part in _flattened(one)]
    return [module]


_known: dict[str, str] = {}


def _activation(name: str, module: nn.Module) -> str:
    """By what it computes: so variants and the caller's own classes are told apart."""
    accepted = f"Linear and activations that equal {', '.join(_ACTIVATIONS)}"
    if any(True for _ in module.parameters()):
        raise Error(f"{name}: got {module}; accepted: {accepted}")
    key = f"{type(module).__module__}.{type(module).__qualname__} {module!r}"
    if key not in _known:
        at = torch.linspace(-6, 6, 61, dtype=torch.float64)
        with torch.no_grad():
            values = module(at)
            found = [one for one, f in _ACTIVATIONS.items()
                     if values.shape == at.shape and torch.allclose(values, f(at), rtol=1e-9, atol=1e-9)]
        if not found:
            raise Error(f"{name}: got {module}; accepted: {accepted}")
        _known[key] = found[0]
    return _known[key]


class NeuralSDE(nn.Module):
    """dY = f(t, Y) dt + g(t, Y) dW, of nets that ito knows, with torchsde's attributes and methods.

    drift: f, a Net R^d → R^d (or a module, which then reads y alone). diffusion, by noise_type:
    "diagonal": a Net R^d → R^d, a list of d nets R → R, or a tensor [d]; "additive": a tensor [d, m];
    "scalar": a Net R^d → R^d or a tensor [d, 1]; "general": a Net R^d → R^{d·m}, row by row. prior_drift:
    h, for logqp (diagonal noise). Tensors may be parameters. sde_type: "ito" or "stratonovich".
    Raises itosde.Error naming the net, what it got and what is accepted.
    """

    def __init__(self, drift: nn.Module, diffusion: nn.Module | Tensor, *, prior_drift: nn.Module | None = None,
                 noise_type: str = "diagonal", sde_type: str = "ito"):
        super().__init__()
        if noise_type not in ("diagonal", "additive", "scalar", "general"):
            raise Error(f"noise_type: got {noise_type!r}; accepted: 'diagonal', 'additive', 'scalar' or 'general'")
        if sde_type not in ("ito", "stratonovich"):
            raise Error(f"sde_type: got {sde_type!r}; accepted: 'ito' or 'stratonovich'")
        self.noise_type, self.sde_type = noise_type, sde_type
        self.drift = _net(drift)
        self.prior_drift = None if prior_drift is None else _net(prior_drift)
        if isinstance(diffusion, nn.Parameter):
            self.diffusion = diffusion
        elif isinstance(diffusion, Tensor):
            self.register_buffer("diffusion", diffusion)
        else:
            self.diffusion = _net(diffusion)
        if noise_type == "additive" and not isinstance(diffusion, Tensor):
            raise Error(f"diffusion: got {type(diffusion).__name__} with additive noise; accepted: a tensor [d, m]")
        if isinstance(diffusion, Tensor) and noise_type == "general":
            raise Error("diffusion: got a tensor with general noise; accepted: a net, or noise_type 'additive'")
        self._context: Tensor | tuple[Tensor, Tensor] | None = None
        self._models: dict[Any, Model] = {}

    def contextualize(self, context: Tensor | tuple[Tensor, Tensor] | None) -> None:
        """What nets read as "context" from now on: [batch, C], or (ts [I], contexts [I, batch, C]), of which
        row i rules on steps that begin in [ts[i − 1], ts[i]), the first before and the last after."""
        self._context = context

    def f(self, t: Tensor, y: Tensor) -> Tensor:
        return self.drift(t, y, self._context_at(t))

    def h(self, t: Tensor, y: Tensor) -> Tensor:
        if self.prior_drift is None:
            raise Error("prior_drift: got none; accepted: a net, for logqp")
        return self.prior_drift(t, y)

    def g(self, t: Tensor, y: Tensor) -> Tensor:
        if isinstance(self.diffusion, Net):
            made = self.diffusion(t, y)
            return made if self.noise_type == "diagonal" else made.view(len(y), y.shape[1], -1)
        return self.diffusion.expand(len(y), *self.diffusion.shape)

    def _context_at(self, t: Tensor) -> Tensor | None:
        if not isinstance(self._context, tuple):
            return self._context
        times, contexts = self._context
        time = torch.as_tensor(t, dtype=times.dtype, device=times.device).reshape(())
        return contexts[min(int(torch.searchsorted(times, time, right=True)), len(times) - 1)]

    # --- In ito's terms ---------------------------------------------------------------------------

    def describe(self, state: int, grid: list[float], save: list[int], method: str, logqp: bool,
                 context_steps: list[int]) -> Model:
        """The Model of a solution on a grid."""
        drift = _Perceptron("drift", self.drift, state)
        fields: dict[str, Any] = {"state": state, "grid": grid, "save": save, "solver": method,
                                  "calculus": self.sde_type, **self._describe_diffusion(state)}
        if drift.outputs != state:
            raise Error(f"drift: got {drift.outputs} outputs; accepted: {state}, as the state")
        if logqp:
            prior = _Perceptron("prior_drift", self.prior_drift, state)
            if prior.context or prior.outputs != state:
                raise Error(f"prior_drift: got {prior.context} numbers of context and {prior.outputs} outputs; "
                            f"accepted: none and {state}")
            control = {**drift.fields, "kind": "drift", "context": drift.context}
            if drift.context:
                control["context_steps"] = context_steps
            return Model(**fields, drift=prior.fields, control=control)
        if drift.context:
            fields.update(inputs=drift.context, input_steps=context_steps)
        return Model(**fields, drift=drift.fields)

    def _describe_diffusion(self, state: int) -> dict[str, Any]:
        if isinstance(self.diffusion, Tensor):
            shape = tuple(self.diffusion.shape)
            wanted = (state,) if self.noise_type == "diagonal" else (state, 1 if self.noise_type == "scalar" else 0)
            if len(shape) != len(wanted) or any(w not in (0, s) for s, w in zip(shape, wanted)):
                accepted = ", ".join(str(one or "any") for one in wanted)
                raise Error(f"diffusion: got shape {list(shape)} with {self.noise_type} noise; accepted: "
                            f"[{accepted}]")
            if len(shape) == 1:
                return {"diffusion": {"kind": "constant"}}
            # A square one is an affine map with a weight of zero: ito's constants of that size are diagonals.
            kind = {"kind": "general", "hidden": [], "time": False} if shape[1] == state else {"kind": "constant"}
            return {"noise": shape[1], "diffusion": kind}
        net = _Perceptron("diffusion", self.diffusion, state)
        if net.context:
            raise Error("diffusion: got a context; accepted: a net of y and t")
        columns, rest = divmod(net.outputs, state)
        if rest or columns == 0 or (self.noise_type != "general" and columns != 1):
            raise Error(f"diffusion: got {net.outputs} outputs with {self.noise_type} noise; accepted: {state}"
                        + (" times the number of noises" if self.noise_type == "general" else ""))
        kind = "diagonal" if self.noise_type == "diagonal" else "general"
        return {"noise": state if kind == "diagonal" else columns, "diffusion": {**net.fields, "kind": kind}}

    def tensors(self, state: int, logqp: bool) -> dict[str, Tensor]:
        """The modules' parameters by the names of ito's tensors, differentiable by them."""
        made = {}
        nets = {"drift": self.prior_drift, "control": self.drift} if logqp else {"drift": self.drift}
        for name, net in {**nets, "diffusion": self.diffusion}.items():
            if isinstance(net, Net):
                made.update(_Perceptron(name, net, state).named(name, net, state))
            elif net.dim() == 2 and net.shape[1] == state:
                made["diffusion.0.weight"] = net.new_zeros(state * state, state)
                made["diffusion.0.bias"] = net.reshape(-1)
            else:
                made["diffusion.value"] = net
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_models": {}}


def _net(module: nn.Module) -> Net:
    return module if isinstance(module, Net) else Net(module)


@torch.compiler.disable  # descriptions and plans are made outside graphs
def sdeint(sde: NeuralSDE, y0: Tensor, ts: Tensor | Sequence[float], bm: None = None, method: str | None = None,
           dt: float | Tensor = 1e-3, adaptive: bool = False, logqp: bool = False, *,
           seed: int | Tensor | None = None, first_path: int = 0) -> Tensor | tuple[Tensor, Tensor]:
    """Solves an SDE from y0 [batch, d] at ts[0]: states [T, batch, d] at `ts`.

    ts: increasing times. method: euler, milstein, midpoint, heun, reversible_heun, or srk (additive noise);
    by default euler for Itô SDEs and midpoint for Stratonovich ones. dt: the longest step. logqp: also
    the path divergences ∫½|g⁻¹(f − h)|² dt of every interval, [T − 1, batch]. seed: of the noise, by
    default drawn from torch's generator. first_path: global index of the first row of y0. Differentiable
    by y0, the context and the parameters of the modules. The module's docstring has what differs from
    torchsde. Raises TypeError or itosde.Error naming the argument, what it got and what is accepted.
    """
    if not isinstance(sde, NeuralSDE):
        raise TypeError(f"sde: got {type(sde).__name__}; accepted: itosde.torchsde.NeuralSDE, which is made of nets")
    if bm is not None:
        raise TypeError(f"bm: got {type(bm).__name__}; accepted: None, with `seed` for the noise")
    if adaptive:
        raise Error("adaptive: got True; accepted: False, with steps of `dt`")
    if not isinstance(y0, Tensor) or y0.dim() != 2:
        got = f"shape {list(y0.shape)}" if isinstance(y0, Tensor) else type(y0).__name__
        raise Error(f"y0: got {got}; accepted: a tensor [batch, d]")
    if logqp and (sde.prior_drift is None or sde.noise_type != "diagonal"):
        got = "no prior_drift" if sde.prior_drift is None else f"{sde.noise_type} noise"
        raise Error(f"logqp: got True with {got}; accepted: with prior_drift and diagonal noise")
    solver = _solver(sde, method)
    times = [float(t) for t in (ts.tolist() if isinstance(ts, Tensor) else ts)]
    grid, save = _grid(times, float(dt))
    rows, steps, context = _context(sde, y0, grid)
    key = (y0.shape[1], tuple(times), float(dt), solver, logqp, tuple(steps))
    if key not in sde._models:
        if len(sde._models) >= _KEPT:
            sde._models.pop(next(iter(sde._models)))
        sde._models[key] = sde.describe(y0.shape[1], grid, save, solver, logqp, steps)
    if seed is None:
        seed = int(torch.randint(1 << 62, ()))
    paths = simulate(sde._models[key], sde.tensors(y0.shape[1], logqp), x0=y0.contiguous(), context=context,
                     seed=seed, first_path=first_path, paths_per_observation=rows, intervals=logqp)
    states = paths.states.transpose(0, 1)
    return (states, paths.interval_energy[:, 1:].T) if logqp else states


def _solver(sde: NeuralSDE, method: str | None) -> str:
    method = method or ("euler" if sde.sde_type == "ito" else "midpoint")
    additive = isinstance(sde.diffusion, Tensor)
    if method not in _METHODS or (method == "srk" and not additive):
        raise Error(f"method: got {method!r}; accepted: {', '.join(_METHODS)} (srk where the diffusion is a tensor)")
    return _METHODS[method]


def _grid(times: list[float], dt: float) -> tuple[list[float], list[int]]:
    """All of `times` with equal steps between, none longer than dt; where they are in it."""
    if not dt > 0:
        raise Error(f"dt: got {dt}; accepted: above 0")
    if len(times) < 2 or any(not math.isfinite(t) for t in times) or any(b <= a for a, b in zip(times, times[1:])):
        raise Error(f"ts: got {times}; accepted: two or more increasing times")
    grid, save = [times[0]], [0]
    for begin, end in zip(times, times[1:]):
        steps = max(1, math.ceil((end - begin) / dt * (1 - 1e-6)))  # float32 rounds a time by less
        grid += [begin + (end - begin) * k / steps for k in range(1, steps)] + [end]
        save.append(len(grid) - 1)
    return grid, save


def _context(sde: NeuralSDE, y0: Tensor, grid: list[float]) -> tuple[int, list[int], Tensor | None]:
    """(paths a row, steps at which a new one rules, [batch, I, C]) of what `contextualize` has set."""
    if "context" not in sde.drift.inputs:
        return 0, [0], None
    context = sde._context
    if context is None:
        raise Error("context: got none; accepted: what NeuralSDE.contextualize sets, since the drift reads it")
    if not isinstance(context, tuple):
        context = None, context.unsqueeze(0)
    times, rows = context
    if rows.dim() != 3 or rows.shape[1] != len(y0) or (times is not None and len(times) != len(rows)):
        raise Error(f"context: got shape {list(rows.shape)}; accepted: [batch, C], or times [I] and [I, batch, C], "
                    f"of a batch of {len(y0)}")
    if times is None:
        ruling = [0] * (len(grid) - 1)
    else:
        starts = torch.tensor(grid[:-1], dtype=torch.float64)
        after = torch.searchsorted(times.detach().double().cpu(), starts, right=True)
        ruling = after.clamp(max=len(times) - 1).tolist()
    steps = [k for k, row in enumerate(ruling) if k == 0 or row != ruling[k - 1]]
    used = rows if len(steps) == len(rows) else rows[[ruling[k] for k in steps]]
    return 1, steps, used.transpose(0, 1).contiguous()
