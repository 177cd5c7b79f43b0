"""Top of the tests; empty on purpose: it is read too when a built-in suite is collected from a checkout."""
