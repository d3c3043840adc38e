"""How fast the loss gradient changes: by parameters and by pixels."""
