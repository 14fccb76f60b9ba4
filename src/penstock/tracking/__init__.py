"""Runs, lineage, model packaging and the registry: everything that knows MLflow."""
