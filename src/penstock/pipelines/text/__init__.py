"""Language models: from any text to a network that models it and writes more of it."""
