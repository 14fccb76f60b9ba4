"""`penstock serve`: who is answered, how much, together with whom; and the same as elsewhere."""

import asyncio
import base64
import json
import threading
import time
from types import SimpleNamespace

import httpx
import pandas as pd
import pytest

from penstock.commands.predict import predict_files
from penstock.messages.errors import PenstockError
from penstock.pipeline import Interface, Mean, Score
from penstock.pipeline import names as pipelines
from penstock.project.workspace import Workspace
from penstock.serving.answering import Question, answer_together
from penstock.serving.app import RESERVED, make_app
from penstock.serving.batching import Batcher
from penstock.serving.feedback import keep_feedback
from penstock.serving.files import page_of, read_files
from penstock.serving.guard import Guard
from penstock.serving.limits import Limits
from penstock.serving.reading import read_question, split_form
from penstock.serving.refusals import Refusal
from penstock.serving.server import OWN, read_token
from penstock.tracking import trust
from penstock.tracking.champion import champion_version, load_champion
from penstock.tracking.packaging import signature
from penstock.tracking.standing import example_of
from penstock.tracking.store import connect
from projects import client_of

SCORE = Score("test/accuracy", Mean("correct"))


class Model:
    """Doubles a number; cannot do so with 13."""

    def __init__(self, interface):
        self.metadata = SimpleNamespace(get_input_schema=lambda: signature(interface).inputs)
        self.asked = []

    def predict(self, frame, params=None):
        self.asked.append(len(frame))
        if (frame["number"] == 13).any():
            raise ValueError("13 is no number to double")
        return pd.DataFrame({"double": 2 * frame["number"], "error": ""})


@pytest.fixture
def champion():
    """Without a registry."""
    from penstock.tracking.champion import Champion

    inputs = {"number": "double", "note": "optional string", "image": "optional binary"}
    interface = Interface(inputs, {"double": "double", "error": "string"}, SCORE, {"loud": False})
    served = SimpleNamespace(
        interface=interface, module=SimpleNamespace(), description={"dataset": {}}
    )
    version = SimpleNamespace(name="doubles", version="1")
    return Champion(Model(interface), served, version)


def asked(champion, content, **limits):
    body = json.dumps(content).encode()
    return read_question(body, "application/json", champion, Limits(**limits))


