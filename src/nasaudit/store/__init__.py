"""The store: what each task left, by its digest."""
