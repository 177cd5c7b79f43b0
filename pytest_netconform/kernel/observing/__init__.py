"""What is asked of a live namespace: which questions there are, and by which commands they are answered."""
