"""Folders of files, a folder a class."""
