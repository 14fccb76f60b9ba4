"""The command line: thin; each command imports what it needs when it runs."""

import base64
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .messages.errors import ERROR, TEMPORARY, PenstockError, TemporaryError, raise_if_temporary
from .project.processes import (
    INTERRUPTED,
    PARENT,
    end_tidily_on_sigterm,
    end_with_parent,
    run_whole,
)

app = typer.Typer(
    name="penstock",
    help="Raw files to registered models: ingest, validate, train, evaluate, register.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Pipelines = Annotated[
    list[str] | None,
    typer.Argument(help="Pipelines, side by side if several; none named means all."),
]
Pipeline = Annotated[str, typer.Argument(help="Name of a pipeline, mnist say.", show_default=False)]


@app.command(rich_help_panel="Everything")
def run(
    names: Pipelines = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "-S", "--set", help="Try another setting, train.max_epochs=3 say; repeatable."
        ),
    ] = None,
    to_registry: Annotated[
        bool, typer.Option("--register", help="With -S: register the model too.")
    ] = False,
) -> None:
    """Bring all five stages up to date through DVC, then the registry.

    Runs only what is stale; several pipelines side by side, with a table at the end. Each then
    compares the registry with what register last decided, and restores it where it was lost.

    With -S, runs the plain stages in a scratch folder instead, with an MLflow run of their own:
    params.yaml, dvc.lock and the registry stay as they are.
    """
    from .project.workspace import find_root

    if to_registry and not settings:
        raise PenstockError("--register goes with -S; without it every run registers")
    root = find_root()
    chosen = _chosen(names)
    if settings and len(chosen) > 1:
        raise PenstockError(f"-S goes with one pipeline; named are {', '.join(chosen)}; name one")
    if settings:
        from .running.overrides import run_overridden

        run_overridden(chosen[0], root, settings, to_registry)
    elif len(chosen) > 1:
        from .running.together import run_together

        run_together(chosen, root)
    else:
        from .running.repro import run_pipeline

        run_pipeline(_open(chosen[0]))


@app.command(rich_help_panel="Everything")
def look(
    name: Pipeline,
    settings: Annotated[
        list[str] | None,
        typer.Option("-S", "--set", help="Another setting, source=my/folder say; repeatable."),
    ] = None,
    pin: Annotated[
        bool,
        typer.Option(
            "--pin",
            help="Write what the columns of a table are to params.yaml, with the settings of -S.",
        ),
    ] = False,
) -> None:
    """Show what would be read from the source, and what is doubtful; nothing is kept.

    As which classes, in which splits and groups, with three examples each; what is rejected, and
    which expectations are not met.
    """
    from .commands.look import look as show_source
    from .project.workspace import find_root

    show_source(name, find_root(), settings or [], pin)


@app.command(rich_help_panel="Everything")
def crossval(
    name: Pipeline,
    folds: Annotated[
        int | None, typer.Option(help="How many folds; 5 where --by is not given.", min=2)
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="Keep examples together by this column of the index, speaker say. Without "
            "--folds, each of its values is a fold. Otherwise by group, sha256 or id.",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "-S", "--set", help="Another setting of model, train or evaluate; repeatable."
        ),
    ] = None,
) -> None:
    """Cross-validate: train and evaluate once per fold, no group in two folds.

    Deals out all examples of what the source holds now, whatever split they are in. Metrics
    per fold, their mean and deviation go to the terminal, to data/NAME/crossval.csv and to MLflow:
    a run for the whole, with a child per fold. Outputs, dvc.lock and registry stay as they are.
    """
    from .commands.crossval import crossvalidate
    from .project.workspace import find_root

    crossvalidate(name, find_root(), folds, by, settings or [])


