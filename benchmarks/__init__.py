"""How fast nasaudit is beside other libraries, on this machine: `python -m benchmarks`."""
