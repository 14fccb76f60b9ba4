"""Dialogues: a reply that is found or written, from the turns before it."""
