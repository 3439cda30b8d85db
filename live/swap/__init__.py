"""Swapping: the pipeline of one frame and the engines."""
