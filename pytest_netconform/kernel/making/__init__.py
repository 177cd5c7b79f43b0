"""How namespaces are made, and what makes one a machine."""
