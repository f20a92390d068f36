"""How are the sample people drawn, each pixel with its class?

A picture: `scene`, of a `person` in front of a `background` with `clutter`. A person: `body`,
`garments`, `head`. How shapes become pixels: `canvas`, `raster`, `textures`. As files:
`raw_folders`, `contact_sheet`.
"""
