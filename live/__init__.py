"""live: a real-time face swap for webcams and livestreams."""

# Before OpenCV, whoever imports that: both wheels carry a libxcb, and grabbing a screen through PyAV crashes the
# process when OpenCV's was loaded first.
import av as av

__version__ = "0.1.0"
