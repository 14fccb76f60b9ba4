"""Tables: a column, a class or a number, from the others."""
