"""The methods, a file each. `implementation` of a method's spec names its class."""
