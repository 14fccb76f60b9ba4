"""The five stages, one function each, the same for every pipeline."""
