"""Champions behind an address: an HTTP server for programs, and pages for people."""
