"""Commands inside namespaces, and what ends and buries them."""
