"""Ray (extra `ray`): jobs on the cores and GPUs of one machine or many, which need not share a file system."""
