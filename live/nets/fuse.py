"""stub"""
from live.nets.graph import Graph
def fuse(graph: Graph) -> Graph:
    return graph
