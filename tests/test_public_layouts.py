"""Layouts of public datasets, by their documentation: read, or refused with how to convert them."""

import zlib
from types import SimpleNamespace

import pytest

import test_ratings_data as tables
import test_speech_data as sounds
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.messages.errors import PenstockError
from penstock.pipelines.mnist import ingest as mnist
from penstock.pipelines.mnist.params import Data as MnistData
from penstock.pipelines.pathology.ingest import ingest
from penstock.pipelines.pathology.params import Data
from test_pathology_data import pixels, put, saved

N = range(8)
CATS_AND_DOGS = ["cats", "dogs"]


def each(pattern, **named):
    """Paths by a pattern, for each value of what is named and eight of N."""
    paths = [pattern]
    for name, values in named.items():
        paths = [path.replace(f"<{name}>", it) for path in paths for it in values]
    return [path.replace("<n>", str(n)) for path in paths for n in (N if "<n>" in pattern else [0])]


def listed(rows, header="file,label"):
    return "\n".join([header, *rows]).encode()


CLASS = {"c": CATS_AND_DOGS}
SPLIT = {"s": ["train", "validation", "test"]}
FLAT = [f"{n}.jpg" for n in N]
KINDS = [CATS_AND_DOGS[n % 2] for n in N]
JUNK = b"what is in here does not matter"

# Name -> files (a list of paths, or path -> content), and classes with the splits of the publisher,
# or the words that it is refused with.
IMAGES = {
    "torchvision ImageFolder": (each("<c>/<n>.jpg", **CLASS), ()),
    "ImageFolder, deeper": (each("<c>/shoot/a/<n>.jpg", **CLASS), ()),
    "Keras flow_from_directory": (
        each("<s>/<c>/<n>.jpg", s=["train", "validation"], **CLASS),
        ("train", "validation"),
    ),
    "Kaggle train/valid/test": (
        each("<s>/<c>/<n>.jpg", s=["train", "valid", "test"], **CLASS),
        ("train", "validation", "test"),
    ),
    "Kaggle chest X-ray, wrapped": (
        each("chest_xray/<s>/<c>/<n>.jpeg", s=["train", "val", "test"], **CLASS),
        ("train", "validation", "test"),
    ),
    "brain tumours, Training/Testing": (
        each("<s>/<c>/<n>.jpg", s=["Training", "Testing"], **CLASS),
        ("train", "test"),
    ),
    "splits in class folders": (
        each("<c>/<s>/<n>.jpg", s=["train", "test"], **CLASS),
        ("train", "test"),
    ),
    "labels.csv": (
        {**dict.fromkeys(FLAT), "labels.csv": listed(map(",".join, zip(FLAT, KINDS, strict=True)))},
        (),
    ),
    "labels.csv without endings": (
        {
            **{f"images/{it}": None for it in FLAT},
            "labels.csv": listed(f"{n},{KINDS[n]}" for n in N),
        },
        (),
    ),
    "labels.csv with splits": (
        {
            **dict.fromkeys(FLAT),
            "labels.csv": listed(
                [f"{n}.jpg,{KINDS[n]},{'train' if n < 5 else 'val'}" for n in N],
                "file,label,split",
            ),
        },
        ("train", "validation"),
    ),
    "MVTec AD": (each("<s>/good/<n>.png", s=["train", "test", "ground_truth"]), "names of splits"),
    "Tiny ImageNet": (
        each("train/<c>/images/<n>.jpg", **CLASS) + each("val/images/<n>.jpg"),
        "class images is in validation, not in train",
    ),
    "Kaggle test without labels": (
        each("train/<c>/<n>.jpg", **CLASS) + each("test/unknown/<n>.jpg"),
        "class unknown is in test, not in train",
    ),
    "one folder": (each("cats/<n>.jpg"), r"1 folders with images \(cats\)"),
    "ISIC, flat with a table": (
        {**{f"ISIC/{it}": None for it in FLAT}, "truth.csv": JUNK},
        "truth.csv is a table, perhaps of labels: write labels.csv",
    ),
    "COCO": (
        {**{f"val2017/{it}": None for it in FLAT}, "annotations/instances.json": JUNK},
        "annotations/instances.json is annotations in JSON, as COCO's: write labels.csv",
    ),
    "Pascal VOC": (
        {**{f"JPEGImages/{it}": None for it in FLAT}, "Annotations/1.xml": JUNK},
        "annotations in XML, as Pascal VOC's: write labels.csv",
    ),
    "YOLO": (
        {**{f"images/{it}": None for it in FLAT}, "labels/1.txt": JUNK},
        "lists or annotations, as YOLO's or transcripts: write labels.csv",
    ),
    "MedMNIST": ({"pathmnist.npz": JUNK}, "pathmnist.npz is NumPy arrays: write each row"),
    "PCam": ({"camelyonpatch_level_2_split_train_x.h5": JUNK}, "HDF5 or MATLAB arrays"),
    "CIFAR-10": ({"data_batch_1": JUNK, "readme.html": JUNK}, "pickled, which runs code"),
    "SVHN": ({"train_32x32.mat": JUNK}, "HDF5 or MATLAB arrays"),
    "TensorFlow Datasets": ({"train-0.tfrecord": JUNK}, "is TFRecord: write each record"),
    "Hugging Face": ({"data/train-0.parquet": JUNK}, "a table of files: write the bytes"),
    "WebDataset": ({"000.tar": JUNK}, "000.tar is an archive: unpack it there"),
    "LSUN": ({"bedroom_train_lmdb/data.mdb": JUNK}, "is LMDB: write each value as a file"),
}


