"""Suite and lab files as pytest items, and the run that they are part of."""
