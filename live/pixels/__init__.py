"""Pixel operations; knows no faces."""
