"""Spoken words in folders, one per word: which word, also from a voice never heard before."""
