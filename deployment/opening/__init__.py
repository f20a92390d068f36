"""How is a model of any format opened for labelling?

`opened_models` puts all of them behind one call; `zoo_archive` unpacks published ones.
"""
