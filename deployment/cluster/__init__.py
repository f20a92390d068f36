"""How do several processes train one network?

`tasks` says which there are; `replica` is a worker, `synchronous` adds up gradients,
`parameter_server` holds the variables, `watch` ends what waits in vain.
"""
