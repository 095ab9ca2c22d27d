"""The fall-back: said once, the same contract of masks, and right where layers draw random numbers inside."""

import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from posterior_networks import Flat, Lambda, Sequence, pictures, seeded
from torch import nn

from askwell.errors import NotStochasticError, ShapeError, UsageError
from askwell.posterior.masks import uniform
from askwell.posterior.mc_dropout import MCDropout
from askwell.posterior.unsplit import FullPassesWarning

T, SEED = 3, 6


def numbers(sample, ordinal, *shape):
    return torch.from_numpy(uniform(SEED, sample, ordinal, shape))


def posterior_of(model, **settings):
    """An MCDropout that must say, once and at construction, that it needs full passes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        posterior = MCDropout(model.double(), samples=T, seed=SEED, **settings)
        posterior.log_probs(pictures(2))
        posterior.log_probs(pictures(3))
    assert [warning.category for warning in caught] == [FullPassesWarning]
    return posterior


def assert_equals_by_hand(model, layer_by_hand, **settings):
    """Compare with a loop over samples in which the layer is written out: layer_by_hand(x, sample)."""
    images = pictures(5, dtype=torch.float64)
    found = posterior_of(model, **settings).log_probs(images)
    with torch.no_grad():
        expected = []
        for sample in range(T):
            model.layer = Lambda(lambda m, x, sample=sample: layer_by_hand(x, sample))
            expected.append(model(images).log_softmax(-1))
    assert found.std(dim=1).max() > 1e-6
    torch.testing.assert_close(found, torch.stack(expected, dim=1), rtol=1e-10, atol=1e-10)


def attend(attention, x, sample):
    """Multi-head self-attention of [B, 16, 8] with two heads, softmax weights dropped by the masks."""
    query, key, value = (
        part.unflatten(2, (2, 4)).transpose(1, 2)
        for part in F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, -1)
    )
    weights = (query @ key.transpose(2, 3) / 2).softmax(-1)  # 2 = sqrt(4 numbers per head)
    weights = weights * (numbers(sample, 0, 2, 16, 16) < 0.7) / 0.7
    return attention.out_proj((weights @ value).transpose(1, 2).flatten(2))


@pytest.mark.parametrize("need_weights", [False, True])
def test_dropout_inside_attention(need_weights):
    attention = seeded(lambda: nn.MultiheadAttention(8, 2, dropout=0.3, batch_first=True))
    layer = Lambda(lambda m, x: m.attention(x, x, x, need_weights=need_weights)[0])
    layer.attention = attention
    assert_equals_by_hand(seeded(lambda: Sequence(layer)), lambda x, sample: attend(attention, x, sample), batch=4)


def test_dropout_of_fused_attention():
    def attention(module, x):
        heads = x.unflatten(2, (2, 4)).transpose(1, 2)
        dropped = F.scaled_dot_product_attention(heads, heads, heads, dropout_p=0.3 if module.training else 0.0)
        return dropped.transpose(1, 2).flatten(2)

    def by_hand(x, sample):
        heads = x.unflatten(2, (2, 4)).transpose(1, 2)
        weights = (heads @ heads.transpose(2, 3) / 2).softmax(-1) * (numbers(sample, 0, 2, 16, 16) < 0.7) / 0.7
        return (weights @ heads).transpose(1, 2).flatten(2)

    assert_equals_by_hand(seeded(lambda: Sequence(Lambda(attention))), by_hand)


def rrelu_by_hand(x, sample):
    slope = 0.1 + (0.5 - 0.1) * numbers(sample, 0, 12)
    return torch.where(x <= 0, slope * x, x)


@pytest.mark.parametrize("inplace", [False, True])
def test_random_slopes_of_rrelu(inplace):
    assert_equals_by_hand(seeded(lambda: Flat(nn.RReLU(0.1, 0.5, inplace))), rrelu_by_hand)


def test_random_slopes_of_functional_rrelu():
    layer = Lambda(lambda m, x: F.rrelu(x, 0.1, 0.5, training=m.training))
    assert_equals_by_hand(seeded(lambda: Flat(layer)), rrelu_by_hand)


def untraceable(module, x):
    return F.dropout(x, 0.3, module.training) if x.sum() > -math.inf else x


def another_path_in_training(module, x):
    return F.dropout(x, 0.3) if module.training else x


def computed_p(module, x):
    return F.dropout(x, 0.15 * (x.ndim - 1) + 0.15, module.training)


def in_place_on_what_the_prefix_left(module, x):
    dropped = F.dropout(x, 0.3, module.training)
    return x.mul_(0).add_(dropped)


def drawn_by_hand(module, x):
    return x * torch.empty_like(x).bernoulli_(0.7) / 0.7


def drawn_out_of_place(module, x):
    return x * torch.bernoulli(x, 0.7) / 0.7


def drawn_natively(module, x):  # what F.dropout runs on a GPU
    return torch.native_dropout(x, 0.3, True)[0] if x.sum() > -math.inf else x


def drawn_for_something_without_images(module, x):
    return x * F.dropout(torch.ones(1, 12, dtype=torch.float64), 0.3, module.training)


@pytest.mark.parametrize(
    "function",
    [
        untraceable,
        another_path_in_training,
        computed_p,
        in_place_on_what_the_prefix_left,
        drawn_by_hand,
        drawn_out_of_place,
        drawn_natively,
        drawn_for_something_without_images,
    ],
    ids=lambda function: function.__name__,
)
def test_what_cannot_be_split_equals_masks_multiplied_by_hand(function):
    assert_equals_by_hand(
        seeded(lambda: Flat(Lambda(function))), lambda x, sample: x * (numbers(sample, 0, 12) < 0.7) / 0.7
    )


def test_layers_before_and_after_attention_keep_their_ordinals():
    layer = seeded(lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True))
    posterior = posterior_of(seeded(lambda: Sequence(layer)), batch=4)
    images = pictures(5)
    log_probs = posterior.log_probs(images)
    assert log_probs.std(dim=1).max() > 1e-6
    assert torch.equal(torch.cat([posterior.log_probs(part) for part in images.split(2)]), log_probs)
    twin = posterior.log_probs(images[:1].expand(4, -1, -1, -1))
    torch.testing.assert_close(twin, twin[:1].expand_as(twin), rtol=1e-10, atol=1e-10)


def test_a_layer_that_drops_everything_is_right_too():
    model = seeded(lambda: Flat(nn.Sequential(nn.Dropout(1.0), nn.Dropout(0.5)))).double()
    with pytest.warns(FullPassesWarning, match="drops everything"):
        found = MCDropout(model, samples=T).log_probs(pictures(2))
    expected = model.after.bias.log_softmax(-1).expand_as(found)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-10, atol=1e-10)


@torch.fx.wrap
def opaque(x, training):
    return F.dropout(x, 0.3, training)


@torch.fx.wrap
def opaque_and_deterministic(x, training):
    return x + 1


def test_what_draws_inside_a_wrapped_function_is_seen_at_the_first_call():
    posterior = MCDropout(
        seeded(lambda: Flat(nn.Sequential(nn.Dropout(0.3), Lambda(lambda m, x: opaque(x, m.training)))))
    )
    with pytest.warns(FullPassesWarning, match="outside its dropout layers"):
        posterior.log_probs(pictures(2))


def test_a_wrapped_function_that_does_not_draw_is_split():
    layer = Lambda(lambda m, x: opaque_and_deterministic(x, m.training))
    MCDropout(seeded(lambda: Flat(nn.Sequential(layer, nn.Dropout(0.3)))), samples=2).log_probs(pictures(2))


def test_no_randomness_is_found_at_the_first_call():
    layer = Lambda(lambda m, x: x if x.sum() > -math.inf else -x)
    with pytest.warns(FullPassesWarning):
        posterior = MCDropout(seeded(lambda: Flat(layer)))
    with pytest.raises(NotStochasticError, match="Point"):
        posterior.log_probs(pictures(2))


@pytest.mark.parametrize(
    "noise",
    [
        lambda m, x: x + torch.randn_like(x),
        lambda m, x: x + torch.rand(12) if m.training else x,
        lambda m, x: torch.normal(x, torch.ones_like(x)),
    ],
    ids=["always", "in training", "normal"],
)
def test_randomness_that_images_cannot_share_is_refused(noise):
    model = seeded(lambda: Flat(nn.Sequential(nn.Dropout(0.5), Lambda(noise))))
    state = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FullPassesWarning)
        posterior = MCDropout(model, samples=2)
    with pytest.raises(UsageError, match="share"):
        posterior.log_probs(pictures(2))
    assert torch.equal(torch.get_rng_state(), state)


def drop_weights(module, x):
    return F.linear(x, F.dropout(torch.eye(12).to(x) * x.mean(), 0.5, module.training))


@pytest.mark.parametrize(
    "model",
    [
        lambda: Sequence(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5)),
        lambda: Sequence(nn.LSTM(8, 8, 2, dropout=0.5, batch_first=True)),
        lambda: Sequence(Lambda(lambda m, x: F.dropout(x.transpose(0, 1), 0.5, m.training).transpose(0, 1))),
        lambda: Flat(Lambda(drop_weights)),
        lambda: Flat(nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(12, track_running_stats=False))),
        lambda: Flat(nn.Dropout1d(0.5)),
    ],
    ids=[
        "sequence first",
        "inside an LSTM",
        "transposed",
        "on weights",
        "statistics of the batch",
        "Dropout1d of rows",
    ],
)
def test_images_that_depend_on_one_another_are_refused(model):
    model = seeded(model)
    if isinstance(getattr(model, "layer", None), nn.LSTM):
        lstm, model.layer = model.layer, Lambda(lambda m, x: m.lstm(x)[0])
        model.layer.lstm = lstm
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FullPassesWarning)
        posterior = MCDropout(model, samples=2)
    with pytest.raises(
        ShapeError, match=r"first axis|do not depend on the other images|axes, batch and channels first"
    ):
        posterior.log_probs(pictures(2))


def test_stochastic_depth_inside_an_untraceable_network_is_off_unless_asked_for():
    class DropPath(nn.Module):
        def forward(self, x):
            return x * x.new_empty(len(x), 1).bernoulli_(0.5) / 0.5 if self.training else x

    layer = Lambda(lambda m, x: m.path(m.drop(x)) if x.sum() > -math.inf else x)
    layer.path, layer.drop = DropPath(), nn.Dropout(0.3)
    dropped = posterior_of(seeded(lambda: Flat(layer)))
    pathless = posterior_of(seeded(lambda: Flat(nn.Sequential(Lambda(untraceable)))))
    assert torch.equal(dropped.log_probs(pictures(2)), pathless.log_probs(pictures(2)))
    asked = posterior_of(seeded(lambda: Flat(layer)), stochastic_depth=True).log_probs(pictures(2))
    assert not torch.equal(asked, dropped.log_probs(pictures(2)))
