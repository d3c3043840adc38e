"""Drawings of cells and of manual families, for a terminal and as SVG. No torch."""
