"""Prefect's server and worker, and MLflow's pages, as services of one project on one machine."""
