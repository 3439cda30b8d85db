"""live: a real-time face swap for webcams and livestreams."""

__version__ = "0.1.0"
