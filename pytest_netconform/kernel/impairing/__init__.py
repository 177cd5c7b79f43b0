"""What makes a device worse for a while, and puts back what the kernel throws away meanwhile."""
