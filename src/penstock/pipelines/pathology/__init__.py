"""Tissue images in folders, one per class: which class, and where in the image that shows."""
