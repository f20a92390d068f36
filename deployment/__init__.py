"""How does a trained network leave, and on how many devices is it trained?

`inference` labels pictures with any model, which `opened_models` opens; `model_deploy` makes
clones, `staging` feeds devices, `machine_flags` has their flags. Folders, from the bottom:
`graphs`, `formats`, `exporting`; `cluster`.
"""
