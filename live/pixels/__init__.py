"""Pixel operations; knows no faces."""

# Before OpenCV: both wheels carry a libxcb, and grabbing a screen through PyAV crashes the process with OpenCV's.
import av as av
