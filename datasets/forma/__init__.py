"""How are the Forma human-parsing sets built and put together?

`storage` says where a set is, and how it is built there or joined from others; `builder_flags` is
what the builders share.
"""
