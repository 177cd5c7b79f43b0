"""Packets, as the kernel hands them to a packet socket."""