@app.command(rich_help_panel="Everything")
def flow(
    names: Pipelines = None,
) -> None:
    """Do the same as a Prefect flow, a task for each stage; needs no server set up beforehand.

    It is run by the server that PREFECT_API_URL names, or that `penstock up` started. Without one
    it starts a server for itself, which takes seconds.
    """
    from .project.workspace import find_root

    root = find_root()
    chosen = _chosen(names)
    os.chdir(root)
    from .supervision.pool import HEARTBEAT
    from .supervision.prefect_api import api_url
    from .supervision.services import environment, server_settings

    if url := api_url(root):
        os.environ |= environment(root, url)
        os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", str(HEARTBEAT))
    else:  # for the server that Prefect starts for this run
        os.environ |= server_settings(root)
        os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # not 20
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    raise typer.Exit(run_whole([sys.executable, "flows/here.py", *chosen]))


@app.command(rich_help_panel="Service")
def up(
    prefect_port: Annotated[int, typer.Option(help="Port of the Prefect server.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow.")] = 5000,
    serve_port: Annotated[int, typer.Option(help="Port of the playground.")] = 8000,
) -> None:
    """Start what runs pipelines by itself: Prefect server, MLflow, a worker, the deployments.

    And the playground, `penstock serve`.

    In the background, on this machine, for this project; only what does not run yet. Servers that
    PREFECT_API_URL and MLFLOW_TRACKING_URI name are used instead.
    """
    from .messages.terminal import show
    from .project.login import FOLDER
    from .project.workspace import find_root
    from .supervision.status import services_of
    from .supervision.up import up as start

    root = find_root()
    url = start(root, prefect_port, mlflow_port, serve_port, typer.echo)
    rows = services_of(root)
    show(_rows_table(rows))
    pages = [row["address"] for row in rows[:3] if row["address"]]
    typer.echo(f"\nOpen         {'   '.join(pages)}")
    typer.echo(f"Log in       as {FOLDER}/login.env says; Prefect asks for user:password in one")
    typer.echo(f"Other tools  set -a; . {FOLDER}/login.env; PREFECT_API_URL={url}")


@app.command(rich_help_panel="Service")
def ui(port: Annotated[int, typer.Option(help="Port of MLflow.")] = 5000) -> None:
    """Show runs and registry in MLflow until Ctrl-C; the pages ask for the login it prints.

    `penstock up` shows the same in the background.
    """
    from .project.login import USER, read_login
    from .project.workspace import find_root
    from .tracking.pages import serve

    root = find_root()
    password = read_login(root)["MLFLOW_TRACKING_PASSWORD"]
    if sys.stdout.isatty():  # not into a log
        typer.echo(f"http://127.0.0.1:{port}, user {USER}, password {password}")
    serve(root, port)


@app.command(rich_help_panel="Service")
def serve(
    names: Annotated[
        list[str] | None, typer.Argument(help="Pipelines; none named means all.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port.")] = 8000,
    workers: Annotated[
        int, typer.Option(help="Processes, each with all models in its memory.", min=1)
    ] = 1,
) -> None:
    """Serve champions until Ctrl-C: a page for each in the browser, an address for programs.

    POST /NAME/predict answers files or JSON as `penstock predict` does; a promotion is taken up
    while it runs. `penstock up` does the same in the background.
    """
    from .project.workspace import find_root
    from .serving.server import OWN, read_token
    from .serving.server import serve as start
    from .settings.file import PARAMS_FILE, list_pipelines

    root = find_root()
    # A model needs no settings to be served: those of one pipeline that are wrong stop no other.
    chosen = _chosen(names) if names else list_pipelines(root / PARAMS_FILE)
    if sys.stdout.isatty():  # not into a log
        token = "" if host in OWN else f"/?token={read_token(root)}"
        typer.echo(f"http://{host}:{port}{token}")
    start(root, chosen, host, port, workers)


@app.command(rich_help_panel="Service")
def down() -> None:
    """Stop what `penstock up` started: flow runs, worker, playground, MLflow, Prefect server."""
    from .project.workspace import find_root
    from .supervision.down import down as stop

    stopped = stop(find_root())
    typer.echo("\n".join(f"stopped: {it}" for it in stopped) or "nothing is running")


