"""The loss and its gradients against finite differences and against the formula written out."""

import numpy as np
import pytest

from xsearch.train.bags import Bags
from xsearch.train.contrastive import softmax_loss
from xsearch.train.model import RowAdagrad, StaticModel, Trainer
from xsearch.train.recipe import Cycle, Objective
from xsearch.train.sampling import PairBatch


def plain_loss(left, right, groups, scale, margin):
    n = len(left)
    total = 0.0
    for i in range(n):
        for a, b in ((left, right), (right, left)):
            logits = {
                j: scale * (float(a[i] @ b[j]) - (margin if i == j else 0))
                for j in range(n)
                if i == j or groups[i] != groups[j]
            }
            total += np.log(sum(np.exp(z) for z in logits.values())) - logits[i]
    return total / (2 * n)


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_loss_is_the_formula():
    rng = np.random.default_rng(3)
    left, right = unit(rng.standard_normal((7, 8))), unit(rng.standard_normal((7, 8)))
    groups = np.array([0, 1, 2, 1, 4, 1, 0])
    loss, _, _ = softmax_loss(left, right, groups, 20.0, 0.15)
    assert loss == pytest.approx(plain_loss(left, right, groups, 20.0, 0.15), rel=1e-5)


def test_loss_of_two_orthogonal_pairs_by_hand():
    eye = np.eye(2, dtype=np.float32)
    loss, _, _ = softmax_loss(eye, eye, np.array([0, 1]), 2.0, 0.5)
    # logits: 2 (1 - .5) = 1 for the pair, 0 for the other
    assert loss == pytest.approx(np.log(1 + np.exp(-1)), rel=1e-6)


def test_gradient_by_vectors_is_the_slope():
    rng = np.random.default_rng(4)
    left, right = unit(rng.standard_normal((5, 6))), unit(rng.standard_normal((5, 6)))
    groups = np.array([0, 1, 2, 2, 3])
    _, by_left, by_right = softmax_loss(left, right, groups, 5.0, 0.1)
    step = 1e-4
    for matrix, gradient in ((left, by_left), (right, by_right)):
        for place in [(0, 0), (2, 3), (4, 5)]:
            kept = matrix[place]
            around = []
            for sign in (1, -1):
                matrix[place] = kept + sign * step
                around.append(plain_loss(left.astype(float), right.astype(float), groups, 5.0, 0.1))
            matrix[place] = kept
            assert gradient[place] == pytest.approx((around[0] - around[1]) / (2 * step), rel=2e-2, abs=2e-3)


def batch():
    left = Bags(np.array([0, 1, 1, 2, 3]), np.array([0, 3, 5]))
    right = Bags(np.array([4, 5, 0]), np.array([0, 1, 3]))
    return PairBatch(left, right, np.array([0, 1]))


def model_loss(vectors, raw, pairs, objective):
    weights = np.log1p(np.exp(raw))

    def encode(bags):
        sums = np.array(
            [
                sum(weights[t] * vectors[t] for t in bags.tokens[a:b])
                for a, b in zip(bags.starts[:-1], bags.starts[1:], strict=True)
            ]
        )
        return sums / np.linalg.norm(sums, axis=1, keepdims=True)

    return plain_loss(encode(pairs.left), encode(pairs.right), pairs.groups, objective.scale, objective.margin)


def test_gradients_by_vectors_and_weights_are_the_slopes():
    rng = np.random.default_rng(5)
    objective = Objective(dim=8, scale=4.0, margin=0.1)
    model = StaticModel(rng.standard_normal((6, 8)).astype(np.float32), rng.standard_normal(6).astype(np.float32))
    loss, tokens, by_vectors, by_raw = Trainer(model, objective).gradients(batch())
    vectors, raw = model.vectors.astype(float), model.raw.astype(float)
    assert loss == pytest.approx(model_loss(vectors, raw, batch(), objective), rel=1e-4)
    assert tokens.tolist() == [0, 1, 2, 3, 4, 5]
    step = 1e-5
    for array, gradient in ((vectors, by_vectors), (raw, by_raw)):
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + step
            above = model_loss(vectors, raw, batch(), objective)
            array[place] = kept - step
            below = model_loss(vectors, raw, batch(), objective)
            array[place] = kept
            assert gradient[place] == pytest.approx((above - below) / (2 * step), rel=1e-2, abs=1e-3)


def test_with_cuts_the_loss_is_the_mean_over_lengths_and_its_gradients_the_slopes():
    rng = np.random.default_rng(6)
    objective = Objective(dim=8, cuts=(4, 2), scale=4.0, margin=0.1)
    model = StaticModel(rng.standard_normal((6, 8)).astype(np.float32), rng.standard_normal(6).astype(np.float32))
    raw = model.raw.astype(float)

    def mean_loss(vectors):
        return np.mean([model_loss(vectors[:, :length], raw, batch(), objective) for length in (8, 4, 2)])

    loss, _, by_vectors, _ = Trainer(model, objective).gradients(batch())
    vectors = model.vectors.astype(float)
    assert loss == pytest.approx(mean_loss(vectors), rel=1e-4)
    for place in ((0, 0), (1, 3), (4, 7), (5, 1)):
        kept, around = vectors[place], []
        for sign in (1, -1):
            vectors[place] = kept + sign * 1e-5
            around.append(mean_loss(vectors))
        vectors[place] = kept
        assert by_vectors[place] == pytest.approx((around[0] - around[1]) / 2e-5, rel=1e-2, abs=1e-3)


def test_adagrad_by_hand_touches_its_rows_only():
    parameters = np.ones((3, 2), dtype=np.float32)
    adagrad = RowAdagrad(np.zeros(3, dtype=np.float32))
    gradient = np.array([[3.0, 4.0]], dtype=np.float32)
    adagrad.update(parameters, np.array([1]), gradient, 0.1)
    # mean of squares (9 + 16) / 2 = 12.5
    np.testing.assert_allclose(parameters[1], 1 - 0.1 * gradient[0] / np.sqrt(12.5), rtol=1e-6)
    adagrad.update(parameters, np.array([1]), gradient, 0.1)
    np.testing.assert_allclose(parameters[1], 1 - 0.1 * gradient[0] * (1 / np.sqrt(12.5) + 1 / np.sqrt(25)), rtol=1e-6)
    assert (parameters[[0, 2]] == 1).all()


def test_learning_rate_of_a_cycle_by_hand():
    plain = Cycle(steps=4, learning_rate=0.2)
    assert [plain.rate(step) for step in range(4)] == pytest.approx([0.2, 0.15, 0.1, 0.05])
    warm = Cycle(steps=4, learning_rate=0.2, warmup=0.5)
    assert [warm.rate(step) for step in range(4)] == pytest.approx([0.1, 0.15, 0.1, 0.05])
    short = Cycle(steps=4, learning_rate=0.2, last=0.5)
    assert [short.rate(step) for step in range(4)] == pytest.approx([0.2, 0.175, 0.15, 0.125])
