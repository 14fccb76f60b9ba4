"""Learning to act, by trial and error, in environments with finite states."""
