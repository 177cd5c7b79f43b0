"""Expectations as values: what a suite declares, compiled once, then held against facts."""
