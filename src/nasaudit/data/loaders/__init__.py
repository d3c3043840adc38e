"""One file per data set or file format. None of them imports torch, unless it is asked to download."""