@pytest.mark.parametrize(
    "form",
    [
        {"dataframe_records": [{"number": 1}, {"number": 2.5}]},
        {"dataframe_split": {"columns": ["number"], "data": [[1], [2.5]]}},
        {"inputs": {"number": [1, 2.5]}},
        {"inputs": [{"number": 1}, {"number": 2.5}]},
        {"instances": [{"number": 1}, {"number": 2.5}]},
    ],
)
def test_every_form_of_mlflow_asks_the_same(champion, form):
    question = asked(champion, form)
    (answer,) = answer_together(champion, [question])
    assert [it["double"] for it in answer.predictions] == [2, 5]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "dataframe_records"),
        ({"dataframe_records": []}, "no rows"),
        ({"dataframe_records": [{"note": "x"}]}, "number: missing"),
        ({"dataframe_records": [1]}, "list of rows"),
        ({"dataframe_split": {"columns": ["number"], "data": [[1, 2]]}}, "as many"),
        ({"inputs": {"number": [1, 2], "note": ["x"]}}, "one length"),
        ({"dataframe_records": [{"number": 1, "image": "?"}], "params": []}, "params"),
        ({"dataframe_records": [{"number": 1}], "params": {"lout": True}}, "no such option"),
        ({"dataframe_records": [{"number": 1}], "params": {"loud": 1}}, "expected a bool"),
        ({"dataframe_records": [{"number": 1, "image": 7}]}, "base64"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(champion, content, reason):
    with pytest.raises(Refusal, match=reason) as refused:
        asked(champion, content)
    assert refused.value.status == 400


def test_too_many_rows_and_too_deep_json_are_refused(champion):
    with pytest.raises(Refusal) as refused:
        asked(champion, {"inputs": {"number": [1, 2, 3]}}, rows=2)
    assert refused.value.status == 413
    with pytest.raises(Refusal, match="too deep"):
        read_question(b"[" * 200_000, "application/json", champion, Limits())
    with pytest.raises(Refusal) as refused:
        read_question(b"{}", "text/plain", champion, Limits())
    assert refused.value.status == 415, "a form of another site's page cannot ask"


def form_of(*fields):
    lines = []
    for head, content in fields:
        lines += [b"--x", b"Content-Disposition: form-data; " + head.encode(), b"", content]
    return b"\r\n".join([*lines, b"--x--", b""])


def test_a_form_keeps_every_byte_of_its_files():
    every = bytes(range(256)) + b"\r\n--y\r\n\r\n--"
    body = form_of(('name="a"; filename="../../b.png"', every), ('name="c"', b"7"))
    one, other = split_form(body, "multipart/form-data; boundary=x")
    assert (one.name, one.content) == ("a", every)
    assert (other.name, other.file, other.content) == ("c", None, b"7")


@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n\r\n--x--", form_of()[:-5]])
def test_a_form_that_is_cut_off_is_refused(body):
    with pytest.raises(PenstockError):
        split_form(body, "multipart/form-data; boundary=x")


def test_a_form_asks_by_columns_and_its_files_have_no_paths(champion):
    fields = ('name="number"', b"4"), ('name="loud"', b"true")
    kind = "multipart/form-data; boundary=x"
    question = read_question(form_of(*fields), kind, champion, Limits())
    assert question.rows == [{"number": 4}]
    assert question.options == {"loud": True}
    seen = []
    champion.served.module.read_input = lambda file, info: (
        seen.append(file) or pd.DataFrame({"number": [float(file.read_text())]})
    )
    for name in ("../../etc/passwd", "a/b", "..", "x\x00y", 'C:\\z"'):
        body = form_of((f'name="file"; filename="{name}"', b"5"))
        (answer,) = answer_together(champion, [read_question(body, kind, champion, Limits())])
        assert answer.predictions[0]["double"] == 10
    assert len({it.parent for it in seen}) == len(seen)
    assert all(not it.parent.exists() for it in seen), "nothing stays behind"


def test_a_question_that_cannot_be_answered_takes_no_other_with_it(champion):
    questions = [Question([{"number": it}]) for it in (1, 13, 3)]
    one, bad, three = answer_together(champion, questions)
    assert one.predictions[0]["double"] == 2
    assert three.predictions[0]["double"] == 6
    assert isinstance(bad, Refusal)
    assert bad.status == 400
    assert "13 is no number" in bad.reason


def test_questions_with_other_columns_or_options_are_asked_apart(champion):
    questions = [
        Question([{"number": 1}]),
        Question([{"number": 2}]),
        Question([{"number": 3, "note": "x"}]),
        Question([{"number": 4}], options={"loud": True}),
    ]
    answers = answer_together(champion, questions)
    assert sorted(champion.model.asked) == [1, 1, 2]
    assert [it.predictions[0]["double"] for it in answers] == [2, 4, 6, 8]


def test_questions_that_arrive_together_are_answered_together():
    batches = []
    first, goes_on = threading.Event(), threading.Event()

    def answer(questions):
        batches.append(questions)
        first.set()
        goes_on.wait()
        return questions

    async def ask():
        batcher = Batcher("x", answer, Limits(batch=4))
        one = asyncio.create_task(batcher.ask(0, 1))
        await asyncio.to_thread(first.wait)
        others = [asyncio.create_task(batcher.ask(it, 1)) for it in range(1, 7)]
        await asyncio.sleep(0)
        goes_on.set()
        return await asyncio.gather(one, *others)

    assert asyncio.run(ask()) == list(range(7))
    assert batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_too_many_requests_are_refused_and_late_ones_are_ended():
    def answer(questions):
        if "for ever" in questions:
            while True:
                time.sleep(0.01)
        return questions

    async def ask():
        batcher = Batcher("x", answer, Limits(waiting=2, seconds=0.5))
        tasks = [asyncio.create_task(batcher.ask("for ever", 1)) for _ in range(3)]
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        while True:  # the thread ends what took too long, and is there for others
            try:
                return ends, await batcher.ask("next", 1)
            except Refusal:
                continue

    ends, answered = asyncio.run(ask())
    assert sorted(it.status for it in ends) == [429, 504, 504]
    assert answered == "next"


async def echo(scope, receive, send):
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def request(guard, method="GET", path="/x", **options):
    async def ask():
        transport = httpx.ASGITransport(app=guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8") as client:
            return await client.request(method, path, **options)

    return asyncio.run(ask())


def test_the_guard_knows_hosts_pages_and_sizes():
    guard = Guard(echo, OWN, None, Limits(body=100))
    assert request(guard, "POST", content=b"abc").content == b"abc"
    assert request(guard, headers={"Host": "evil.example"}).status_code == 421
    assert request(guard, headers={"Host": "127.0.0.1.evil.example:8"}).status_code == 421
    own = {"Origin": "http://127.0.0.1:8", "Sec-Fetch-Site": "same-origin"}
    assert request(guard, "POST", headers=own).status_code == 200
    for wrong in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert request(guard, "POST", headers=wrong).status_code == 403, wrong
    assert request(guard, "POST", content=b"x" * 101).status_code == 413

    async def parts():
        for _ in range(1000):
            yield b"x" * 10

    refused = request(guard, "POST", content=parts())
    assert refused.status_code == 413, "without an announced length too"
    assert "default-src 'none'" in refused.headers["content-security-policy"]
    assert guard._held == 0, "what was refused is not counted any more"


def test_a_token_is_asked_for_and_kept_by_the_browser(tmp_path):
    token = read_token(tmp_path)
    assert token == read_token(tmp_path)
    assert (tmp_path / ".penstock" / "token").stat().st_mode & 0o077 == 0
    guard = Guard(echo, None, token, Limits())
    assert request(guard).status_code == 401
    assert request(guard, headers={"Authorization": "Bearer x"}).status_code == 401
    assert request(guard, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert request(guard, path="/health").status_code == 200
    assert request(guard, path="/?token=x").status_code == 401
    opened = request(guard, path=f"/?token={token}")
    assert opened.status_code == 303
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert request(guard, headers={"Cookie": cookie.partition(";")[0]}).status_code == 200


def test_a_client_that_is_slow_to_send_is_not_waited_for():
    guard = Guard(echo, OWN, None, Limits(sending=0.2))

    async def ask():
        sent, never = [], asyncio.Event()

        async def receive():
            await never.wait()

        async def send(message):
            sent.append(message)

        headers = [(b"host", b"127.0.0.1")]
        scope = {"type": "http", "method": "POST", "path": "/x", "headers": headers}
        await guard(scope, receive, send)
        return sent[0]["status"]

    assert asyncio.run(ask()) == 408


def test_marks_are_kept_for_their_owner_and_leave_no_folder(tmp_path, champion):
    champion.info["classes"] = ["a", "../../b"]
    champion.interface.outputs["label"] = "string"
    image = base64.b64encode(b"\x89PNG...").decode()
    mark = {"input": {"number": 1, "image": image}, "answer": {}, "version": 1}
    for right, place in (("a", "raw/a"), ("../../b", "raw/_")):
        file = keep_feedback(tmp_path, champion, {**mark, "right": right}, Limits())
        record = json.loads(file.read_text())
        kept = file.parent / record["files"]["image"]
        assert kept.parent == tmp_path / "data" / "feedback" / "doubles" / place
        assert kept.read_bytes() == b"\x89PNG..."
        assert (record["input"], record["right"]) == ({"number": 1}, right)
        assert file.stat().st_mode & 0o077 == kept.stat().st_mode & 0o077 == 0
    for wrong in (
        {**mark, "right": "c"},
        {**mark, "right": ""},
        {**mark, "right": "a", "version": "1"},
        {**mark, "right": "a", "input": {"other": 1}},
        {**mark, "right": "a", "input": {"image": 7}},
        [],
    ):
        with pytest.raises(Refusal):
            keep_feedback(tmp_path, champion, wrong, Limits())
    with pytest.raises(Refusal, match="kept already"):
        keep_feedback(tmp_path, champion, {**mark, "right": "a"}, Limits(kept=2))


def test_pages_take_nothing_from_elsewhere_and_never_parse_html():
    assert {"index.html", "play.html", "generic.js", page_of("mnist")} <= read_files().keys()
    for file, page in read_files().items():
        text = page.content.decode().replace("http://www.w3.org/2000/svg", "")
        for bad in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert bad not in text, file
        assert "http:" not in text, file
        assert "https:" not in text, file
        assert " style=" not in text, file


def test_no_pipeline_has_the_name_of_a_page():
    assert not set(RESERVED) & set(pipelines())


@pytest.fixture(scope="module")
def served(finished_project):
    """The finished project's champion, behind the application as a server has it."""
    return Serving(finished_project)


class Serving:
    """An application in this process, with its own event loop and lifespan."""

    def __init__(self, project, **limits):
        self.project = project
        self.app = make_app(project.root, ["mnist"], Limits(**limits))
        self.guard = Guard(self.app, OWN, None, Limits(**limits))

    def run(self, questions):
        async def all_of_it():
            async with self.app.router.lifespan_context(self.app):
                transport = httpx.ASGITransport(app=self.guard)
                async with httpx.AsyncClient(
                    transport=transport, base_url="http://localhost", timeout=None
                ) as client:
                    return await questions(client)

        return asyncio.run(all_of_it())


@pytest.mark.pipeline
def test_answers_are_those_of_predict_and_of_mlflow(served, tmp_path):
    project = served.project
    client = connect(project.root)
    champion = load_champion(project.root, client, champion_version(client, "mnist"))
    example = json.loads(example_of(project.root, client, champion))
    images = [base64.b64decode(row[0]) for row in example["dataframe_split"]["data"]]
    files = [tmp_path / f"{it}.png" for it in range(len(images))]
    for file, image in zip(files, images, strict=True):
        file.write_bytes(image)
    predicted = predict_files(Workspace.open("mnist", project.root), files, [])
    pyfunc = champion.model.predict(pd.DataFrame({"image": images}))

    async def questions(client):
        form = [("file", (it.name, it.read_bytes())) for it in files]
        return [
            await client.post("/mnist/predict", json=example),
            await client.post("/mnist/predict", files=form),
            await client.post("/mnist/predict", files={"image": images[0]}),
            await client.post("/mnist/predict", files={"file": ("bomb.png", b"no image")}),
            await client.get("/mnist"),
            await client.get("/openapi.json"),
            await client.get("/metrics"),
            await client.get("/mnist/report"),
            await client.get("/pages/../app.py"),
            await client.get("/pages/%2e%2e%2fapp.py"),
            await client.get("/speech"),
        ]

    answers = served.run(questions)
    by_json, by_file, single, bad, about, api, counts, report, *strange = answers
    for answer in (by_json, by_file):
        rows = answer.json()["predictions"]
        assert [it["label"] for it in rows] == [it["label"] for it in predicted]
        assert [it["probabilities"] for it in rows] == [it["probabilities"] for it in predicted]
        assert [it["probabilities"] for it in rows] == [list(it) for it in pyfunc["probabilities"]]
    alone = single.json()["predictions"][0]["probabilities"]
    assert alone == pytest.approx(predicted[0]["probabilities"], abs=1e-4)
    assert "not an image" in bad.json()["predictions"][0]["error"]
    assert about.json()["version"] == 1
    assert set(about.json()["aliases"]) == {"challenger", "champion"}
    assert about.json()["page"] == "page-mnist.js"
    assert api.json()["paths"]["/mnist/predict"]["post"]["requestBody"]["content"][
        "application/json"
    ]["example"]
    assert 'penstock_requests_total{model="mnist",status="200"} 4.0' in counts.text
    assert report.headers["content-security-policy"].startswith("sandbox;")
    assert [it.status_code for it in strange] == [404, 404, 404]


@pytest.mark.pipeline
def test_a_promotion_is_taken_up_and_a_changed_model_is_not(project):
    project.run("penstock", "run", "mnist", "-S", "train.seed=7", "--register")
    registry = client_of(project)
    numbers = sorted(int(it.version) for it in registry.search_model_versions("name = 'mnist'"))
    assert numbers == [1, 2]
    now = int(registry.get_model_version_by_alias("mnist", "champion").version)
    other = 3 - now

    async def questions(client):
        example = (await client.get("/mnist")).json()["example"]
        seen, ended = [], asyncio.Event()

        async def ask():
            while not ended.is_set():
                answer = await client.post("/mnist/predict", json=example)
                seen.append((answer.status_code, answer.json().get("model", {}).get("version")))

        clients = [asyncio.create_task(ask()) for _ in range(4)]
        while not seen:
            await asyncio.sleep(0.05)
        registry.set_registered_model_alias("mnist", "champion", str(other))
        while seen[-1][1] != other:
            await asyncio.sleep(0.05)
        ended.set()
        await asyncio.gather(*clients)
        record = trust.record_file(project.root, "mnist", now)
        known = json.loads(record.read_text())
        known["files"]["MLmodel"] = "0" * 64
        record.write_text(json.dumps(known))
        registry.set_registered_model_alias("mnist", "champion", str(now))
        while not (problem := (await client.get("/models")).json()[0]["problem"]):
            await asyncio.sleep(0.05)
        return seen, problem, (await client.post("/mnist/predict", json=example)).json()

    seen, problem, last = Serving(project).run(questions)
    assert {status for status, _ in seen} == {200}
    versions = [version for _, version in seen]
    assert versions == sorted(versions, reverse=now > other), "answers switch once"
    assert set(versions) == {1, 2}
    assert f"mnist v{now}" in problem
    assert last["model"]["version"] == other, "the one that was loaded goes on"
