"""Networks of the text pipeline: cells, attention with and without a cache, windows, draws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from penstock.kinds.text.draws import Draw
from penstock.learning.loading import batches
from penstock.learning.sources import Stream
from penstock.messages.errors import PenstockError
from penstock.pipelines.text.cells import unroll
from penstock.pipelines.text.network import network
from penstock.pipelines.text.params import GRU, LSTM, RNN, Transformer
from penstock.pipelines.text.scoring import score
from penstock.pipelines.text.windows import ask, cut_windows
from penstock.pipelines.text.writing import write_tokens

TOKENS = 11
INFO = {"vocabulary": TOKENS}
RECURRENT = {"rnn": RNN, "gru": GRU, "lstm": LSTM}
SMALL = {"window": 16, "embedding": 6, "hidden": 8, "dropout": 0.0}
SHAPES = {
    "rotary": {"positions": "rotary"},
    "learned": {"positions": "learned", "tied": False},
    "one head, no feed-forward layer": {"layers": 1, "heads": 1, "feed_forward": 0},
}


def transformer(**settings):
    torch.manual_seed(0)
    shape = {"window": 16, "width": 16, "heads": 2, "layers": 2, "feed_forward": 32, "dropout": 0.0}
    built = network(Transformer(**{**shape, **settings}), INFO)
    for weight in built.parameters():  # as large as after training: differences must show
        torch.nn.init.normal_(weight, std=0.3)
    return built.eval()


@pytest.mark.parametrize("kind", RECURRENT)
@pytest.mark.parametrize("layers", [1, 2])
def test_cells_written_out_equal_those_of_torch(kind, layers):
    answers = []
    for cell in "torch", "explicit":
        torch.manual_seed(0)
        built = network(RECURRENT[kind](**SMALL, layers=layers, cell=cell), INFO)
        tokens = torch.randint(TOKENS, (3, 12))
        first, state = built(tokens[:, :5])
        second, _ = built(tokens[:, 5:], state)
        logits = torch.cat([first, second], 1)
        F.cross_entropy(logits.flatten(0, 1), tokens.roll(-1, 1).flatten()).backward()
        answers.append((logits, {name: it.grad for name, it in built.named_parameters()}))
    (logits, gradients), (expected, others) = answers
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-6)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, others[name], rtol=0, atol=1e-6, msg=name)


def test_cells_drop_between_layers_in_training_only():
    torch.manual_seed(0)
    built = network(LSTM(**SMALL | {"dropout": 0.5}, layers=2, cell="explicit"), INFO)
    inputs = torch.randn(2, 7, 6)
    once, again = (unroll(built.cells, inputs, None)[0] for _ in range(2))
    assert not torch.equal(once, again)
    built.eval()
    torch.testing.assert_close(unroll(built.cells, inputs, None)[0], built.cells(inputs)[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_cache_changes_no_logit(shape):
    built = transformer(**SHAPES[shape])
    tokens = torch.randint(TOKENS, (2, 16))
    whole, _ = built(tokens)
    parts, state = [], None
    for part in tokens.split([1, 5, 1, 1, 8], dim=1):
        logits, state = built(part, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_token_sees_those_after_it(shape):
    built = transformer(**SHAPES[shape])
    tokens = torch.randint(TOKENS, (1, 16))
    changed = tokens.clone()
    changed[0, 9] = (changed[0, 9] + 1) % TOKENS
    differ = (built(tokens)[0] != built(changed)[0]).any(-1)[0]
    assert not differ[:9].any()
    assert differ[9]


def test_attention_adds_up_and_looks_back_only():
    shown = transformer().attention(torch.randint(TOKENS, (1, 16)))
    assert shown.shape == (2, 1, 2, 16, 16)
    torch.testing.assert_close(shown.sum(-1), torch.ones(2, 1, 2, 16))
    assert (shown.triu(1) == 0).all()


def test_rotary_positions_depend_on_distance_only():
    built = transformer(layers=1)
    block = built.blocks[0]
    read = torch.randn(1, 1, 16).expand(1, 16, 16)
    queries, keys, _ = block.project(read, built.angles)
    scores = queries @ keys.transpose(2, 3)
    for distance in range(16):
        along = scores.diagonal(-distance, 2, 3)
        torch.testing.assert_close(along, along[..., :1].expand_as(along), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model", [LSTM(**SMALL), Transformer(window=16, width=16, layers=1)])
def test_writing_is_what_reading_all_again_would_write(model):
    torch.manual_seed(1)
    built = network(model, INFO).eval()
    prompt = np.array([0, 3, 4])
    written = list(write_tokens(built, prompt, 12, Draw(seed=5)))
    assert written == list(write_tokens(built, prompt, 12, Draw(seed=5)))
    chooser, read = Draw(seed=5).chooser(), list(prompt)
    for token in written:
        logits, _ = built(torch.tensor([read]))
        assert chooser(logits[0, -1].double().detach().numpy()) == token
        read.append(token)


def test_a_transformer_writes_on_when_its_window_is_full():
    built = transformer()
    written = list(write_tokens(built, np.arange(2, 9), 60, Draw(temperature=0)))
    assert len(written) == 60 or 0 not in written


@given(st.lists(st.floats(-5, 5), min_size=4, max_size=9), st.integers(1, 3), st.integers(0, 99))
def test_draws_keep_to_the_likeliest_and_never_to_the_unknown(logits, top_k, seed):
    logits = np.array(logits)
    drawn = Draw(seed=seed, top_k=top_k).chooser()(logits)
    assert drawn != 1
    allowed = np.delete(logits, 1)
    assert logits[drawn] >= np.sort(allowed)[-top_k]


def test_draws_follow_the_probabilities():
    chooser = Draw(temperature=0.5).chooser()
    logits = np.log(np.array([0.2, 9.0, 0.3, 0.5]))
    counts = np.bincount([chooser(logits) for _ in range(20_000)], minlength=4)
    expected = np.array([0.2, 0, 0.3, 0.5]) ** 2
    np.testing.assert_allclose(counts / 20_000, expected / expected.sum(), atol=0.015)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 90)), min_size=1, max_size=6))
def test_windows_score_each_token_once_after_enough_context(shapes):
    questions = [
        ask(np.arange(2, 2 + read), np.arange(100, 100 + scored)) for read, scored in shapes
    ]
    windows = cut_windows(questions, window=16, least_context=8)
    seen: list[list[int]] = [[] for _ in questions]
    places = zip(windows.starts, windows.stops, windows.skipped, windows.questions, strict=True)
    for start, stop, skipped, question in places:
        tokens = windows.tokens[start:stop]
        assert 2 <= len(tokens) <= 17
        scored = tokens[skipped + 1 :]
        seen[question] += scored.tolist()
        assert skipped >= 0
        assert skipped + 1 >= min(8, len(questions[question][0])), "too little is read before"
    assert seen == [scored.tolist() for _, scored in questions]


@pytest.mark.parametrize("model", [LSTM(**SMALL), Transformer(window=16, width=16, layers=1)])
def test_scores_are_those_of_one_question_at_a_time(model):
    torch.manual_seed(0)
    built = network(model, INFO)
    chance = np.random.default_rng(0)
    questions = [
        ask(chance.integers(2, TOKENS, read), chance.integers(2, TOKENS, scored))
        for read, scored in ((0, 1), (3, 40), (20, 7), (5, 100))
    ]
    together = score(built, questions, TOKENS)
    alone = [score(built, [it], TOKENS) for it in questions]
    np.testing.assert_allclose(together.nats, np.concatenate([it.nats for it in alone]), atol=1e-5)
    read, scored = questions[0]
    logits, _ = built(torch.from_numpy(read)[None])
    expected = -logits[0, -1].log_softmax(-1)[scored[0]]
    assert together.nats[0] == pytest.approx(expected.item(), abs=1e-5)
    assert together.per_question(4).sum() == pytest.approx(together.nats.sum())


@given(st.integers(20, 300), st.integers(1, 8), st.integers(1, 12), st.integers(0, 3))
def test_a_stream_goes_on_where_it_ended(size, length, batch_size, epoch):
    source = Stream(np.arange(size, dtype=np.uint16), length, batch_size, seed=1)
    loader = batches(source, batch_size, seed=1)
    loader.sampler.set_epoch(epoch)
    before = None
    seen = []
    for batch in loader:
        tokens = batch["tokens"]
        assert tokens.shape == (source.rows, length + 1)
        assert (tokens[:, 1:] - tokens[:, :-1] - 1).remainder(size).eq(0).all()
        if before is not None:
            assert torch.equal(tokens[:, 0], before)
        before = tokens[:, -1]
        seen += tokens[:, :-1].flatten().tolist()
    assert len(seen) == len(set(seen)) == len(source) * length, "no token is read twice"
    assert len(seen) > size - 1 - source.rows * length


def test_a_stream_starts_elsewhere_each_epoch_and_is_the_same_by_its_seed():
    def first(epoch: int) -> int:
        loader = batches(Stream(np.arange(5_000), 8, 4, seed=3), 4, seed=3)
        loader.sampler.set_epoch(epoch)
        return int(next(iter(loader))["tokens"][0, 0])

    assert len({first(epoch) for epoch in range(5)}) == 5
    assert first(2) == first(2)


def test_a_stream_that_is_too_short_is_refused():
    with pytest.raises(PenstockError, match=r"expected more than model\.window: 64"):
        Stream(np.arange(64), 64, 4, seed=0)
