"""The `penstock` command: forked from a server that has loaded the libraries, if there is one."""

import sys

from .project import warm


def main() -> None:
    """Run the command line, here or in a process that starts sooner."""
    try:
        status = warm.run_forked(["module", "penstock.cli:main"], ["penstock", *sys.argv[1:]])
    except KeyboardInterrupt:  # before there was a process to pass it on to
        print("penstock: interrupted", file=sys.stderr)
        sys.exit(warm.INTERRUPTED)
    if status is not None:
        warm.end_as(status)
    from .cli import main as run

    run()


if __name__ == "__main__":
    main()
