"""Finding and following faces, and the gallery of source faces."""
