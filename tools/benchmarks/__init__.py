"""How fast is it, and how much memory does it take, on this machine?

`python -m deeplab.tools.benchmarks` lists what is measured: `training`, `data`, `evaluation`,
`inference`, `distributed`; `options` is what they are asked for. Each figure comes from a process
of its own, `child`; `torch_peer` is PyTorch's side.
"""
