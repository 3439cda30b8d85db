"""Twins: ONNX files with the shape of the field's networks and seeded random weights.

The real weights carry licences that forbid having them here, and speed, memory and rounding do not ask what a network
has learnt. `live bench` writes full-size twins where it runs; tests write narrow ones.
"""

from live.bench.twins.catalogue import SMALL, TWINS, Twin, write_twin

__all__ = ["SMALL", "TWINS", "Twin", "write_twin"]
