"""How does a trained network leave, and on how many devices is it trained?

`inference` labels pictures with any model; `model_deploy` makes clones (`deployment_config` says
how many and where), `staging` feeds devices, `machine_flags` has their flags. Folders, from the
bottom: `graphs`, `formats`, `opening`, `exporting`; `cluster`.
"""
