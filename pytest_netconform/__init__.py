"""Check container nodes' networks, and rebuild their known failures in namespaces."""

__version__ = "0.1.0"
