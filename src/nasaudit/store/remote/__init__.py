"""A store at a URL: an object store or a file server has the records, and this machine a mirror of those it used."""
