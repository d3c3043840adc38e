"""The report's sections, one file each. An attack family is one file and one line in `families.py`."""
