"""The same bits as the program's, and so as those of C++: it runs the same two calls."""

import os
import subprocess

import numpy
import pytest

import itosde as ito

PROGRAM = os.environ.get("ITO_PROGRAM", "")
pytestmark = pytest.mark.skipif(not PROGRAM, reason="ITO_PROGRAM names no program")


def run(*arguments) -> None:
    subprocess.run([PROGRAM, *map(str, arguments)], check=True, capture_output=True)


def test_paths_and_parameters_are_the_programs(model, tmp_path):
    free = model.replace(control={"kind": "feedback", "hidden": [8]})
    description, kept, out = tmp_path / "m.json", tmp_path / "p.safetensors", tmp_path / "x.npz"
    description.write_text(free.to_json())
    run("init", description, "--seed", 5, "--out", kept)
    parameters = ito.initialize(free, 5)
    assert ito.load(free, kept).flat.tolist() == parameters.flat.tolist()
    run("simulate", description, "--params", kept, "--paths", 100, "--seed", 7, "--out", out, "--device", "cpu")
    paths = ito.Plan(free, "cpu").simulate(parameters, 100, seed=7)
    with numpy.load(out) as written:
        assert numpy.array_equal(written["x"], paths.states)
        assert numpy.array_equal(written["energy"], paths.energy)
        assert numpy.array_equal(written["martingale"], paths.martingale)


def test_a_fit_is_the_programs(latent, observations, tmp_path):
    description, data, out = tmp_path / "m.json", tmp_path / "y.csv", tmp_path / "fit"
    description.write_text(latent.to_json())
    numpy.savetxt(data, observations, fmt="%.9g")
    run("fit", description, data, "--epochs", 3, "--batch", 10, "--seed", 2, "--device", "cpu",
        "--out", out)
    fitted = ito.fit(latent, observations, epochs=3, batch=10, seed=2, device="cpu", progress=False)
    assert ito.load(latent, out / "parameters.safetensors").flat.tolist() == fitted.parameters.flat.tolist()
