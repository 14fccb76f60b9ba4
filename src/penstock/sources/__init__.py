"""Where raw data comes from when it is not yours: a sample made here, or a download."""
