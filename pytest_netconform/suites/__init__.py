"""Suites: declared invariants, read from YAML and judged from a target's answers."""
