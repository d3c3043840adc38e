"""How much the loss gradient of a victim varies."""
