"""Go: an engine that learns by playing itself, and plays people."""
