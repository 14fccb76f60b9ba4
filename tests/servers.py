"""What tests of services share: ports, patience, a webhook, questions to a Prefect server."""

import http.server
import json
import socket
import threading
import time
from contextlib import closing

import requests

from penstock.project.login import PREFECT, read_login


def free_port():
    """A port that nobody has."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(happens):
    """What a question answers as soon as that is something; pytest's own limit is the only one."""
    while not (found := happens()):
        time.sleep(0.2)
    return found


def answers(address):
    """Whether a web server is well."""
    try:
        return requests.get(address, timeout=2).ok
    except requests.RequestException:
        return False


class Webhook(http.server.ThreadingHTTPServer):
    """Keeps what is posted to it."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Keeper)
        self.address = f"http://127.0.0.1:{self.server_port}/secret"
        self.messages = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Keeper(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.server.messages.append(json.loads(self.rfile.read(length)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Prefect:
    """The server of a project, asked as its UI asks."""

    def __init__(self, project, port):
        self.project = project
        self.api = f"http://127.0.0.1:{port}/api"

    def request(self, method, path, body):
        """Send a request, logged in as the owner."""
        login = tuple(read_login(self.project.root)[PREFECT].split(":"))
        address = f"{self.api}/{path}"
        for _ in range(30):
            answer = requests.request(method, address, json=body, auth=login, timeout=30)
            if answer.status_code != 503:  # while something else writes to its database
                break
            time.sleep(0.5)
        return answer

    def ask(self, method, path, **body):
        answer = self.request(method, path, body)
        answer.raise_for_status()
        return answer.json()

    def start(self, deployment, **parameters):
        """Create a run of a deployment, due now; answer its id."""
        found = self.ask("GET", f"deployments/name/{deployment}")
        due = {"type": "SCHEDULED"}
        path = f"deployments/{found['id']}/create_flow_run"
        return self.ask("POST", path, state=due, parameters=parameters)["id"]

    def finished(self, run):
        """The state that a run ended in."""
        ends = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

        def state():
            found = self.ask("GET", f"flow_runs/{run}")["state"]
            return found if found["type"] in ends else None

        return wait_for(state)

    def find(self, what, **question):
        return self.ask("POST", f"{what}/filter", **question)

    def table(self, key):
        newest = self.find("artifacts/latest", artifacts={"key": {"any_": [key]}})
        return json.loads(newest[0]["data"])
