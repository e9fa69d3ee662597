"""Every objective against its equation written out with loops over numpy arrays, and gradient caching against the whole
batch."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="pip install 'xsearch-clir[neural]'")

import torch

from xsearch.train.neural import objectives

pytestmark = pytest.mark.neural

RNG = np.random.default_rng(3)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def unit(*shape):
    vectors = RNG.standard_normal(shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def tensor(array):
    array = np.asarray(array)
    return torch.tensor(array, dtype=torch.float32 if array.dtype.kind == "f" else None)


def log_softmax(values, chosen):
    return values[chosen] - np.log(np.exp(values).sum())


def masks(n, length):
    """Masks of at least one token, all differing."""
    return np.arange(length) < RNG.integers(1, length + 1, n)[:, None]


@pytest.mark.parametrize("both", [False, True])
def test_in_batch_softmax(both):
    scores, tau = RNG.standard_normal((4, 7)), 0.3
    rivals = np.ones((4, 7), bool)
    rivals[0, 2] = rivals[2, 0] = rivals[3, 6] = False
    expected = []
    for i in range(4):
        row = np.array([scores[i, i], *(scores[i, j] for j in range(7) if j != i and rivals[i, j])]) / tau
        column = np.array([scores[i, i], *(scores[k, i] for k in range(4) if k != i and rivals[k, i])]) / tau
        there, back = -log_softmax(row, 0), -log_softmax(column, 0)
        expected.append((there + back) / 2 if both else there)
    found = objectives.in_batch_softmax(tensor(scores), tensor(rivals), tau, both)
    np.testing.assert_allclose(found, np.mean(expected), **CLOSE)


def test_translation_ranking():
    left, right, tau, margin = unit(5, 6), unit(5, 6), 0.2, 0.1
    groups = np.array([4, 7, 4, 1, 2])
    total = 0.0
    for a, b in ((left, right), (right, left)):
        for i in range(5):
            others = [a[i] @ b[j] / tau for j in range(5) if j != i and groups[j] != groups[i]]
            total -= log_softmax(np.array([(a[i] @ b[i] - margin) / tau, *others]), 0) / 10
    found = objectives.translation_ranking(tensor(left), tensor(right), tensor(groups), tau, margin)
    np.testing.assert_allclose(found, total, **CLOSE)


def test_one_to_k():
    count, n, tau = 3, 4, 0.4
    vectors, groups = unit(count, n, 5), np.array([1, 2, 1, 3])
    texts = [(k, i) for k in range(count) for i in range(n)]
    total = 0.0
    for k, i in texts:
        others = [(m, j) for m, j in texts if (m, j) != (k, i)]
        logits = np.array([vectors[k, i] @ vectors[m, j] / tau for m, j in others])
        positive = [place for place, (_, j) in enumerate(others) if groups[j] == groups[i]]
        total -= np.mean([log_softmax(logits, place) for place in positive]) / len(texts)
    np.testing.assert_allclose(objectives.one_to_k(tensor(vectors), tensor(groups), tau), total, **CLOSE)


def max_sim(query, query_mask, passage, passage_mask):
    best = [max(q @ d for d, kept in zip(passage, passage_mask, strict=True) if kept)
            for q, asked in zip(query, query_mask, strict=True) if asked]  # fmt: skip
    return np.mean(best)


def test_late_interaction_and_comparable_documents():
    left, right, left_mask, right_mask = unit(3, 4, 5), unit(3, 6, 5), masks(3, 4), masks(3, 6)
    scores = np.array([[max_sim(left[i], left_mask[i], right[j], right_mask[j]) for j in range(3)] for i in range(3)])
    sides = [tensor(array) for array in (left, left_mask, right, right_mask)]
    np.testing.assert_allclose(objectives.max_sim(*sides), scores, **CLOSE)
    back = np.array([[max_sim(right[i], right_mask[i], left[j], left_mask[j]) for j in range(3)] for i in range(3)])
    groups, tau, total = np.array([0, 1, 0]), 0.1, 0.0
    for table in (scores, back):
        for i in range(3):
            rivals = [table[i, j] / tau for j in range(3) if j != i and groups[i] != groups[j]]
            total -= log_softmax(np.array([table[i, i] / tau, *rivals]), 0) / 6
    np.testing.assert_allclose(objectives.comparable(*sides, tensor(groups), tau), total, **CLOSE)


def test_continuous_weights():
    left, right, tau = unit(4, 5), unit(4, 5), 0.3
    weights = unit(4, 3) @ unit(4, 3).T / 2 + 0.5
    total = 0.0
    for i in range(4):
        logits = np.array([left[i] @ right[j] / tau for j in range(4)])
        total -= sum(weights[i, j] * log_softmax(logits, j) for j in range(4)) / weights[i].sum() / 4
    found = objectives.continuously_weighted(tensor(left), tensor(right), tensor(weights), tau)
    np.testing.assert_allclose(found, total, **CLOSE)


def test_distillation_is_the_divergence_from_the_teacher():
    student, teacher = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 4)) * 3
    shares = [np.exp(x / t) / np.exp(x / t).sum(1, keepdims=True) for x, t in ((student, 0.5), (teacher, 2.0))]
    expected = np.mean(
        [sum(p * np.log(p / q) for p, q in zip(t, s, strict=True)) for s, t in zip(*shares, strict=True)]
    )
    found = objectives.distillation(tensor(student), tensor(teacher), 0.5, 2.0)
    np.testing.assert_allclose(found, expected, **CLOSE)
    same = objectives.distillation(tensor(teacher), tensor(teacher), 2.0, 2.0)
    np.testing.assert_allclose(same, 0.0, atol=1e-6)


def test_matryoshka_is_the_mean_over_cuts():
    left, right, cuts = unit(3, 8), unit(3, 8), (2, 4, 8, 16)
    parts = []
    for cut in (8, 2, 4):
        a, b = (x[:, :cut] / np.linalg.norm(x[:, :cut], axis=1, keepdims=True) for x in (left, right))
        parts.append(((a - b) ** 2).sum())
    found = objectives.matryoshka(lambda a, b: (a - b).square().sum(), tensor(left), tensor(right), cuts)
    np.testing.assert_allclose(found, np.mean(parts), **CLOSE)


def test_sparse_weights_and_their_price():
    logits, mask = RNG.standard_normal((2, 3, 5)), np.array([[1, 1, 0], [1, 1, 1]])
    weights = np.zeros((2, 5))
    for i in range(2):
        for j in range(5):
            weights[i, j] = max(np.log1p(max(logits[i, t, j], 0.0)) for t in range(3) if mask[i, t])
    found = objectives.word_weights(tensor(logits), tensor(mask))
    np.testing.assert_allclose(found, weights, **CLOSE)
    expected = sum(np.mean([weights[i, j] for i in range(2)]) ** 2 for j in range(5))
    np.testing.assert_allclose(objectives.flops(found), expected, **CLOSE)


def test_contrast_with_a_queue():
    queries, keys, queue, tau = unit(3, 4), unit(3, 4), unit(6, 4), 0.2
    total = 0.0
    for i in range(3):
        logits = np.array([queries[i] @ keys[i], *(queries[i] @ u for u in queue)]) / tau
        total -= log_softmax(logits, 0) / 3
    found = objectives.contrast_with_queue(tensor(queries), tensor(keys), tensor(queue), tau)
    np.testing.assert_allclose(found, total, **CLOSE)


def test_momentum_follows_and_the_queue_forgets_the_oldest():
    network = torch.nn.Linear(2, 2, bias=False)
    slow = objectives.Momentum(network, 3, 4, 0.75)
    before = network.weight.detach().clone()
    with torch.no_grad():
        network.weight += 4.0
    slow.follow(network)
    np.testing.assert_allclose(slow.network.weight, before + 1.0, **CLOSE)
    assert not any(parameter.requires_grad for parameter in slow.parameters())
    start = slow.queue.clone()
    for first in (0, 10):
        slow.push(torch.arange(first, first + 3)[:, None].expand(3, 3).float())
    np.testing.assert_allclose(slow.queue[:, 0], [11, 12, 2, 10])
    assert start.shape == slow.queue.shape
    slow.push(torch.arange(6)[:, None].expand(6, 3).float())
    assert sorted(slow.queue[:, 0].tolist()) == [2, 3, 4, 5]
    assert slow.state_dict().keys() == {"network.weight", "queue", "next"}


def test_self_labels_are_mutual_bests_of_a_balanced_plan():
    left, right = unit(2, 4, 5), unit(2, 3, 5)
    left_mask, right_mask = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], bool), np.array([[1, 1, 1], [1, 1, 0]], bool)
    sides = [tensor(array) for array in (left, right, left_mask, right_mask)]
    found = objectives.self_labels(*sides, 0.2, 50).numpy()
    for n in range(2):
        rows, columns = np.flatnonzero(left_mask[n]), np.flatnonzero(right_mask[n])
        plan = np.exp(left[n][rows] @ right[n][columns].T / 0.2)
        for _ in range(50):
            plan /= plan.sum(1, keepdims=True) * len(rows)
            plan /= plan.sum(0, keepdims=True) * len(columns)
        np.testing.assert_allclose(plan.sum(1), 1 / len(rows), rtol=1e-3)
        expected = np.full(4, -1)
        for i, row in enumerate(rows):
            best = plan[i].argmax()
            if plan[:, best].argmax() == i:
                expected[row] = columns[best]
        np.testing.assert_array_equal(found[n], expected)


def test_pointing_at_aligned_tokens():
    torch.manual_seed(0)
    pointer = objectives.Pointer(3)
    states, others = unit(1, 3, 3), unit(1, 4, 3)
    labels, hidden = np.array([[2, -1, 1]]), np.array([[True, True, False]])
    other_mask = np.array([[True, True, True, False]])
    q, k = (layer.weight.detach().numpy() for layer in (pointer.query, pointer.key))
    bq, bk = (layer.bias.detach().numpy() for layer in (pointer.query, pointer.key))
    logits = np.array([(q @ states[0, 0] + bq) @ (k @ others[0, j] + bk) / np.sqrt(3) for j in range(3)])
    found = objectives.pointed(
        pointer(tensor(states), tensor(others)), tensor(labels), tensor(hidden), tensor(other_mask)
    )
    np.testing.assert_allclose(found.detach(), -log_softmax(logits, 2), **CLOSE)
    none = objectives.pointed(
        pointer(tensor(states), tensor(others)), tensor(labels), tensor(~hidden & hidden), tensor(other_mask)
    )
    none.backward()
    assert none.item() == 0.0


def test_hidden_states_are_compared_at_equal_depth():
    student, teacher, mask = RNG.standard_normal((3, 2, 4, 5)), RNG.standard_normal((5, 2, 4, 5)), masks(2, 4)
    parts = []
    for layer, other in ((0, 0), (1, 2), (2, 4)):
        squares = [(student[layer, n, t] - teacher[other, n, t]) ** 2 for n in range(2) for t in range(4) if mask[n, t]]
        parts.append(np.mean(squares))
    found = objectives.hidden_states(list(tensor(student)), list(tensor(teacher)), tensor(mask))
    np.testing.assert_allclose(found, np.mean(parts), **CLOSE)


def test_masking_hides_what_it_says():
    torch.manual_seed(1)
    ids = torch.randint(10, 50, (200, 50))
    maskable = torch.rand(200, 50) < 0.9
    shown, hidden = objectives.mask_tokens(ids, maskable, 3, 50, 0.2)
    assert not (hidden & ~maskable).any()
    np.testing.assert_array_equal(shown[~hidden], ids[~hidden])
    assert abs(hidden.sum() / maskable.sum() - 0.2) < 0.02
    assert abs((shown[hidden] == 3).float().mean() - 0.8 - 0.1 / 50) < 0.03
    assert abs((shown[hidden] == ids[hidden]).float().mean() - 0.1) < 0.03
    logits = RNG.standard_normal((3, 6))
    expected = -np.mean([log_softmax(logits[n], place) for n, place in enumerate((5, 0, 2))])
    found = objectives.masked_words(tensor(logits), tensor(np.array([5, 0, 2])))
    np.testing.assert_allclose(found, expected, **CLOSE)
    assert objectives.masked_words(torch.zeros(0, 6), torch.zeros(0, dtype=torch.long)) == 0.0


def test_representation_translation_reads_states_alone():
    """The head's outputs at the translation's places: not moved by the translation's words nor by the source's first
    token; and the loss is the cross entropy of its words."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(2)
    sizes = {"hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 8}
    body = BertModel(BertConfig(vocab_size=20, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **sizes))
    head = objectives.Translator(body, 2, mask_id=4)
    states, mask = tensor(unit(2, 5, 8)), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    targets, target_mask = torch.tensor([[5, 6, 7], [8, 9, 0]]), torch.tensor([[1, 1, 1], [1, 1, 0]])
    made = head(states, mask, targets, target_mask, body.embeddings)
    assert made.shape == (2, 3, 8)
    other = states.clone()
    other[:, 0] += 1.0
    other[1, 3:] += 1.0
    same = head(other, mask, targets + 5, target_mask, body.embeddings)
    np.testing.assert_allclose(same[0].detach(), made[0].detach(), **CLOSE)
    np.testing.assert_allclose(same[1, :2].detach(), made[1, :2].detach(), **CLOSE)
    other[0, 2] += 1.0
    assert not np.allclose(head(other, mask, targets, target_mask, body.embeddings)[0].detach(), made[0].detach())
    hidden = body.embeddings(input_ids=torch.full((2, 3), 4))
    joined = torch.cat([states[:1, 1:], hidden[:1]], dim=1)
    for layer in body.encoder.layer[1:]:
        out = layer(joined)
        joined = out[0] if isinstance(out, tuple) else out
    np.testing.assert_allclose(made[0].detach(), joined[0, 4:].detach(), **CLOSE)
    logits, counted = RNG.standard_normal((5, 20)), target_mask.bool()
    expected = -np.mean([log_softmax(logits[n], word) for n, word in enumerate((5, 6, 7, 8, 9))])
    found = objectives.representation_translation(tensor(logits), targets, counted)
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_chunks_have_the_gradients_of_the_whole_batch():
    torch.manual_seed(4)
    network = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))
    features = {"x": torch.randn(11, 6)}
    alive = []

    def encode(some):
        alive.append(len(some["x"]))
        return torch.nn.functional.normalize(network(some["x"]), dim=1)

    gradients = []
    for chunk in (0, 4, 1):
        network.zero_grad()
        vectors = objectives.chunked(encode, features, chunk)
        rivals = torch.ones(5, 11, dtype=torch.bool)
        objectives.in_batch_softmax(vectors[:5] @ vectors.T, rivals, 0.1, True).backward()
        gradients.append(torch.cat([parameter.grad.ravel() for parameter in network.parameters()]))
    np.testing.assert_allclose(gradients[1], gradients[0], **CLOSE)
    np.testing.assert_allclose(gradients[2], gradients[0], **CLOSE)
    # Each chunk twice: for the representations, and again for its gradients.
    assert sorted(alive[1:7]) == sorted([4, 4, 3] * 2)


def test_chunks_draw_the_same_dropout_again():
    network = torch.nn.Sequential(torch.nn.Linear(3, 64), torch.nn.Dropout(0.5))
    torch.manual_seed(5)
    vectors = objectives.chunked(lambda some: network(some["x"]), {"x": torch.ones(4, 3)}, 2)
    vectors.sum().backward()
    kept = (vectors != 0).float().sum(0)
    np.testing.assert_allclose(network[0].bias.grad, 2 * kept, **CLOSE)


def test_tuples_are_joined_by_column():
    found = objectives.chunked(lambda some: (some["x"] * 2, some["x"] > 2), {"x": torch.arange(5.0)}, 2)
    np.testing.assert_array_equal(found[0], [0, 2, 4, 6, 8])
    np.testing.assert_array_equal(found[1], [False, False, False, True, True])
