"""How does a checkpoint become files that label as it does?

`formats` is the table of formats and writes SavedModels, `comparison` labels pictures with both,
`checked_export` writes all files or none.
"""
