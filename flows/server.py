"""Prefect's server, for its own page and for who has the password; `penstock up` starts it.

As `prefect server start`, but for two doors that Prefect leaves open: it serves whatever name the
request gives as its host, so that a web page could reach it through a name of its own
(DNS rebinding), and it lets the pages of any site read its answers.
"""

import os
import sys
from pathlib import Path

from penstock.project.workspace import find_root
from penstock.supervision.services import server_settings

HOST = "127.0.0.1"
NAMES = [HOST, "localhost"]


def main(port: int) -> None:
    """Serve until the process is ended."""
    os.environ |= {
        **server_settings(find_root(Path(__file__).parent)),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{it}:{port}" for it in NAMES),
        "PREFECT_UI_API_URL": "/api",  # by whichever of its names the page was opened
    }
    import uvicorn
    from prefect.server.api.server import create_app
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    app = create_app(final=True)
    # Around the app, not in it: the server's own automations ask it by another name.
    guarded = TrustedHostMiddleware(app, allowed_hosts=NAMES)
    uvicorn.run(guarded, host=HOST, port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))
