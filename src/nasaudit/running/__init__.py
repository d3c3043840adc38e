"""Doing the tasks of a plan: schedule, executors, records, and what a person sees of it."""