def content_of(path):
    seed = zlib.crc32(path.encode())
    if path.endswith((".wav", ".flac", ".ogg")):
        return sounds.saved(
            sounds.tone(pitch=200 + seed % 10**6 / 500), kind=path[-4:].strip(".").upper()
        )
    return saved(pixels(seed), "PNG" if path.endswith("png") else "JPEG")


def lay_out(source, files):
    source.mkdir()
    for path, content in (files if isinstance(files, dict) else dict.fromkeys(files)).items():
        put(source, path, content_of(path) if content is None else content)


def read_images(source, folder):
    data = Data(image_size=32, min_side=16, test_share=0.3, validation_share=0.3)
    with DatasetWriter(folder) as writer:
        ingest(source, writer, SimpleNamespace(data=data))
    return Dataset(folder)


def refused(read, words, folder):
    with pytest.raises(PenstockError, match=words) as stopped:
        read()
    assert "\n" not in str(stopped.value)
    assert not (folder / "dataset.json").exists()


@pytest.mark.parametrize("layout", IMAGES)
def test_images(layout, tmp_path, capsys):
    files, expected = IMAGES[layout]
    lay_out(tmp_path / "source", files)
    if isinstance(expected, str):
        refused(
            lambda: read_images(tmp_path / "source", tmp_path / "made"), expected, tmp_path / "made"
        )
        return
    dataset = read_images(tmp_path / "source", tmp_path / "made")
    assert dataset.info["classes"] == CATS_AND_DOGS
    assert (
        len(dataset.index) == sum(content is None for content in dict(files).values())
        if (isinstance(files, dict))
        else len(files)
    )
    kept = f"are kept: {', '.join(sorted(expected))}" in capsys.readouterr().out
    assert kept == bool(expected)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("1.jpg,cats,p1\n1.jpg,dogs,p1", "line 3: 1.jpg is label dogs, patient p1, and label cats"),
        (
            "1.jpg,cats,p1\n1,cats,p2",
            "line 3: 1 is label cats, patient p2, and label cats",
        ),
        ("1.jpg,cats", "line 2: no value in column patient"),
        ("../1.jpg,cats,p1", "line 2: file is ../1.jpg; expected a path within source/"),
    ],
)
def test_a_list_of_labels_that_has_no_one_meaning_is_refused_by_line(tmp_path, rows, words):
    lay_out(tmp_path / "source", dict.fromkeys(FLAT))
    (tmp_path / "source" / "labels.csv").write_text(f"file,label,patient\n{rows}\n")
    with pytest.raises(PenstockError, match=words):
        read_images(tmp_path / "source", tmp_path / "made")


@pytest.mark.parametrize(
    "layout", ["torchvision ImageFolder", "Kaggle train/valid/test", "labels.csv"]
)
def test_small_grey_images_for_mnist(layout, tmp_path):
    files, splits = IMAGES[layout]
    source = tmp_path / "source"
    lay_out(source, files)
    data = MnistData(classes=["dogs", "cats"], fit="resize", test_share=0.3, validation_share=0.3)
    with DatasetWriter(tmp_path / "made") as writer:
        mnist.ingest(source, writer, SimpleNamespace(data=data))
    dataset = Dataset(tmp_path / "made")
    assert dataset.info["classes"] == ["dogs", "cats"], "in the order that data.classes has"
    assert dataset.array("images").shape == (len(dataset.index), 28, 28)
    row = dataset.index.iloc[3]
    served = mnist.decode((source / row["id"]).read_bytes(), 28, "resize")
    assert (dataset.array("images")[3] == served).all()
    assert len(dataset.raw(dataset.examples("test")["id"])) == len(dataset.examples("test"))
    if splits:
        folders = {"train": "train", "validation": "valid", "test": "test"}
        for split, folder in folders.items():
            assert set(dataset.examples(split)["id"].str.split("/").str[0]) == {folder}


