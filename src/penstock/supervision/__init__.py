"""Prefect's server and worker, and MLflow's pages, as services of one project on one machine."""

TAG = "penstock"  # of our flow runs: dead ones are told by it
