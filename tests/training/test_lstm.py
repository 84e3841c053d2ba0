"""The LSTM of A3C: sizes, its gradient against finite differences and torch, targets and RMSProp by hand."""

from __future__ import annotations

import numpy as np
import pytest
from lstm_cases import SHAPE, a_block, server

from mmwave_baselines.training import lstm


def test_sizes_are_those_of_the_paper():
    assert SHAPE.size == 711
    weights = [out * into for out, into in SHAPE.layers]
    assert weights == [12 * 8, 4 * 16 * 8, 8 * 6, 8 * 1]
    assert sum(weights) == 664, "without biases"


def test_the_gradient_is_that_of_finite_differences():
    rng, x, memory, goes_on = a_block()
    weights = server().weights
    d_logits, d_value = rng.normal(size=(7, 3, 6)), rng.normal(size=(7, 3))

    def objective(flat):
        tape = lstm.forward(SHAPE, flat, x, *memory, goes_on)
        return (d_logits * tape.logits).sum() + (d_value * tape.value).sum()

    ours = lstm.backward(SHAPE, weights, lstm.forward(SHAPE, weights, x, *memory, goes_on), d_logits, d_value).sum(
        axis=0
    )
    step = 1e-5
    theirs = np.array(
        [(objective(weights + step * e) - objective(weights - step * e)) / (2 * step) for e in np.eye(SHAPE.size)]
    )
    assert np.abs(ours).min() > 0.0, "every weight matters"
    assert np.abs(ours - theirs).max() <= 1e-8


def torch_losses(flat, x, memory, goes_on, action, target, entropy):
    """Algorithm 2's objective in torch: what is ascended, with advantages that carry no gradient."""
    import torch

    parts = SHAPE.unpack(flat)
    # torch orders gates as input, forget, cell, output.
    order = [*range(8, 16), *range(8), *range(16, 32)]
    (encoder, encoder_b), (gates, gates_b), (actor, actor_b), (critic, critic_b) = parts
    hidden, cell = torch.as_tensor(memory[0]), torch.as_tensor(memory[1])
    total = torch.zeros((), dtype=torch.float64)
    for t in range(len(x)):
        here = torch.as_tensor(goes_on[t, :, None])
        hidden, cell = hidden * here, cell * here
        encoded = torch.as_tensor(x[t]) @ encoder.T + encoder_b
        hidden, cell = torch.lstm_cell(
            encoded, (hidden, cell), gates[order, :8], gates[order, 8:], gates_b[order], torch.zeros_like(gates_b)
        )
        policy = torch.distributions.Categorical(logits=hidden @ actor.T + actor_b)
        value = (hidden @ critic.T + critic_b)[:, 0]
        advantage = torch.as_tensor(target[t]) - value.detach()
        gain = policy.log_prob(torch.as_tensor(action[t])) * advantage + entropy * policy.entropy() + value * advantage
        total = total + gain.sum()
    return total


def test_the_gradient_is_that_of_torch():
    import torch

    rng, x, memory, goes_on = a_block(1)
    action, target = rng.integers(6, size=(7, 3)), rng.normal(size=(7, 3))
    weights = server(1).weights
    tape = lstm.forward(SHAPE, weights, x, *memory, goes_on)
    ours = lstm.backward(SHAPE, weights, tape, *lstm.actor_critic(tape, action, target, 0.3)).sum(axis=0)
    flat = torch.tensor(weights, requires_grad=True)
    torch_losses(flat, x, memory, goes_on, action, target, 0.3).backward()
    np.testing.assert_allclose(ours, flat.grad.numpy(), rtol=0, atol=1e-12)


def test_rows_may_have_weights_of_their_own():
    rng, x, memory, goes_on = a_block(2)
    weights = np.stack([server(i).weights for i in range(3)])
    d_logits, d_value = rng.normal(size=(7, 3, 6)), rng.normal(size=(7, 3))
    together = lstm.backward(SHAPE, weights, lstm.forward(SHAPE, weights, x, *memory, goes_on), d_logits, d_value)
    for i in range(3):
        row = np.s_[:, i : i + 1]
        tape = lstm.forward(SHAPE, weights[i], x[row], *memory[row], goes_on[row])
        alone = lstm.backward(SHAPE, weights[i], tape, d_logits[row], d_value[row])
        np.testing.assert_array_equal(together[i], alone[0])


def test_targets_by_hand():
    """Two slots of reward 1 and 2, V = 10 after them, gamma = .5; then the same with an end after the first."""
    reward = np.array([[1.0, 1.0], [2.0, 2.0]])
    ends = np.array([[False, True], [False, False]])
    target = lstm.n_step_targets(reward, ends, np.array([10.0, 10.0]), 0.5)
    np.testing.assert_allclose(target, [[1.0 + 0.5 * 7.0, 1.0], [7.0, 7.0]])


def test_rmsprop_by_hand_goes_up():
    weights, square = np.array([1.0]), np.array([4.0])
    lstm.rmsprop(weights, square, np.array([2.0]), rate=0.1, decay=0.75, epsilon=5.0)
    assert square[0] == 4.0
    assert weights[0] == pytest.approx(1.0 + 0.1 * 2.0 / 3.0)
