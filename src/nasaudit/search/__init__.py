"""Search: a method on a space and data gives cells. Specs are in `spec.searches`, methods in `methods`."""
