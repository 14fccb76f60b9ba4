"""Places to train at: as many as the machine has room for, freed however their holder ends."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from penstock.learning import slots
from penstock.learning.slots import FOLDER, find_slots, training_slot
from penstock.learning.sources import Whole
from penstock.messages.errors import PenstockError, TemporaryError
from penstock.project.workspace import Workspace
from penstock.stages import evaluate as evaluation
from penstock.stages import train as stage

CPU, GPU = torch.device("cpu"), torch.device("cuda")
HOLD = """
import sys, time, torch
from penstock.learning import slots
from penstock.project.processes import end_tidily_on_sigterm
end_tidily_on_sigterm()
slots.POLL = 0.05
slots._cores = lambda: [0, 1]
try:
    with slots.training_slot(torch.device("cpu"), int(sys.argv[2]), sys.argv[1]):
        print("has it", flush=True)
        time.sleep(600)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "slots"))
    monkeypatch.setattr(slots, "POLL", 0.01)
    monkeypatch.setattr(slots, "_cores", lambda: [0, 1])
    return tmp_path / "slots"


@pytest.fixture
def gpus(monkeypatch):
    """Two GPUs, the second of the machine first: as CUDA_VISIBLE_DEVICES=1,0 has them."""
    uuids = ["bbb", "aaa"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(uuids))
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid=uuids[number])
    )
    return uuids


@pytest.fixture
def start():
    """Start processes that want a place with so many threads; none outlives the test."""
    started = []

    def run(label, threads):
        command = [sys.executable, "-c", HOLD, label, str(threads)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def test_as_many_trainings_as_have_cores_of_their_own(monkeypatch):
    for cores, threads, expected in [(2, 1, 2), (2, 2, 1), (2, 8, 1), (8, 3, 2), (1, 1, 1)]:
        monkeypatch.setattr(slots, "_cores", lambda cores=cores: list(range(cores)))
        found = find_slots(CPU, threads)
        assert len(found) == expected == max(1, cores // threads)
        assert len({name for names, _ in found for name in names}) == expected * min(threads, cores)
    assert [names for names, _ in find_slots(torch.device("mps"), 2)] == [("mps",)]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux only")
def test_cores_are_those_the_process_may_run_on(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7, 3})
    assert [names for names, _ in find_slots(CPU, 1)] == [("core-3",), ("core-7",)]


def test_a_gpu_goes_by_its_uuid_not_by_its_number(gpus, folder):
    with training_slot(GPU, 2, "one") as first:
        assert first == torch.device("cuda", 0)
        assert {file.name for file in folder.iterdir()} == {"gpu-bbb.lock"}
        gpus.reverse()  # as another process sees them
        with training_slot(GPU, 2, "two") as second:
            assert second == torch.device("cuda", 0)
        gpus.reverse()
        with training_slot(GPU, 2, "three") as third:
            assert third == torch.device("cuda", 1)
    with training_slot(GPU, 2, "four") as fourth:
        assert fourth == torch.device("cuda", 0)


def test_who_waits_is_told_for_whom_once_and_again(gpus, monkeypatch, capsys):
    monkeypatch.setattr(slots, "TELL", 20)
    gpus.pop()
    with training_slot(GPU, 2, "train one"):
        clock, looks = iter(range(1000)), iter(range(50))

        def sleep(_):
            if next(looks) == 40:
                raise KeyboardInterrupt

        monkeypatch.setattr(slots, "time", SimpleNamespace(monotonic=clock.__next__, sleep=sleep))
        with pytest.raises(KeyboardInterrupt), training_slot(GPU, 2, "train two"):
            pass
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 2 + 1, "at once, and each time that so much of the 41 looks has passed"
    taken = f"(1 taken: train one, process {os.getpid()})"
    assert set(told) == {f"train two: waiting for a free GPU {taken}"}


def test_a_place_is_free_again_when_its_holder_is_killed(start):
    first = start("train one", 2)
    assert first.stdout.readline() == "has it\n"
    second = start("train two", 2)
    waiting = f"train two: waiting for 2 free cores (1 taken: train one, process {first.pid})\n"
    assert second.stdout.readline() == waiting
    first.send_signal(signal.SIGKILL)
    assert second.stdout.readline() == "has it\n"


def test_a_wide_training_waits_for_a_narrow_one_and_not_the_other_way_round(start):
    narrow = start("narrow", 1)
    assert narrow.stdout.readline() == "has it\n"
    wide = start("wide", 2)
    assert wide.stdout.readline().startswith("wide: waiting for 2 free cores")
    other = start("other", 1)
    assert other.stdout.readline() == "has it\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait(start, number):
    assert start("one", 2).stdout.readline() == "has it\n"
    second = start("two", 2)
    assert second.stdout.readline().startswith("two: waiting")
    second.send_signal(number)
    assert second.stdout.readline() == "interrupted\n"
    assert second.wait() == 0


def test_every_user_can_take_a_lock(folder):
    with training_slot(CPU, 1, "one"):
        (file,) = folder.iterdir()
        assert file.stat().st_mode & 0o777 == 0o666
    assert folder.stat().st_mode & 0o7777 == 0o1777
    assert file.read_text() == "", "nobody has it"


def test_a_folder_that_cannot_be_used_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(FOLDER, str(tmp_path / "file"))
    with (
        pytest.raises(PenstockError, match=rf"file.*set {FOLDER} to one") as caught,
        training_slot(CPU, 1, "one"),
    ):
        pass
    assert not isinstance(caught.value, TemporaryError)


def test_the_train_stage_trains_at_the_place_it_was_given(monkeypatch, gpus, tmp_path):
    """The network is trained on the GPU whose lock was free."""
    trained = []
    params = SimpleNamespace(
        model=None,
        train=SimpleNamespace(accelerator="gpu", threads=1, splits=["train"], seed=0),
        model_dump_json=lambda **_: "",
    )
    dataset = SimpleNamespace(info={"digest": ""}, rows=lambda *_: None)
    module = SimpleNamespace(
        network=lambda *_: torch.nn.Linear(1, 1),
        learner=lambda *_: None,
        source=lambda *_: Whole({}),
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(stage.pipeline, "load", lambda *_: module)
    monkeypatch.setattr(stage, "seed", lambda _: None)
    monkeypatch.setattr(stage, "fit", lambda *arguments: trained.append(arguments[-1]))
    with training_slot(GPU, 1, "another"):
        stage.train_network("any", params, dataset, tmp_path / "checkpoints")
    assert trained == [torch.device("cuda", 1)]


@pytest.mark.pipeline
def test_the_evaluate_stage_waits_for_a_gpu_where_there_is_one(monkeypatch, finished_project):
    """Beside a training it might find no memory left."""
    asked = []

    @contextmanager
    def slot(device, threads, label):
        asked.append((device.type, label))
        yield torch.device("cpu")

    monkeypatch.setattr(evaluation, "choose_device", lambda _: torch.device("cuda"))
    monkeypatch.setattr(evaluation, "training_slot", slot)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    evaluation.evaluate(Workspace.open("mnist", finished_project.root))
    assert asked == [("cuda", "evaluate mnist")]
    assert not torch.backends.cudnn.allow_tf32, "register holds it to what a CPU predicts"
