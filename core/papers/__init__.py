"""Figures and tables for papers: vector drawings at a column's width, LaTeX. Matplotlib is loaded by the first figure."""
