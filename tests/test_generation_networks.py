"""Networks that draw and networks that compress: shapes, seeds, measures, training."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from sklearn.metrics import roc_auc_score
from torchmetrics.image.fid import FrechetInceptionDistance

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.evaluation.comparison import compare
from penstock.learning import checkpoints
from penstock.messages.errors import PenstockError
from penstock.pipelines.generation import measures, predict
from penstock.pipelines.generation.coding import coder
from penstock.pipelines.generation.drawing import between, draw, noise_of
from penstock.pipelines.generation.evaluate import evaluate
from penstock.pipelines.generation.evaluate_coding import _auroc
from penstock.pipelines.generation.frechet import feature_columns, frechet_distance
from penstock.pipelines.generation.measures import (
    diversity,
    kernel_distances,
    manifold_metrics,
    nearest,
    rarest_class,
)
from penstock.pipelines.generation.network import FRAMES, SHOWN, network
from penstock.pipelines.generation.params import (
    DCGAN,
    GAN,
    VAE,
    Autoencoder,
    Conditional,
    Params,
)
from penstock.pipelines.generation.ruler import ARRAY, Ruler
from penstock.pipelines.generation.sheets import enlarge, tile
from penstock.settings.explanation import default_params
from penstock.stages.train import train_network

SMALL = {"channels": [8, 4], "strides": [2, 2], "discriminator": [4, 8], "latent": 6}
TINY = {
    "gan": GAN(latent=5, generator=[8], discriminator=[8]),
    "dcgan": DCGAN(**SMALL),
    "conditional": Conditional(**SMALL),
    "autoencoder": Autoencoder(channels=[4, 4], code=8),
    "vae": VAE(channels=[4, 4], latent=5),
}
DRAW = ("gan", "dcgan", "conditional", "vae")


def info(side=16, colour="grey"):
    return {
        "image_size": [side, side],
        "colour": colour,
        "fit": "none",
        "classes": ["bar", "cross", "dot"],
    }


def build(kind, side=16, colour="grey"):
    torch.manual_seed(0)
    return network(TINY[kind], info(side, colour)).eval()


def pictures(count, side=16, colour="grey"):
    """Bars, crosses and dots, at places that differ."""
    chance = np.random.default_rng(0)
    shape = (count, side, side) if colour == "grey" else (count, side, side, 3)
    images = chance.integers(0, 40, shape).astype(np.uint8)
    for number, image in enumerate(images):
        row, column = chance.integers(4, side - 4, 2)
        reach = (1, 3, 1)[number % 3]
        image[row - reach : row + reach, column - 1 : column + 1] = 200
        if number % 3 == 1:
            image[row - 1 : row + 1, column - reach : column + reach] = 200
    return images, np.arange(count) % 3


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("shapes") / "dataset"
    images, labels = pictures(240)
    torch.manual_seed(0)
    with DatasetWriter(folder) as writer:
        rows = pd.DataFrame(
            {
                "id": [f"image {it}" for it in range(240)],
                "split": ["train"] * 120 + ["validation"] * 60 + ["test"] * 60,
                "label": labels,
                "sha256": [f"{it:064x}" for it in range(240)],
            }
        )
        writer.add(rows, {"images": images})
        ruler = Ruler((16, 16), 3).eval()
        writer.array(ARRAY, np.frombuffer(ruler.to_bytes(), np.uint8))
        writer.info = info()
    return Dataset(folder)


def params(kind, **train):
    whole = default_params("generation")
    changed = {"batch_size": 20, "max_epochs": 4, "min_steps": 0, "threads": 1, **train}
    return whole.model_copy(
        update={"model": TINY[kind], "train": whole.train.model_copy(update=changed)}
    )


@pytest.mark.parametrize("side", [16, 28, 32, 64])
@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_pictures_have_the_size_of_those_that_were_learned_from(side, colour):
    shape = (2, side, side) if colour == "grey" else (2, side, side, 3)
    for kind in DRAW:
        drawn = draw(build(kind, side, colour), np.array([3, 4]), np.array([0, 2]))
        assert (drawn.shape, drawn.dtype) == (shape, np.uint8)
    for kind in ("autoencoder", "vae"):
        made, losses = predict.reconstruct(build(kind, side, colour), np.zeros(shape, np.uint8))
        assert made.shape == shape
        assert losses.shape == (2,)
        assert (losses > 0).all()


def test_the_published_shapes_are_among_the_settings():
    gan = network(GAN(), info(28)).generator
    units = [it.out_features for it in gan.layers if isinstance(it, torch.nn.Linear)]
    assert units == [256, 512, 1024, 784]
    tutorial = DCGAN(
        latent=100, channels=[256, 128, 64], strides=[1, 2, 2], discriminator=[64, 128], kernel=5
    )
    made = network(tutorial, info(28))
    kernels = [tuple(it.shape) for it in made.generator.parameters() if it.ndim == 4]
    assert kernels == [(256, 128, 5, 5), (128, 64, 5, 5), (64, 1, 5, 5)]
    assert made.generator.layers[0].weight.shape == (7 * 7 * 256, 100)
    published = Autoencoder(channels=[16, 8, 8], code=None, pooling="max")
    encoder, decoder = coder(published, (1, 28, 28), None, None)
    code = encoder(torch.zeros(1, 1, 28, 28))
    assert code.shape == (1, 8, 4, 4), "128 numbers"
    assert decoder(code).shape == (1, 1, 28, 28)


def test_strides_that_make_no_picture_of_the_size_are_refused():
    with pytest.raises(PenstockError, match=r"strides: \[2, 2, 2\] do not come to 28 pixels"):
        network(DCGAN(strides=[2, 2, 2]), info(28))
    with pytest.raises(ValidationError, match="3 channels and 2 strides: expected as many"):
        DCGAN(strides=[2, 2])


@pytest.mark.parametrize("kind", DRAW)
def test_a_seed_gives_the_same_bits_beside_whatever_others(kind):
    drawing = build(kind)
    seeds, labels = np.array([5, 2**62, 0, 5, 77]), np.array([0, 1, 2, 0, 1])
    together = draw(drawing, seeds, labels)
    many = draw(drawing, np.arange(300), np.arange(300) % 3)
    threads = torch.get_num_threads()
    for row, (seed, label) in enumerate(zip(seeds, labels, strict=True)):
        torch.set_num_threads(1 + row % 2)
        alone = draw(drawing, np.array([seed]), np.array([label]))
        assert (alone[0] == together[row]).all()
    torch.set_num_threads(threads)
    assert (many[0] == together[2]).all() or kind == "conditional"
    assert (together[0] != together[1]).any()
    assert next(drawing.parameters()).dtype == torch.float32, "the network stays as it was"


def test_a_class_is_drawn_differently_where_it_can_be_asked_for():
    seed, other = np.array([1, 1]), np.array([0, 1])
    assert (np.diff(draw(build("conditional"), seed, other).astype(int), axis=0) != 0).any()
    assert (np.diff(draw(build("dcgan"), seed, other).astype(int), axis=0) == 0).all()


def test_rows_that_cannot_be_answered_say_why():
    inputs = pd.DataFrame({"seed": [1, -4, 2], "class": ["dot", "dot", "star"]})
    found = predict.predict(build("conditional"), inputs, info(), {})
    assert list(found["error"]) == [
        "",
        f"seed -4: expected a whole number from 0 to {2**63 - 1}",
        "class star: no such class; there is: bar, cross, dot",
    ]
    assert [it is None for it in found["picture"]] == [False, True, True]
    contents = [predict.encode(np.zeros(shape, np.uint8)) for shape in ((16, 16), (20, 16))]
    images = pd.DataFrame({"image": [*contents, b"no image"]})
    found = predict.predict(build("autoencoder"), images, info(), {})
    assert found["error"][0] == ""
    assert found["error"][1].startswith("16x20 pixels; expected 16x16, as data.image_size says")
    assert "not an image file" in found["error"][2]
    assert list(found["loss"].isna()) == [False, True, True]
    assert list(found["squared_error"].isna()) == [False, True, True]


def test_a_vae_draws_where_it_is_given_a_seed_and_no_image():
    content = predict.encode(np.zeros((16, 16), np.uint8))
    inputs = pd.DataFrame({"image": [content, None], "seed": [0, 7]})
    found = predict.predict(build("vae"), inputs, info(), {})
    assert list(found["error"]) == ["", ""]
    assert list(found["loss"].isna()) == [False, True]
    nothing = predict.predict(build("vae"), inputs.drop(columns=["image"])[:1], info(), {})
    assert nothing["picture"][0] is not None, "a seed alone"
    asked = pd.DataFrame({"image": [None], "seed": [None]})
    for columns in (["image"], ["seed"], ["image", "seed"]):
        (told,) = predict.predict(build("vae"), asked[columns], info(), {})["error"]
        assert told == "nothing to answer: expected an image, or a seed"
    drawn = draw(build("vae"), np.array([7]), np.array([0]))[0]
    assert found["picture"][1] == predict.encode(drawn)


def test_seeds_are_read_with_what_is_wrong_with_them(tmp_path):
    file = tmp_path / "seeds.csv"
    file.write_text("seed,class,note\n3,dot,a\nx,dot,b\n-1,bar,c\n2.5,bar,d\n,bar,e\n")
    read = predict.read_input(file, info())
    assert list(read["seed"]) == [3, 0, 0, 0, 0]
    assert read["error"][0] == ""
    assert read["error"][1] == "seed x: expected a whole number from 0 to 10^18 - 1"
    assert (read["error"][1:] != "").all()
    file.write_text("number\n3\n")
    with pytest.raises(PenstockError, match="no column seed; found number"):
        predict.read_input(file, info())
    file.write_bytes(b"\x89PNG\x00\xff\xfe")
    with pytest.raises(PenstockError, match="not a table"):
        predict.read_input(file, info())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.5, 2), st.floats(-1, 1))
def test_the_frechet_distance_is_that_of_torchmetrics(seed, spread, shift):
    chance = np.random.default_rng(seed)
    ours, theirs = chance.normal(0, 1, (60, 4)), chance.normal(shift, spread, (50, 4))

    class Same(torch.nn.Identity):
        num_features = 4

    metric = FrechetInceptionDistance(Same()).set_dtype(torch.float64)
    metric.update(torch.from_numpy(theirs), real=True)
    metric.update(torch.from_numpy(ours), real=False)
    assert frechet_distance(ours, theirs) == pytest.approx(float(metric.compute()), abs=1e-5)


def test_weights_of_a_distance_leave_pictures_out():
    chance = np.random.default_rng(0)
    ours, theirs = chance.normal(0, 1, (2, 40, 3))
    kept = np.arange(40) >= 10
    whole = frechet_distance(ours[kept], theirs[kept])
    assert frechet_distance(ours, theirs, kept.astype(float)) == pytest.approx(whole)
    assert frechet_distance(ours, ours) == pytest.approx(0, abs=1e-9)
    assert np.isnan(frechet_distance(ours * np.nan, theirs))


def test_near_and_far_are_told_apart():
    chance = np.random.default_rng(0)
    real, same = chance.normal(0, 1, (2, 400, 5))
    near = manifold_metrics(same, real, 5)
    assert min(near.values()) > 0.7
    assert near["density"] == pytest.approx(1, abs=0.15)
    assert set(manifold_metrics(same + 100, real, 5).values()) == {0.0}
    alike = manifold_metrics(real[:1] + chance.normal(0, 0.01, (400, 5)), real, 5)
    assert alike["precision"] == 1
    assert alike["coverage"] < 0.1, "all pictures alike"
    assert abs(kernel_distances(same, real, 4).mean()) < 0.05
    far = kernel_distances(same + 3, real, 4)
    assert far.shape == (4,)
    assert far.min() > 1


def test_the_rarest_class_and_the_diversity_are_relative_to_real_images():
    real = np.repeat([0, 1, 3], [50, 25, 25])  # there is no class 2
    assert rarest_class(real, real) == 1
    assert rarest_class(np.repeat([0, 1, 2, 3], [50, 25, 20, 5]), real) == pytest.approx(0.2)
    assert rarest_class(np.zeros(10, int), real) == 0
    features = np.random.default_rng(0).normal(0, 1, (200, 3))
    assert diversity(features / 2, features) == pytest.approx(0.25)


def test_the_nearest_training_image_is_found(monkeypatch):
    images, _ = pictures(30)
    monkeypatch.setattr(measures, "PART", 4)
    distances, rows = nearest(images[[7, 3]], images, np.arange(30))
    assert list(rows) == [7, 3]
    assert distances == pytest.approx([0, 0], abs=1e-6)
    _, rows = nearest(images[[7, 3]], images, np.array([20, 3, 5]))
    assert rows[1] == 3
    assert rows[0] != 7
    black, grey = np.zeros((1, 4, 4), np.uint8), np.full((1, 4, 4), 51, np.uint8)
    apart, _ = nearest(black, grey, np.zeros(1, int))
    assert apart == pytest.approx([0.2])


def test_auroc_and_its_interval():
    chance = np.random.default_rng(0)
    usual, strange = chance.normal(0, 1, 400), chance.normal(1, 1, 300)
    area, low, high = _auroc(usual, strange)
    labels = np.repeat([0, 1], [400, 300])
    assert area == pytest.approx(roc_auc_score(labels, np.concatenate([usual, strange])))
    assert low < area < high
    assert high - low < 0.1
    assert _auroc(usual, usual + 100)[0] == 1


def test_the_way_from_seed_to_seed_keeps_its_distance_from_zero():
    first, second = noise_of(np.array([0, 1]), 64)
    way = between(first, second, 9)
    assert way[0] == pytest.approx(first)
    assert way[-1] == pytest.approx(second)
    norms = np.linalg.norm(way, axis=1)
    assert norms.min() > 0.9 * min(norms[0], norms[-1])


def test_a_sheet_has_its_pictures_in_rows():
    images = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((3, 2, 2), np.uint8)
    assert tile(images, 2).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 0, 0], [2, 2, 0, 0]]
    assert tile(np.zeros((10, 4, 4, 3), np.uint8)).shape == (4, 40, 3)
    assert enlarge(np.array([[1, 2]], np.uint8)).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


@pytest.mark.parametrize("kind", [*TINY])
def test_a_training_broken_off_goes_on_to_the_same_bits(
    kind, dataset, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(checkpoints, "EVERY", 0)
    settings = params(kind, noise=0.1, r1=1.0, gradient_clip=1.0)

    def train(folder, stop=None):
        def tell(epoch, picture):
            assert picture is None or picture.dtype == np.uint8
            if epoch["epoch"] == stop:
                raise KeyboardInterrupt

        return train_network("generation", settings, dataset, tmp_path / folder, tell)[0]

    whole = train("a").state_dict()
    with pytest.raises(KeyboardInterrupt):
        train("b", stop=3)
    same = train("b").state_dict()
    assert "goes on after epoch 2/4" in capsys.readouterr().out
    assert all(torch.equal(whole[name], same[name]) for name in whole)
    if kind in DRAW:
        assert whole["filled"] == 4, "a sheet of each epoch"
        assert whole["sheets"].shape[:2] == (FRAMES, SHOWN)


@pytest.mark.parametrize("kind", ["gan", "dcgan", "conditional"])
def test_the_average_of_the_weights_draws(kind, dataset, tmp_path):
    trained, done = train_network("generation", params(kind), dataset, tmp_path)
    one, two = (dict(it.named_parameters()) for it in (trained.average, trained.generator))
    assert any((one[name] != two[name]).any() for name in one)
    assert {"val/frechet_distance", "val/rarest_class", "val/diversity"} <= set(done.history[0])
    at_once, _ = train_network("generation", params(kind, average=0.0), dataset, tmp_path)
    one, two = (dict(it.named_parameters()) for it in (at_once.average, at_once.generator))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_best_epoch_can_be_kept(dataset, tmp_path):
    settings = params("dcgan", keep="best", learning_rate=0.05)
    _, done = train_network("generation", settings, dataset, tmp_path)
    assert len(done.history) == 4


@pytest.mark.parametrize("kind", [*TINY])
def test_what_is_served_is_marked_as_what_was_measured(kind, dataset):
    trained = build(kind)
    measured = evaluate(trained, dataset, params(kind))
    exam = predict.exam(dataset, "test")
    interface = predict.interface(dataset.info, {"kind": kind})
    given = exam[[name for name in interface.inputs if name in exam]]
    answers = predict.predict(trained, given, dataset.info, {})
    marked = predict.outcome(answers, exam)
    for name in marked:
        ours, theirs = measured.scores[name].to_numpy(), marked[name].to_numpy()
        if ours.dtype.kind == "f":
            assert ours == pytest.approx(theirs, abs=1e-4)
        else:
            assert (ours == theirs).all()
    score = interface.score
    value = score.statistic(marked, np.ones(len(marked)))
    assert measured.metrics[score.metric] == pytest.approx(value, rel=1e-4)
    assert compare(measured.scores, marked, score).mean == pytest.approx(0, abs=0.01)
    titles = [it.title for it in measured.exhibits]
    assert len(set(titles)) == len(titles)
    if kind == "conditional":
        assert 0 <= measured.metrics["test/drawn_to_real_accuracy"] <= 1


def test_a_class_that_was_left_out_is_looked_for(dataset):
    left_out = evaluate(build("autoencoder"), dataset, params("autoencoder", without="dot"))
    assert "test/auroc_left_out" in left_out.metrics
    with pytest.raises(PenstockError, match="without: star: no such class; there is: bar, cross"):
        train_network(
            "generation", params("autoencoder", without="star"), dataset, dataset.folder / "x"
        )


def test_lost_classes_and_pictures_that_are_all_alike_are_said(dataset, capsys):
    drawing = build("dcgan")
    with torch.no_grad():
        for weights in drawing.average.parameters():
            weights.zero_()
    metrics = evaluate(drawing, dataset, params("dcgan")).metrics
    assert "mode collapse: 2 of 3 classes are hardly drawn" in capsys.readouterr().out
    assert metrics["test/diversity"] == pytest.approx(0, abs=1e-6)
    assert metrics["test/classes_drawn"] == 1


def test_scores_that_lack_a_picture_say_nothing(dataset):
    exam = predict.exam(dataset, "test")
    answers = pd.DataFrame({"picture": [None] * len(exam), "error": "broken"})
    scores = predict.outcome(answers, exam)
    assert np.isnan(predict.scored_distance(scores, np.ones(len(scores))))
    assert list(feature_columns(np.zeros((1, 2)), "drawn_")) == ["drawn_0", "drawn_1"]


def test_the_presets_of_the_docs_are_networks():
    page = (Path(__file__).parent.parent / "docs" / "generation.md").read_text()
    presets = re.findall(r"^ +model: (\{.*?\})$", page, re.DOTALL | re.MULTILINE)
    kinds = []
    for preset in presets:
        model = YAML(typ="safe").load(preset)
        section = TypeAdapter(Params.model_fields["model"].rebuild_annotation())
        parsed = section.validate_python(model)
        assert parsed.model_dump(mode="json") == model, "a section names all its settings"
        assert sum(it.numel() for it in network(parsed, info(28)).parameters()) > 1000
        kinds.append(parsed.kind)
    assert kinds == [
        "dcgan",
        "dcgan",
        "conditional",
        "gan",
        "gan",
        "autoencoder",
        "autoencoder",
        "vae",
    ]
