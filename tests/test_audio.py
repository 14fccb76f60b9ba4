"""The audio front end against librosa; augmentation of waveforms and spectrograms."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.pipelines.speech.audio import Cepstrum, LogMel, mel_filters
from penstock.pipelines.speech.augmentation import (
    RandomGain,
    RandomNoise,
    RandomResample,
    RandomWarp,
    SpecAugment,
    scale_noise,
)
from penstock.pipelines.speech.broadcast_residual import BroadcastResNet

RATE = 16_000


def speechlike(seed, samples=RATE):
    """Harmonics that come and go over noise, and silence at the end; int16."""
    chance = np.random.default_rng(seed)
    time = np.arange(samples) / RATE
    sound = sum(
        np.sin(2 * np.pi * k * chance.uniform(90, 250) * time) / k * chance.uniform(0, 1)
        for k in range(1, 20)
    )
    sound = sound * np.hanning(samples) + 0.01 * chance.normal(size=samples)
    sound[-samples // 5 :] = 0
    return (sound / np.abs(sound).max() * 20_000).astype(np.int16)


# Every combination of what params.yaml offers, at the ends of each range and in between.
@settings(max_examples=30, deadline=None)
@given(
    window=st.sampled_from([128, 400, 512, 777, 2048, 4096]),
    hop=st.sampled_from([40, 160, 256, 511, 2048]),
    mels=st.sampled_from([8, 13, 40, 80, 128]),
    f_min=st.sampled_from([0.0, 20.0, 999.5, 3999.0]),
    f_max=st.sampled_from([4000.0, 7600.0, 8000.0]),
    top_db=st.sampled_from([20.0, 80.0, 120.0]),
    seed=st.integers(0, 9),
)
@pytest.mark.filterwarnings("ignore:Empty filters detected")
def test_the_front_end_agrees_with_librosa(window, hop, mels, f_min, f_max, top_db, seed):
    waveform = speechlike(seed, RATE // 2)
    ours = LogMel(RATE, window, hop, mels, f_min, f_max, top_db)
    batch = torch.from_numpy(waveform)[None]
    power = ours.power(batch.float() / 2**15)[0].numpy()
    theirs = librosa.feature.melspectrogram(
        y=waveform.astype(np.float32) / 2**15,
        **{"sr": RATE, "n_fft": window, "hop_length": hop},
        **{"n_mels": mels, "fmin": f_min, "fmax": f_max},
    )
    np.testing.assert_allclose(power, theirs, rtol=1e-3, atol=1e-3 * theirs.max() * 1e-3)
    decibels = librosa.power_to_db(theirs, top_db=top_db)
    np.testing.assert_allclose(ours(batch)[0].numpy(), decibels, atol=1e-3 * np.abs(decibels).max())
    coefficients = min(13, mels)
    cepstrum = Cepstrum(mels, coefficients)(torch.from_numpy(decibels)[None])[0].numpy()
    expected = librosa.feature.mfcc(S=decibels, n_mfcc=coefficients)
    np.testing.assert_allclose(cepstrum, expected, rtol=1e-5, atol=1e-3)


def test_mfcc_agree_with_librosa_from_the_waveform_on():
    waveform = speechlike(0)
    decibels = LogMel(RATE, 512, 256, 40, 50.0, 8000.0, 80.0)(torch.from_numpy(waveform)[None])
    ours = Cepstrum(40, 13)(decibels)[0].numpy()
    theirs = librosa.feature.mfcc(
        y=waveform.astype(np.float32) / 2**15,
        **{"sr": RATE, "n_mfcc": 13, "n_fft": 512, "hop_length": 256},
        **{"n_mels": 40, "fmin": 50, "fmax": 8000},
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_filters_are_librosas():
    ours = mel_filters(RATE, 512, 40, 50.0, 8000.0)
    theirs = librosa.filters.mel(sr=RATE, n_fft=512, n_mels=40, fmin=50, fmax=8000)
    np.testing.assert_allclose(ours, theirs, atol=1e-7)


def test_without_amounts_nothing_changes():
    waveforms = torch.from_numpy(np.stack([speechlike(n) for n in range(3)]))
    sound = RandomNoise(0, 0, 0)(RandomGain(0)(RandomResample(0, 0)(waveforms)))
    torch.testing.assert_close(sound, waveforms / 2**15)
    spectrograms = torch.randn(3, 40, 63)
    torch.testing.assert_close(SpecAugment(0, 8, 12)(RandomWarp(0, 0)(spectrograms)), spectrograms)


def test_a_shift_moves_by_no_more_than_asked():
    waveforms = torch.zeros(200, 2001)
    waveforms[:, 1000] = 1
    places = RandomResample(0, 300)(waveforms).argmax(1)
    assert (places - 1000).abs().max() <= 301
    assert places.float().std() > 100


def test_speed_moves_pitch_by_its_share():
    time = torch.arange(RATE) / RATE
    waveforms = torch.sin(2 * torch.pi * 1000 * time).expand(100, RATE)
    peaks = torch.fft.rfft(RandomResample(0.2, 0)(waveforms)).abs().argmax(1)
    assert 820 < peaks.min() < 900
    assert 1100 < peaks.max() < 1210


@pytest.mark.parametrize("ratio", [0.0, 20.0])
def test_noise_has_the_ratio_asked_for_whatever_the_padding(ratio):
    word = torch.sin(torch.arange(4000) * 0.3)
    for padding in (0, 12_000):
        waveform = torch.nn.functional.pad(word, (0, padding))[None]
        added = scale_noise(waveform, torch.randn(waveform.shape), ratio)
        # Of a sine the loud half, which speech is measured by, has 0.82 of its peak power.
        found = 10 * torch.log10(0.82 / added.square().mean())
        assert found == pytest.approx(ratio, abs=1.2)


def test_a_warp_moves_bands_and_leaves_the_lowest():
    spectrograms = torch.zeros(100, 40, 63)
    spectrograms[:, 20] = 1
    spectrograms[:, 0] = 2
    warped = RandomWarp(0.2, 0.0)(spectrograms)
    assert (warped[:, 0, 30] > 1).all()
    places = warped[:, 5:, 30].argmax(1) + 5
    assert 15 <= places.min() < 19
    assert 21 < places.max() <= 26


def test_masks_hide_no_more_than_asked():
    spectrograms = torch.randn(50, 40, 63)
    changed = SpecAugment(1, 8, 12)(spectrograms) != spectrograms
    assert changed.all(2).sum(1).max() <= 8
    assert changed.all(1).sum(1).max() <= 12
    assert changed.all(2).sum(1).float().mean() > 2


@pytest.mark.parametrize(("width", "low", "high"), [(1, 8_000, 11_000), (8, 280_000, 340_000)])
def test_the_width_sets_the_size(width, low, high):
    network = BroadcastResNet(40, 12, width, 0.1)
    assert low < sum(it.numel() for it in network.parameters()) < high
    assert network(torch.randn(2, 40, 63)).shape == (2, 12)
