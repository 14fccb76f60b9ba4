"""Handwritten digits: the four IDX files of MNIST, or any others of 28x28 grey images."""
