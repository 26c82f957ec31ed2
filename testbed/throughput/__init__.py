"""Scenarios that ask how fast: their cells, checks, words, tables and figures, all compared with the control."""