@app.command(rich_help_panel="Service")
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what runs, what has run and how it ended, what is due, and which stages are stale."""
    from .messages.terminal import show
    from .project.workspace import find_root
    from .supervision.status import status as ask

    found = ask(find_root())
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    if not any(row["address"] for row in found["services"]):
        typer.echo("nothing is running; `penstock up` starts it")
    for rows in found.values():
        if rows:
            show(_rows_table(rows))
            typer.echo()


@app.command(rich_help_panel="Service")
def deploy() -> None:
    """Apply prefect.yaml: which flows Prefect runs, and when."""
    from .project.workspace import find_root
    from .supervision.deployments import deploy as apply

    typer.echo("\n".join(f"deployed: {name}" for name in apply(find_root())))


def _rows_table(rows: list[dict[str, Any]]) -> Any:
    from .messages.terminal import add_row, make_table

    table = make_table(*rows[0])
    for row in rows:
        cells = (", ".join(it) if isinstance(it, list) else str(it) for it in row.values())
        add_row(table, *cells)
    return table


@app.command(rich_help_panel="Stages")
def inputs(name: Pipeline) -> None:
    """Write settings and a digest of each stage's code: what DVC finds changes of these by."""
    with _open(name).exclusive() as workspace:
        from .running.inputs import write_inputs

        write_inputs(workspace)


@app.command(rich_help_panel="Stages")
def ingest(name: Pipeline) -> None:
    """Read the raw files into a dataset; reject what cannot be taken, with the reason."""
    with _open(name).exclusive() as workspace:
        from .stages.ingest import ingest as stage

        stage(workspace)


@app.command(rich_help_panel="Stages")
def validate(
    name: Pipeline,
    data_docs: Annotated[
        Path | None,
        typer.Option(help="Also write Great Expectations' Data Docs here; they need a CDN."),
    ] = None,
) -> None:
    """Check that the dataset is fit to learn from; a critical failure exits with 1."""
    with _open(name).exclusive() as workspace:
        from .stages.validate import validate as stage

        stage(workspace, data_docs)


@app.command(rich_help_panel="Stages")
def train(name: Pipeline) -> None:
    """Train the network, on a GPU where there is one."""
    with _open(name).exclusive() as workspace:
        from .stages.train import train as stage

        stage(workspace)


@app.command(rich_help_panel="Stages")
def evaluate(name: Pipeline) -> None:
    """Score the model on the test split; write metrics, figures and report.html."""
    with _open(name).exclusive() as workspace:
        from .stages.evaluate import evaluate as stage

        stage(workspace)


@app.command(rich_help_panel="Stages")
def register(name: Pipeline) -> None:
    """Package the model, prove that it loads and predicts, and pass it through the gate."""
    with _open(name).exclusive() as workspace:
        from .stages.register import register as stage

        stage(workspace)


@app.command(rich_help_panel="Sources")
def sample(name: Pipeline) -> None:
    """Make the pipeline's sample data in data/samples/NAME: offline, the same bytes each time."""
    from .project.workspace import find_root
    from .sources.sample import make_sample

    make_sample(name, find_root())


@app.command(rich_help_panel="Sources")
def download(
    name: Annotated[str, typer.Argument(help="A dataset of data/downloads.yaml.")],
) -> None:
    """Download a public dataset into data/downloads/NAME, resuming and checking every file."""
    from .project.workspace import find_root
    from .sources.download import download as fetch

    root = find_root()
    fetch(name, root / "data" / "downloads" / name, root / "data" / "downloads.yaml")


@app.command(rich_help_panel="Everything")
def clean(
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what may go; otherwise only show it.")
    ] = False,
    days: Annotated[
        int, typer.Option(help="Artifacts of unregistered runs may go when older.", min=0)
    ] = 30,
) -> None:
    """Show what takes space, and remove what nothing needs if asked.

    Never what dvc.lock needs, here or on a branch or tag, nor what a registered version needs.
    """
    from .commands.clean import clean as measure
    from .messages.terminal import show

    show(measure(days, remove))
    if not remove:
        typer.echo("nothing was removed; `penstock clean --remove` removes what may go")


