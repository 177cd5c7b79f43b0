"""Sockets inside namespaces, driven by one epoll, and what ICMP says."""
