"""Runs a flow here and now, for `penstock flow NAME ...`: one pipeline, or several side by side.

Without a Prefect server it starts one for itself.
"""

import atexit
import sys
from typing import Any

from prefect import tags
from prefect.exceptions import TerminationSignal

from fleet import fleet
from penstock.messages.printable import printable
from penstock.project.processes import (
    INTERRUPTED,
    end_children,
    end_tidily_on_sigterm,
    end_with_parent,
)
from penstock.running.notification import take_address
from penstock.supervision import TAG
from pipeline import pipeline


def main(names: list[str]) -> None:
    """Run; exits with 1 and the reason if a pipeline failed."""
    end_with_parent()
    end_tidily_on_sigterm()
    take_address()
    atexit.register(end_children)  # after Prefect has stopped the server it started for this run
    state: Any
    try:
        with tags(TAG):
            if len(names) == 1:
                state = pipeline(*names, return_state=True)
            else:
                state = fleet(names, return_state=True)
    except (KeyboardInterrupt, TerminationSignal):  # the latter if SIGTERM comes while it tidies up
        sys.exit(INTERRUPTED)
    except RuntimeError as error:
        if "ephemeral Prefect" not in str(error):
            raise
        print(
            f"penstock: error: Prefect: {printable(str(error).splitlines()[0])} The machine may be "
            "busy: try again, or start a server first: `penstock up`",
            file=sys.stderr,
        )
        sys.exit(1)
    if not state.is_completed():
        print(f"penstock: error: {printable(str(state.message))}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
