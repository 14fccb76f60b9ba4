"""`python -m penstock`: the command line."""

from .cli import main

main()
