"""A finished study held to a policy, or compared with another one. No torch."""
