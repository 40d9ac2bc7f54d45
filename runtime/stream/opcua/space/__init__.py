"""Address space of the server: types, nodes, events and methods."""
