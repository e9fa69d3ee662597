"""The training loop and what it writes: exact resumption, a killed process, losses that are no numbers, and encoders
that `index` and `query` use."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import msgspec
import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="pip install 'xsearch-clir[neural]'")

import tiny_models as tiny
import torch
from safetensors.torch import load_file
from training_data import recipe, write_data
from typer.testing import CliRunner

import xsearch
from xsearch.cli.app import app
from xsearch.core import BadInput
from xsearch.encode import Runtime, load_encoder
from xsearch.train.neural import loop
from xsearch.train.neural.loop import fit
from xsearch.train.neural.recipe import Schedule, load_neural_recipe
from xsearch.train.neural.training import train_neural

pytestmark = pytest.mark.neural


class Numbers(msgspec.Struct):
    """A batch of numbers."""

    values: list[float]

    def __len__(self):
        return len(self.values)


def draw(number):
    return Numbers(np.random.default_rng(number).standard_normal(4).tolist())


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 1))


def losses_of(model, stop_at=None):
    calls = [0]

    def losses(batch):
        calls[0] += 1
        if calls[0] == stop_at:
            raise KeyboardInterrupt
        values = torch.tensor(batch.values).unsqueeze(1)
        return {"square": (model(values) - values.square()).square().mean()}

    return losses


def weights(model):
    return np.concatenate([value.numpy().ravel() for value in model.state_dict().values()])


SCHEDULE = Schedule(steps=12, learning_rate=0.05, accumulate=2, average=3)


def test_a_run_cut_short_ends_with_the_same_bits(tmp_path):
    whole = network()
    fit(whole, draw, losses_of(whole), SCHEDULE, 5, tmp_path / "whole")
    for stop_at in (2, 11, 20):
        work = tmp_path / str(stop_at)
        first = network()
        with pytest.raises(KeyboardInterrupt):
            fit(first, draw, losses_of(first, stop_at), SCHEDULE, 5, work)
        torch.manual_seed(99)
        second = network()
        state = fit(second, draw, losses_of(second), SCHEDULE, 5, work)
        np.testing.assert_array_equal(weights(second), weights(whole))
        assert state.step == 12


class Remembering(torch.nn.Module):
    """A network whose loss leaves something behind, as a queue of negatives does."""

    def __init__(self):
        super().__init__()
        self.network = network()
        self.register_buffer("last", torch.zeros(1))

    def losses(self, batch):
        value = losses_of(self.network)(batch)["square"] * (1 + 0.5 * torch.tanh(self.last))
        self.last = value.detach().reshape(1).clone()
        return {"square": value}


def test_a_step_ends_before_an_interrupt_stops_the_run(tmp_path):
    whole = Remembering()
    fit(whole, draw, whole.losses, SCHEDULE, 5, tmp_path / "whole")

    def stopped(work, times):
        model, calls = Remembering(), []

        def losses(batch):
            found = model.losses(batch)
            calls.append(batch)
            if len(calls) == 9:
                for _ in range(times):
                    signal.raise_signal(signal.SIGINT)
            return found

        with pytest.raises(KeyboardInterrupt):
            fit(model, draw, losses, SCHEDULE, 5, work)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        return len(calls)

    # Two batches a step: the ninth is the fifth step's first.
    assert stopped(tmp_path / "once", 1) == 10
    again, said = Remembering(), []
    fit(again, draw, again.losses, SCHEDULE, 5, tmp_path / "once", on_progress=said.append)
    np.testing.assert_array_equal(weights(again), weights(whole))
    assert said[0].note == "goes on behind step 5 of 12"
    # A second one does not wait, and keeps no half step.
    assert stopped(tmp_path / "twice", 2) == 9
    assert not (tmp_path / "twice" / loop.STATE).exists()


def test_steps_are_those_of_adamw_written_out(tmp_path):
    """Two accumulated batches are the mean of their gradients; then clip, then AdamW's formulas (Loshchilov and Hutter
    2019, algorithm 2)."""
    model = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(model.weight, 0.5)
    torch.nn.init.constant_(model.bias, 0.1)
    schedule = Schedule(steps=3, learning_rate=0.1, warmup=0.0, accumulate=2, clip=0.5, weight_decay=0.2)
    fit(model, draw, losses_of(model), schedule, 1, tmp_path)
    theta, m, v = np.array([0.5, 0.1]), np.zeros(2), np.zeros(2)
    for step in range(3):
        gradient = np.zeros(2)
        for number in (2 * step, 2 * step + 1):
            x = np.array(draw(number).values)
            error = theta[0] * x + theta[1] - x**2
            gradient += np.array([(2 * error * x).mean(), (2 * error).mean()]) / 2
        gradient *= min(1.0, 0.5 / np.linalg.norm(gradient))
        rate = 0.1 * (3 - step) / 3
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        theta = theta - rate * np.array([0.2, 0.0]) * theta
        hats = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))
        theta = theta - rate * hats[0] / (np.sqrt(hats[1]) + 1e-8)
    np.testing.assert_allclose([model.weight.item(), model.bias.item()], theta, rtol=1e-4)


def test_averaging_is_the_mean_of_the_moments(tmp_path):
    seen = []
    model = network()
    schedule = Schedule(steps=10, learning_rate=0.05, average=4, evaluate_every=1)
    state = fit(
        model, draw, losses_of(model), schedule, 1, tmp_path, evaluate=lambda: seen.append(weights(model)) or {"n": 1.0}
    )
    np.testing.assert_allclose(weights(model), np.mean(seen[6:10], axis=0), rtol=1e-5, atol=1e-7)
    assert [step for step, _ in state.measured] == list(range(1, 11))


def test_a_loss_that_is_no_number_stops_and_leaves_its_batch(tmp_path):
    model = network()

    def losses(batch):
        value = losses_of(model)(batch)["square"]
        return {"square": value * float("nan") if batch.values == draw(3).values else value}

    with pytest.raises(BadInput, match="loss of step 4 is nan"):
        fit(model, draw, losses, Schedule(steps=9), 1, tmp_path)
    left = json.loads((tmp_path / loop.FAILED).read_text())
    assert left["step"] == 3
    np.testing.assert_allclose(left["batches"][0]["values"], draw(3).values)
    assert np.isfinite(weights(model)).all()


def test_states_that_do_not_belong_are_refused(tmp_path):
    model = network()
    fit(model, draw, losses_of(model), Schedule(steps=1), 1, tmp_path, key="a")
    with pytest.raises(BadInput, match="another training was cut short here"):
        fit(model, draw, losses_of(model), Schedule(steps=1), 1, tmp_path, key="b")
    (tmp_path / loop.STATE).write_bytes(b"PK\x03\x04 nothing of ours")
    with pytest.raises(BadInput, match="not a state of training"):
        fit(model, draw, losses_of(model), Schedule(steps=1), 1, tmp_path, key="a")


@pytest.fixture(scope="module")
def base(models):
    return tiny.xlmr(models / "training-base", masked=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("training"))


def test_what_is_trained_is_indexed_and_queried(tmp_path, base, data):
    path = recipe(tmp_path, steps=3)
    searched = tmp_path / "searched"
    searched.mkdir()
    documents = [{"id": f"{n}.en", "lang": "en", "text": text} for n, text in enumerate(tiny.TEXTS[:4])]
    (searched / "docs.jsonl").write_text("".join(json.dumps(record) + "\n" for record in documents))
    (searched / "topics.jsonl").write_text(json.dumps({"id": "1", "lang": "en", "text": "the bridge"}))
    result = CliRunner().invoke(
        app, ["train", "encoder", "--recipe", str(path), "--data", str(data), "--base", str(base), "--out",
              str(tmp_path / "out"), "--device", "cpu", "--evaluate", str(searched)],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "120 rows, 60 sections in 3 languages" in result.output
    rows = [json.loads(line) for line in (tmp_path / "out" / "mine.log.jsonl").read_text().splitlines()]
    assert all(0 <= row["searched nDCG@10"] <= 1 for row in rows)
    assert f"searched nDCG@10: {rows[-1]['searched nDCG@10']:.3f}" in result.output
    encoder = load_encoder(tmp_path / "out", Runtime("cpu"))
    assert (encoder.card.name, encoder.card.dim, encoder.card.max_length) == ("mine", 32, 40)
    assert [note.licence for note in encoder.card.sources] == ["CC0-1.0"] * 2
    index = xsearch.create(tmp_path / "i", encoder=tmp_path / "out", runtime=Runtime("cpu"))
    with index.writer() as w:
        w.add(xsearch.Document("1", tiny.TEXTS[0], lang="en"))
    assert [hit.id for hit in index.search("river", k=1)] == ["1"]


def test_a_killed_process_goes_on_to_the_same_weights(tmp_path, base, data):
    """kill -9 in the middle of the steps; the same command again."""
    path = recipe(tmp_path, steps=25)
    script = (
        "import sys; from pathlib import Path; from xsearch.train.neural.recipe import load_neural_recipe;"
        "from xsearch.train.neural.training import train_neural;"
        "train_neural(load_neural_recipe(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], 'cpu',"
        "save_seconds=0.0)"
    )
    arguments = [sys.executable, "-c", script, str(path), str(data), str(tmp_path / "killed"), str(base)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL)
    state = tmp_path / "killed" / "mine.work" / "only" / loop.STATE
    while process.poll() is None and not state.is_file():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert torch.load(state, weights_only=True)["step"] < 25
    for out in ("killed", "whole"):
        train_neural(load_neural_recipe(path), data, tmp_path / out, str(base), "cpu")
    killed, whole = (load_file(tmp_path / out / "mine" / "model.safetensors") for out in ("killed", "whole"))
    assert killed.keys() == whole.keys()
    for name, weight in whole.items():
        np.testing.assert_array_equal(killed[name].numpy(), weight.numpy())
    assert not (tmp_path / "killed" / "mine.work").exists()


def test_a_run_does_not_go_on_with_other_data(tmp_path, base):
    data = write_data(tmp_path / "data")
    path = recipe(tmp_path, steps=12)

    def stop(step):
        if step.stage == "train":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_neural(load_neural_recipe(path), data, tmp_path / "out", str(base), "cpu", stop)
    assert (tmp_path / "out" / "mine.work").exists()
    rows = data / "parallel" / "rows.jsonl"
    lines = rows.read_text().splitlines()
    # As many rows as before.
    rows.write_text("\n".join([lines[1], *lines[1:]]))
    with pytest.raises(BadInput, match="another training was cut short here"):
        train_neural(load_neural_recipe(path), data, tmp_path / "out", str(base), "cpu")
