"""Networks and weights in files of others: what a file is, and the module that it makes."""
