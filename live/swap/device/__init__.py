"""Swapping on the device: regions go up once, are finished there, and come down once."""
