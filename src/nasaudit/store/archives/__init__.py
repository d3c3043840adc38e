"""Records that leave a store, and records of others that come into one."""