def test_other_classes_than_are_named_are_refused_with_the_line_to_write(tmp_path):
    lay_out(tmp_path / "source", each("<c>/<n>.jpg", **CLASS))
    with (
        pytest.raises(PenstockError, match=r'set data\.classes: \["cats", "dogs"\]'),
        DatasetWriter(tmp_path / "made") as writer,
    ):
        mnist.ingest(tmp_path / "source", writer, SimpleNamespace(data=MnistData()))


WORDS = ["no", "yes"]
SOUNDS = {
    "Speech Commands": (each("<w>/s<n>_nohash_0.wav", w=WORDS), {}),
    "Speech Commands with lists and noise": (
        {
            **dict.fromkeys(each("<w>/s<n>_nohash_0.wav", w=WORDS)),
            "testing_list.txt": "\n".join(each("<w>/s1_nohash_0.wav", w=WORDS)).encode(),
            "validation_list.txt": "\n".join(each("<w>/s2_nohash_0.wav", w=WORDS)).encode(),
            "README.md": JUNK,
        },
        {},
    ),
    "words in splits": (each("<s>/<w>/s<n>_nohash_0.wav", s=["train", "test"], w=WORDS), {}),
    "wrapped": (each("speech_commands_v0.02/<w>/s<n>_nohash_0.wav", w=WORDS), {}),
    "Free Spoken Digits, sorted": (each("<w>/<w>_anna<n>_0.wav", w=WORDS), {}),
    "FLAC": (each("<w>/s<n>_nohash_0.flac", w=WORDS), {}),
    "Ogg Vorbis": (each("<w>/s<n>_nohash_0.ogg", w=WORDS), {}),
    "GTZAN genres": (each("<w>/<w>.0000<n>.wav", w=WORDS), {"speaker": "none"}),
    "a pattern": (each("<w>/p<n>-1.wav", w=WORDS), {"speaker": r"(?P<speaker>p\d+)-"}),
    "labels.csv with speakers": (
        {
            **dict.fromkeys(each("clips/<n>.wav")),
            "labels.csv": listed(
                [f"{n}.wav,{WORDS[n % 2]},s{n // 2}" for n in N], "file,label,speaker"
            ),
        },
        {},
    ),
    "labels.csv and groups.csv": (
        {
            **dict.fromkeys(each("clips/<n>.wav")),
            "labels.csv": listed(f"clips/{n}.wav,{WORDS[n % 2]}" for n in N),
            "groups.csv": listed([f"clips/{n}.wav,s{n // 2}" for n in N], "file,speaker"),
        },
        {},
    ),
    "Free Spoken Digits, flat": (each("recordings/<n>_anna_0.wav"), r"1 folders with recordings"),
    "AudioMNIST": (
        each("<p>/<n>_<p>_0.wav", p=["01", "02"]),
        "the folders are speakers, not words: 01/0_01_0.wav is of speaker 01",
    ),
    "LibriSpeech": (
        each("<p>/1/<p>-1-<n>.flac", p=["84", "174"]),
        "no speaker in its name",
    ),
    "UrbanSound8K": (each("fold<f>/<n>-3-0-0.wav", f=["1", "2"]), "no speaker in its name"),
    "ESC-50": (
        {**dict.fromkeys(each("audio/<n>-A-0.wav")), "meta/esc50.csv": JUNK},
        "meta/esc50.csv is a table, perhaps of labels",
    ),
    "Common Voice": (
        {**dict.fromkeys(each("clips/<n>.wav")), "validated.tsv": JUNK},
        "validated.tsv is a table, perhaps of labels: write labels.csv",
    ),
    "CREMA-D": (each("AudioWAV/1001_DFA_ANG_X<n>.wav"), "1 folders with recordings"),
    "LJSpeech": (
        {**dict.fromkeys(each("wavs/LJ001-000<n>.wav")), "metadata.csv": JUNK},
        "metadata.csv is a table",
    ),
    "VCTK transcripts": (
        {**dict.fromkeys(each("wav48/p225/p225_00<n>.wav")), "txt/p225_001.txt": JUNK},
        "lists or annotations",
    ),
    "NSynth": ({"nsynth-train.tfrecord": JUNK}, "is TFRecord"),
    "an archive": ({"speech_commands_v0.02.tar.gz": JUNK}, "is an archive: unpack it there"),
}


