"""Measuring: what the tables of the README come from."""