@app.command(rich_help_panel="Looking")
def params(
    name: Pipeline,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Print a section of params.yaml, all at defaults.")
    ] = False,
) -> None:
    """Show the effective settings of a pipeline, with their meaning."""
    from .settings import explanation as params_help

    if defaults:
        typer.echo(params_help.write_yaml(name, params_help.default_params(name)))
        return
    from .messages.terminal import add_row, make_table, show

    table = make_table("setting", "value", "meaning")
    for row in params_help.describe(_open(name).params):
        add_row(table, *row)
    show(table)


@app.command(rich_help_panel="Looking")
def names() -> None:
    """List the pipelines there are."""
    from .pipeline import names as known

    typer.echo("\n".join(known()))


@app.command(hidden=True)
def schema() -> None:
    """Print the JSON schema of params.yaml (kept in docs/params.schema.json)."""
    from .settings.explanation import schema as make

    typer.echo(json.dumps(make(), indent=2))


@app.command(rich_help_panel="Looking")
def runs(
    name: Pipeline,
    count: Annotated[int, typer.Option(help="How many of the newest runs.", min=1)] = 20,
) -> None:
    """List the pipeline's runs: when, model, metrics, registered version and aliases."""
    workspace = _open(name)
    from .messages.terminal import show
    from .tracking.listing import runs_table

    show(runs_table(workspace, count))


@app.command(rich_help_panel="Looking")
def predict(
    name: Pipeline,
    files: Annotated[list[Path], typer.Argument(help="Raw inputs, image files say.")],
    options: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--option",
            help="What the pipeline can answer beyond the prediction, gradcam=true say; "
            "repeatable.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Write each picture of the answer into this folder.", metavar="FOLDER"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")] = False,
    csv: Annotated[
        Path | None,
        typer.Option(help="Write the answers to this CSV file, each beside its input."),
    ] = None,
) -> None:
    """Predict with the champion; exits with 1 if a file could not be read.

    Binary values, pictures say, are base64 in JSON. On a terminal, a text that goes on is shown
    as it is written.
    """
    workspace = _open(name)
    from .commands.predict import predict_files, save_binaries, stream_answer, write_csv
    from .messages.printable import printable
    from .messages.terminal import show

    if sys.stdout.isatty() and len(files) == 1 and not (save or csv or as_json):
        parts = stream_answer(workspace, files[0], options or [])
        if parts is not None:
            for part in parts:
                typer.echo("\n".join(map(printable, part.split("\n"))), nl=False)
            typer.echo()
            return
    rows = predict_files(workspace, files, options or [], pictures=save is not None)
    if save:
        save_binaries(rows, save)
    if csv:
        write_csv(rows, csv)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, default=lambda value: base64.b64encode(value).decode()))
    elif csv:
        typer.echo(f"{csv}: {len(rows):,} rows")
    else:
        show(_prediction_table(rows))
    if any(row.get("error") for row in rows):
        raise typer.Exit(1)


@app.command(rich_help_panel="Looking")
def chat(
    name: Annotated[str, typer.Argument(help="A pipeline that replies.")] = "dialogue",
    options: Annotated[
        list[str] | None,
        typer.Option("-o", "--option", help="As of `predict`: seed=1 say; repeatable."),
    ] = None,
) -> None:
    """Talk with the champion; it sees the last turns.

    /why shows the nearest training contexts and how near they are, /reset forgets what was said;
    Ctrl-D and Ctrl-C end.
    """
    from .commands.chat import chat as talk

    talk(_open(name), options or [])


