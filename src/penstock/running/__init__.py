"""Bringing pipelines up to date: DVC's steps, turns, runs in a process of their own."""
