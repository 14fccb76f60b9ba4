"""Classes of the nodes of a graph, from their features and from whom they are linked to."""