@pytest.mark.parametrize("layout", SOUNDS)
def test_recordings(layout, tmp_path):
    files, expected = SOUNDS[layout]
    lay_out(tmp_path / "source", files)
    settings = expected if isinstance(expected, dict) else {}

    def read():
        chosen = {"duration": 0.25, "min_duration": 0.05, "split": "auto", **settings}
        return sounds.made(tmp_path / "source", tmp_path / "made", **chosen)

    if isinstance(expected, str):
        refused(read, expected, tmp_path / "made")
        return
    dataset = read()
    assert dataset.info["classes"] == WORDS
    assert len(dataset.index) == len([it for it in files if it.endswith((".wav", ".flac", ".ogg"))])
    speakers = dataset.index.groupby("group")["split"].nunique()
    assert settings or (speakers.max() == 1 and len(speakers) > 1) or "splits" in layout


RATED = "196,242,3,881250949\n186,302,3,891717742\n22,377,1,878887116\n196,302,4,881250950\n"
ONE_TO_FIVE = {"scale": (1, 5)}
RATINGS = {
    "MovieLens ml-latest": ({"ratings.csv": "userId,movieId,rating,timestamp\n" + RATED}, {}),
    "MovieLens 100K u.data": ({"u.data": RATED.replace(",", "\t")}, {}),
    "MovieLens 1M": (
        {"ratings.dat": RATED.replace(",", "::"), "movies.dat": "242::Kolya (1996)::Comedy\n"},
        {},
    ),
    "MovieTweetings": ({"ratings.dat": RATED.replace(",", "::")}, {"scale": (0, 10)}),
    "Amazon 2014": ({"ratings_Books.csv": RATED}, {}),
    "Amazon reviews as CSV": (
        {"reviews.csv": "reviewerID,asin,overall,unixReviewTime\n" + RATED},
        {},
    ),
    "Goodreads": ({"ratings.csv": "user_id,book_id,rating,time\n" + RATED}, {}),
    "Book-Crossing": (
        {
            "BX-Book-Ratings.csv": '"User-ID";"ISBN";"Book-Rating"\n'
            '"276725";"034545104X";"5"\n"276726";"0155061224";"0"\n',
        },
        {"scale": (0, 10)},
    ),
    "Anime": ({"rating.csv": "user_id,anime_id,rating\n1,20,8\n1,24,9\n"}, {"scale": (1, 10)}),
    "LibimSeTi": ({"ratings.dat": "1,133,8\n1,720,6\n"}, {"scale": (1, 10)}),
    "Food.com": (
        {"interactions.csv": "user_id,recipe_id,date,rating\n38094,40893,2003-02-17,4\n"},
        {},
    ),
    "FilmTrust": ({"ratings.txt": "1 1 2.0\n1 2 4.0\n"}, {}),
    "Epinions": ({"ratings_data.txt": "1 100 4\n1 101 5\n"}, {}),
    "HetRec": ({"user_ratedmovies.dat": "userID\tmovieID\trating\n75\t3\t1\n"}, {}),
    "Yahoo R3": ({"train.txt": "1\t14\t5\n1\t35\t1\n"}, {}),
    "Douban, gzipped": ({"ratings.csv.gz": tables.gzip.compress(RATED.encode())}, {}),
    "BeerAdvocate": (
        {"beer_reviews.csv": "beer_beerid,review_profilename,review_overall\n1,a,4\n"},
        {
            "user_column": "review_profilename",
            "item_column": "beer_beerid",
            "rating_column": "review_overall",
        },
    ),
    "Jester": (
        {"jester-data-1.csv": "\n".join(["3," + ",".join(["99", "-7.82"] * 50)] * 3)},
        "101 columns; expected user, item, rating.*melt",
    ),
    "Netflix Prize": ({"combined_data_1.txt": "1:\n1488844,3,2005-09-06\n"}, "no column user_id"),
    "Amazon 2018, JSON lines": (
        {"Books_5.json": '{"overall": 5.0}\n'},
        "write .json as CSV with pandas: read_json",
    ),
    "Last.fm plays": (
        {"user_artists.dat": "userID\tartistID\tweight\n2\t51\t13883\n"},
        "no column rating; found userID, artistID, weight",
    ),
    "KuaiRec": (
        {"matrix.csv": "user_id,video_id,watch_ratio\n14,148,1.2\n"},
        r"set pipelines\.ratings\.data\.rating_column",
    ),
    "Jester as a spreadsheet": ({"jester-data-1.xls": JUNK}, "write .xls as CSV with pandas"),
}


@pytest.mark.parametrize("layout", RATINGS)
def test_ratings(layout, tmp_path):
    files, expected = RATINGS[layout]
    if isinstance(expected, str):
        refused(lambda: tables.take(tmp_path, files), expected, tmp_path / "dataset")
        return
    dataset = tables.take(tmp_path, files, **expected)
    assert not len(dataset.rejected)
    found = tables.triples(dataset)
    if "196,242" in str(files) or layout.startswith(("MovieL", "Douban")):
        assert found[("196", "242")] == 3.0
    assert len(found) == len(dataset.index) > 0
