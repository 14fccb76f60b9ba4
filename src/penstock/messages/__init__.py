"""What the user reads: errors, tables on the terminal, names from outside made safe to show."""
