"""The application: predictions for programs, pages for people, counts for Prometheus."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from .counters import Counters
from .feedback import keep_feedback
from .files import page_of, read_files
from .known import find_known
from .limits import Limits
from .models import Model, Models
from .openapi import describe
from .reading import read_question
from .refusals import Refusal

RESERVED = ("health", "metrics", "models", "pages", "play", "openapi.json")
REPORT = (  # made from what lies in the store, which is not trusted: nothing in it runs
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"
)


def make_app(root: Path, names: list[str], limits: Limits) -> FastAPI:
    """The application that serves champions of a project."""
    models, counters = Models(root, names, limits), Counters()

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        models.loaded = lambda model: _tell_version(counters, model)
        models.start()
        yield
        await asyncio.to_thread(models.stop)

    app = FastAPI(title="Penstock", docs_url=None, redoc_url=None, lifespan=living)
    app.state.models = models
    app.openapi = lambda: describe(models)  # type: ignore[method-assign]
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _not_there)
    _add_pages(app)
    _add_looking(app, models, counters)
    _add_asking(app, models, counters, limits)
    return app


def _tell_version(counters: Counters, model: Model) -> None:
    if model.held:
        counters.version.labels(model.name).set(model.held.about["version"])


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    headers = {"Retry-After": "1"} if error.status == 429 else None
    return JSONResponse({"error": error.reason}, error.status, headers)


async def _not_there(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


def _add_pages(app: FastAPI) -> None:
    """Pages and what they are made of: a file that was not there at the start is not found."""
    files = read_files()

    def page(name: str) -> Response:
        if name not in files:
            raise Refusal(404, "no such page")
        return Response(files[name].content, media_type=files[name].kind)

    app.get("/", include_in_schema=False)(lambda: page("index.html"))
    app.get("/play/{name}", include_in_schema=False)(lambda name: page("play.html"))
    app.get("/pages/{name}", include_in_schema=False)(page)


def _add_looking(app: FastAPI, models: Models, counters: Counters) -> None:
    """What is served, and how well; these come before `/{name}`."""
    files = read_files()

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether the server lives."""
        return {"status": "ok"}

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(counters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/models")
    async def listed() -> list[dict[str, Any]]:
        """Every model: name, version and score, or why it is not there."""
        return [_headline(it) for it in models.known.values()]

    @app.get("/{name}")
    async def about(name: str) -> dict[str, Any]:
        """Model, version, aliases, metrics and signature."""
        model = models[name]
        held = await model.ready()
        number = str(held.about["version"])
        page = page_of(name)
        return {
            **held.about,
            "aliases": sorted(it for it, other in model.aliases.items() if other == number),
            "problem": model.problem,
            "example": held.example,
            "dataset": held.champion.info,
            "page": page if page in files else "generic.js",
        }

    @app.get("/{name}/report", include_in_schema=False)
    def report(name: str) -> Response:
        found = models.report(models[name])
        if found is None:
            raise Refusal(404, f"{name}: the report of this version is not there")
        return Response(found, media_type="text/html", headers={"Content-Security-Policy": REPORT})

    @app.get("/{name}/known/{column}")
    async def known(name: str, column: str, text: str = "", beside: str = "") -> dict[str, Any]:
        """Names that an input may have: those that contain a text, or stand beside one."""
        champion = (await models[name].ready()).champion
        return find_known(champion, column, text[:200], beside)


def _headline(model: Model) -> dict[str, Any]:
    about = model.held.about if model.held else {}
    return {
        "name": model.name,
        "version": about.get("version"),
        "score": about.get("score"),
        "problem": model.problem,
    }


def _add_asking(app: FastAPI, models: Models, counters: Counters, limits: Limits) -> None:
    @app.post("/{name}/predict")
    async def predict(name: str, request: Request) -> Response:
        """Answer raw inputs, a row each."""
        model, begun, status = models[name], time.perf_counter(), "500"
        try:
            held = await model.ready()
            kind = request.headers.get("content-type", "")
            body = await request.body()
            if len(body) > LARGE or not kind.startswith("application/json"):
                question = await asyncio.to_thread(read_question, body, kind, held.champion, limits)
            else:
                question = read_question(body, kind, held.champion, limits)
            answer = await model.ask(question)
            status = "200"
        except Refusal as refusal:
            status = str(refusal.status)
            raise
        finally:
            counters.requests.labels(name, status).inc()
            counters.seconds.labels(name).observe(time.perf_counter() - begun)
        counters.rows.labels(name).observe(answer.batch)
        told = {"name": name, "version": int(answer.version)}
        return as_json({"predictions": answer.predictions, "model": told})

    @app.post("/{name}/feedback")
    async def feedback(name: str, request: Request) -> dict[str, str]:
        """Mark an answer as wrong, with the right one; it is kept, and nothing learns from it."""
        champion = (await models[name].ready()).champion
        try:
            content = json.loads(await request.body())
        except (ValueError, RecursionError):
            raise Refusal(400, "not JSON, or too deep") from None
        file = await asyncio.to_thread(keep_feedback, models.root, champion, content, limits)
        return {"kept": file.relative_to(models.root).as_posix()}


LARGE = 2**16  # bytes of a body that is not read between two other requests


def as_json(content: Any) -> Response:
    """JSON, with bytes in base64 as MLflow has it."""
    text = json.dumps(content, default=lambda value: base64.b64encode(value).decode())
    return Response(text, media_type="application/json")
