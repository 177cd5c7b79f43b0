"""Facts: the things observed, as frozen values, and pure parsers of what the node's own tools print."""
