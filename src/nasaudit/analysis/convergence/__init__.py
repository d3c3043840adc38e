"""How fast a victim learned."""
