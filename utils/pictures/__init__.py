"""How do predictions become pictures?

`of_files` reads own pictures, `writer` writes what is seen in them; `of_records` does both for a
split. `drawing` is what classes look like.
"""
