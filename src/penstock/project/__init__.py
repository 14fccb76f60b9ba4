"""The project at hand: its folders, its code, its login, its processes."""
