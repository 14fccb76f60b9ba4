"""Boxes around what is in images, of which class, and how many there are."""
