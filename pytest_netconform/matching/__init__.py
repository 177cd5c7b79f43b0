"""Expectations as values: what a suite declares, compiled once with its positions, then held against facts."""
