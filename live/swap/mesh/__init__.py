"""The embedded engine: a source face's texture, worn on the target's landmark mesh. Runs anywhere, needs no weights."""

from live.swap.mesh.engine import MeshEngine, MeshOptions

__all__ = ["MeshEngine", "MeshOptions"]
