"""Sound files as people have them: each taken, or rejected by name with the reason."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.datasets.digest import digest_files
from penstock.datasets.profile import tables
from penstock.messages.errors import PenstockError
from penstock.pipelines.speech import decode as decode_module
from penstock.pipelines.speech.decode import centre, decode, encode, open_recording
from penstock.pipelines.speech.expectations import expectations
from penstock.pipelines.speech.ingest import find_speaker, ingest
from penstock.pipelines.speech.params import Data
from penstock.pipelines.speech.sample import sample
from penstock.settings.explanation import default_params
from penstock.stages.validate import check

RATE, SAMPLES = 16_000, 4_000
PARAMS = default_params("speech")
LIMITS = {"samples": SAMPLES, "least": 0.05, "most": 10.0}


def tone(seconds=0.4, rate=RATE, pitch=440.0, loud=0.5, channels=1):
    """A swell of one pitch, another for each seed of a test."""
    time = np.arange(round(seconds * rate)) / rate
    sound = loud * np.sin(2 * np.pi * pitch * time) * np.hanning(len(time))
    return sound if channels == 1 else np.repeat(sound[:, None], channels, axis=1)


def saved(sound, rate=RATE, kind="WAV", subtype=None):
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, subtype, format=kind)
    return buffer.getvalue()


def put(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def tidy(folder, speakers=12):
    """Two words by each of several speakers, named as Speech Commands are."""
    return put(
        folder,
        {
            f"{word}/s{number:02}_nohash_0.wav": saved(tone(pitch=pitch + 10 * number))
            for number in range(speakers)
            for word, pitch in (("no", 200), ("yes", 800))
        },
    )


def made(source, folder, **data):
    chosen = Data(**{"duration": SAMPLES / RATE, "min_duration": 0.05, "split": "ranked", **data})
    with DatasetWriter(folder) as writer:
        ingest(source, writer, SimpleNamespace(data=chosen))
    return Dataset(folder)


def rejected(dataset):
    assert dataset.rejected["id"].is_unique
    return dict(zip(dataset.rejected["id"], dataset.rejected["reason"], strict=True))


def nan():
    sound = tone()
    sound[100] = np.nan
    return sound


def streamed():
    """As a recorder leaves it that writes to a pipe: the header does not know the length."""
    content = bytearray(saved(tone()))
    place = content.index(b"data") + 4
    content[4:8] = content[place : place + 4] = b"\xff\xff\xff\xff"
    return bytes(content)


TAKEN = {
    "24 bits": saved(tone(), subtype="PCM_24"),
    "float64": saved(tone(), subtype="DOUBLE"),
    "8 bits": saved(tone(), subtype="PCM_U8"),
    "8 channels": saved(tone(channels=8)),
    "192 kHz": saved(tone(rate=192_000), 192_000),
    "8 kHz": saved(tone(rate=8_000), 8_000),
    "flac": saved(tone(), kind="FLAC"),
    "ogg": saved(tone(), kind="OGG"),
    "mu-law": saved(tone(), subtype="ULAW"),
    "streamed": streamed(),
}
REFUSED = {
    "header only": (saved(tone())[:44], "empty"),
    "no samples": (saved(tone()[:0]), "empty"),
    "one sample": (saved(np.array([0.5])), "too short: 0.000 s"),
    "cut off": (saved(tone())[:3000], "cut off"),
    "cut off flac": (saved(tone(), kind="FLAC")[:1500], "cut off|damaged"),
    "header cut": (saved(tone())[:20], "damaged"),
    "text": (b"these are words, but not spoken", "not a sound file"),
    "nothing": (b"", "not a sound file"),
    "nan": (saved(nan(), subtype="DOUBLE"), "no numbers"),
    "silent": (saved(np.zeros(RATE)), "silent"),
    "long": (
        saved(np.tile(tone(), 40), 8_000, subtype="PCM_U8"),
        r"too long: 32.0 s; at most 10 s",
    ),
    "slow": (saved(tone(), 100), "100 samples a second"),
    "aiff": (saved(tone(), kind="AIFF"), "AIFF"),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_any_encoding_gives_the_same_word(kind):
    waveform = decode(TAKEN[kind], **LIMITS)
    assert waveform.dtype == np.int16
    assert waveform.shape == (SAMPLES,)
    plain = decode(saved(tone()), **LIMITS).astype(float)
    alike = [np.corrcoef(plain, np.roll(waveform, moved))[0, 1] for moved in range(-8, 9)]
    assert max(alike) > 0.98, "the same sound, in the same place to half a millisecond"


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_taken_says_why(kind):
    content, reason = REFUSED[kind]
    with pytest.raises(ValueError, match=reason):
        decode(content, **LIMITS)


def test_an_hour_is_refused_by_its_header_alone(monkeypatch):
    hour = saved(np.zeros(3600 * 2000), 2000, subtype="PCM_U8")
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    with pytest.raises(ValueError, match=r"too long: 3,600.0 s"):
        decode(hour, **LIMITS)


def test_a_header_that_promises_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(decode_module, "MOST_FRAMES", 1000)
    with pytest.raises(ValueError, match="too large: 6,400 samples a channel; at most 1,000"):
        decode(saved(tone()), **LIMITS)


def test_blocks_do_not_show(monkeypatch):
    content = saved(tone(channels=3), 48_000)
    whole = decode(content, **LIMITS)
    monkeypatch.setattr(decode_module, "BLOCK", 1000)
    assert np.array_equal(decode(content, **LIMITS), whole)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_files_are_taken_or_refused_never_more(data):
    content = bytearray(data.draw(st.sampled_from(list(TAKEN.values()))))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=8)):
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    try:
        waveform = decode(bytes(content[:cut] if data.draw(st.booleans()) else content), **LIMITS)
    except ValueError:
        return
    assert waveform.shape == (SAMPLES,)


@given(hnp.arrays(np.int16, st.integers(1, 3 * 800), elements=st.integers(-3000, 3000)))
def test_what_was_cut_out_stays_as_it_is(sound):
    waveform = centre(sound / 2**15, 800)
    assert np.array_equal(centre(waveform / 2**15, 800), waveform)


def test_a_word_is_found_wherever_it_is():
    word = tone(0.2)
    early, late = (np.pad(word, pad) for pad in ((100, 30_000), (30_000, 100)))
    assert np.abs(centre(early, SAMPLES).astype(int) - centre(late, SAMPLES)).max() < 9000
    for sound in (early, late):
        kept = np.square(centre(sound, SAMPLES) / 2**15).sum()
        assert kept == pytest.approx(np.square(word).sum(), rel=0.01)


def test_a_loud_end_of_a_long_recording_is_found():
    """Sums over ten minutes at full scale do not fit into 64 bits."""
    sound = np.zeros(600 * RATE, np.float32)
    sound[-10 * RATE :] = 0.99
    assert (centre(sound, 10 * RATE) > 30_000).all()


def test_an_example_comes_back_from_its_file():
    waveform = decode(saved(tone()), **LIMITS)
    assert np.array_equal(decode(encode(waveform), **LIMITS), waveform)


def test_clipping_is_measured():
    assert open_recording(saved(np.sign(tone())), 0.1, 10).clipped > 0.5
    assert open_recording(saved(tone()), 0.1, 10).clipped == 0


@pytest.mark.parametrize(
    ("name", "pattern", "speaker"),
    [
        ("yes/022cd682_nohash_3.wav", "auto", "022cd682"),
        ("zero/0_george_12.wav", "auto", "george"),
        ("zero/0_van_der_berg_12.wav", "auto", "van_der_berg"),
        ("zero/george.wav", "auto", None),
        ("zero/george.wav", "none", ""),
        ("zero/S1-zero.wav", r"^(?P<speaker>S\d+)-", "S1"),
    ],
)
def test_the_speaker_is_in_the_name(name, pattern, speaker):
    assert find_speaker(name, pattern) == speaker


def test_every_file_is_taken_or_rejected_by_name(tmp_path):
    source = tidy(tmp_path / "source")
    first, _ = soundfile.read(source / "no/s00_nohash_0.wav", dtype="int16")
    again = saved(first, kind="FLAC")
    put(
        source,
        {
            "yes/.hidden.wav": b"",
            "yes/nobody.wav": saved(tone(pitch=1500)),
            "yes/x_nohash_1.wav": b"words",
            "no/z_nohash_9.wav": again,
            "maybe/y_nohash_1.wav": b"no sound in this folder",
            "_background_noise_/hum.wav": saved(tone(1.0)),
            "once/y_nohash_2.wav": saved(tone(pitch=2000)),
            "README.md": b"about",
            "stray.wav": saved(tone()),
        },
    )
    dataset = made(source, tmp_path / "dataset")
    reasons = rejected(dataset)
    assert reasons.pop("yes/nobody.wav").startswith("no speaker in its name; expected")
    assert reasons == {
        "yes/x_nohash_1.wav": "not a sound file; expected WAV, FLAC or OGG",
        "no/z_nohash_9.wav": "the same recording as no/s00_nohash_0.wav",
        "maybe": "class folder with no recording",
        "maybe/y_nohash_1.wav": "not a sound file; expected WAV, FLAC or OGG",
        "_background_noise_/hum.wav": "background noise, no word",
        "README.md": "not in a class folder",
        "stray.wav": "not in a class folder",
    }
    assert dataset.info["classes"] == ["no", "once", "yes"]
    assert dataset.info["found"] == len(dataset.index) + len(dataset.rejected)
    assert dataset.index.groupby("speaker")["split"].nunique().max() == 1
    assert set(dataset.index["split"]) == {"train", "validation", "test"}


def test_the_same_files_give_the_same_bytes(tmp_path):
    source = tidy(tmp_path / "source")
    one, two = (made(source, tmp_path / name) for name in "ab")
    assert digest_files(one.folder) == digest_files(two.folder)


def test_the_publishers_lists_are_followed(tmp_path):
    source = tidy(tmp_path / "source")
    (source / "testing_list.txt").write_text("yes/s00_nohash_0.wav\nno/s00_nohash_0.wav\n")
    (source / "validation_list.txt").write_text("yes/s01_nohash_0.wav\n")
    index = made(source, tmp_path / "dataset", split="auto").index.set_index("id")["split"]
    assert sorted(index[index == "test"].index) == ["no/s00_nohash_0.wav", "yes/s00_nohash_0.wav"]
    assert list(index[index == "validation"].index) == ["yes/s01_nohash_0.wav"]
    (source / "testing_list.txt").unlink()
    for split in ("official", "auto"):  # one list alone is a slip
        with pytest.raises(PenstockError, match=r"testing_list.txt: cannot be read"):
            made(source, tmp_path / split, split=split)


def test_a_pattern_says_what_is_tested(tmp_path):
    source = tidy(tmp_path / "source", 30)
    split = made(
        source, tmp_path / "dataset", split="pattern", test_pattern=r"s0[0-4]_nohash_\d\.wav$"
    ).index.set_index("id")["split"]
    assert (split == "test").sum() == 10
    assert {"train", "validation"} <= set(split)
    with pytest.raises(ValueError, match="needs test_pattern"):
        Data(split="pattern")
    with pytest.raises(ValueError, match="not a regular expression"):
        Data(split="pattern", test_pattern="(")
    with pytest.raises(ValueError, match="speaker"):
        Data(speaker="(.*)_")


def test_speakers_can_be_listed(tmp_path):
    source = tidy(tmp_path / "source")
    put(source, {"yes/nobody.wav": saved(tone(pitch=1500))})
    (source / "groups.csv").write_text("file,speaker\nyes/nobody.wav,anna\nyes/gone.wav,bob\n")
    dataset = made(source, tmp_path / "dataset")
    index = dataset.index.set_index("id")
    assert index["speaker"]["yes/nobody.wav"] == index["group"]["yes/nobody.wav"] == "anna"
    assert rejected(dataset) == {"yes/gone.wav": "listed in groups.csv, not there"}


def test_one_word_is_not_enough(tmp_path):
    source = put(tmp_path / "source", {"yes/a_nohash_0.wav": saved(tone())})
    with pytest.raises(PenstockError, match="1 folders with recordings"):
        made(source, tmp_path / "dataset")


@pytest.mark.parametrize("expectation", ["groups", "share", "clipped", "rate", "peak", "seconds"])
def test_the_gate_names_what_is_wrong(tmp_path, expectation):
    bad = {
        "clipped": {
            f"yes/t{n}_nohash_1.wav": saved(np.sign(tone(pitch=100 + n))) for n in range(9)
        },
        "rate": {f"yes/t{n}_nohash_1.wav": saved(tone(pitch=90 + n), 8000) for n in range(9)},
        "peak": {f"yes/t{n}_nohash_1.wav": saved(tone(pitch=90 + n, loud=0.005)) for n in range(9)},
        "seconds": {f"yes/t{n}_nohash_1.wav": saved(tone(2.0, pitch=90 + n)) for n in range(9)},
        "share": {"once/s00_nohash_0.wav": saved(tone(pitch=90))},
        "groups": {},
    }[expectation]
    source = put(tidy(tmp_path / "source"), bad)
    if expectation == "groups":
        for file in source.rglob("s?[1-9]*"):
            file.unlink()
    dataset = made(source, tmp_path / "dataset")
    results = check(list(expectations(PARAMS)), tables(dataset))
    failed = {it["arguments"].get("column") for it in results if not it["success"]}
    assert expectation in failed


def test_the_sample_is_spoken_by_many_and_the_same_each_time(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        sample(tmp_path / name)
    assert digest_files(tmp_path / "a") == digest_files(tmp_path / "b")
    dataset = made(tmp_path / "a", tmp_path / "dataset", duration=1.0)
    assert len(dataset.index) == 384
    assert dataset.index["speaker"].nunique() == 16
    assert dataset.info["rejected"] == 0
    unmet = [it for it in check(list(expectations(PARAMS)), tables(dataset)) if not it["success"]]
    assert {it["severity"] for it in unmet} == {"warning"}
    assert [(it["table"], it["arguments"]["column"]) for it in unmet] == [
        ("splits", "examples"),
        ("splits", "groups"),
    ], "it is small, and has few speakers, and nothing else"
