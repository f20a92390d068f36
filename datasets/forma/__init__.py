"""How are the Forma human-parsing sets built and put together?

`storage` says where a set is, `builder_flags` what its builders share, `combined_sets` joins built
sets.
"""