@app.command(rich_help_panel="Looking")
def gtp(
    name: Annotated[str, typer.Argument(help="A pipeline whose models play Go.")] = "go",
    version: Annotated[
        int | None, typer.Option(help="A version of the registry in place of the champion.", min=1)
    ] = None,
) -> None:
    """Play Go with the champion by the Go Text Protocol, version 2.

    For programs that show a board: Sabaki, GoGui, a script. Commands come in, responses go out.
    """
    workspace = _open(name)
    from .tracking.champion import load_current

    champion = load_current(workspace.root, workspace.name, version)
    for response in champion.converse(iter(sys.stdin.readline, "")):
        sys.stdout.write(response)
        sys.stdout.flush()


Version = Annotated[int, typer.Argument(help="A version of the registry.", min=1)]


@app.command(rich_help_panel="Registry")
def trust(name: Pipeline, version: Version) -> None:
    """Accept a registered version that this project has no record of, or another one.

    A registered model runs Python code of its own where it is loaded. What `penstock register` made
    here is known; a version that a colleague registered, or whose files changed, is loaded only
    after this. Accept only what you know the maker of. Shows run, place and files with the start of
    their SHA-256.
    """
    workspace = _open(name)
    from .tracking.trust import accept_version

    typer.echo(accept_version(workspace, version))


@app.command(rich_help_panel="Registry")
def promote(name: Pipeline, version: Version) -> None:
    """Make a version champion by hand: go back to a former one, or after somebody moved the alias.

    It must be as it was registered here, or accepted; the gate is not asked.
    """
    workspace = _open(name)
    from .tracking.trust import promote_version

    typer.echo(promote_version(workspace, version))


def _prediction_table(rows: list[dict[str, Any]]) -> Any:
    from .messages.terminal import add_row, make_table

    columns = [
        name
        for name in rows[0]
        if any(row[name] is not None for row in rows)
        and all(_can_be_shown(row[name], row) for row in rows)
    ]
    table = make_table(*columns)
    for row in rows:
        add_row(table, *(_cell(row[name]) for name in columns))
    return table


def _can_be_shown(value: Any, row: dict[str, Any]) -> bool:
    """Not long lists of numbers; but those that stand beside as many words, line by line."""
    words = {len(it) for it in row.values() if isinstance(it, list) and it and not _is_numbers(it)}
    return not _is_numbers(value) or len(value) in words


def _cell(value: Any) -> str | list[str]:
    from .commands.predict import binary_kind

    if isinstance(value, bytes):
        return f"{binary_kind(value)}, {max(1, round(len(value) / 1000))} KB"
    if isinstance(value, list):
        return [it if isinstance(it, str) else f"{it:.4g}" for it in value]
    return f"{value:.4f}" if isinstance(value, float) else str(value or "")


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and not all(isinstance(it, str) for it in value)


def _chosen(names: list[str] | None) -> list[str]:
    """The pipelines that are named, each once, or all; what is wrong with one is said at once."""
    from .project.workspace import find_root
    from .settings.file import PARAMS_FILE, list_pipelines

    chosen = list(dict.fromkeys(names or list_pipelines(find_root() / PARAMS_FILE)))
    for name in chosen:
        _open(name)
    return chosen


def _open(name: str) -> Any:
    from .project.workspace import Workspace

    return Workspace.open(name)


def _run_app() -> None:
    try:
        app()
    except OSError as error:
        raise_if_temporary(error, " ".join(["penstock", *sys.argv[1:]]))
        raise


def main() -> None:
    """Run the command line; what a user can mend, or what may pass, is a line, not a traceback."""
    end_tidily_on_sigterm()
    if "DVC_STAGE" in os.environ or PARENT in os.environ:
        end_with_parent()
    try:
        _run_app()
    except PenstockError as error:
        for line in str(error).split("\n"):
            print(f"{ERROR}{line}", file=sys.stderr)
        sys.exit(TEMPORARY if isinstance(error, TemporaryError) else 1)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            print("penstock: interrupted", file=sys.stderr)
        raise
