"""Cities by ray tracing (Sionna RT): `city.trace` makes a link matrix of a scene or of a map's buildings.

`scenes` writes meshes, `places` chooses streets and sites, `child` is the tracer's process, `tracing` runs it,
`picture` draws the map. docs/ray_tracing.md is the guide.
"""
