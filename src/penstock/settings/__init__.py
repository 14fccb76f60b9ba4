"""params.yaml: the types of settings, reading them, explaining them."""
