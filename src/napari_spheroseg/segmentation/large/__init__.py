"""Planes of any size in bounded memory: read, predicted, labelled and written by window.

The result is that of `segment`, up to the numbers of the objects. The modules, in the order of
the work: `source` (a plane read by window), `resample` (windows of a resized plane), `maps` (the
network's outputs, on disk), `components` (connected components over the borders of windows),
`objects` (components to objects), `scale` (how large the network should see them), `run`.
"""
