# A package of another author: its modules are found on a path of their own.
collect_ignore = ["example"]
