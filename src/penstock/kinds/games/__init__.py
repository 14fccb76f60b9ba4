"""Games on a board of points: rules, search by playouts, records of games."""
