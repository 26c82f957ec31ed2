"""The simulated network: virtual time on SimPy, real packet bytes, the same topology and censor as the emulated one.

It needs no root and no kernel. What the parts are: `clock` counts nanoseconds, `pipe` is one direction of a link,
`network` routes packets from host to host and through the boxes, `host` is a machine with TCP and UDP, `tcp` its
connections. Packets are callbacks; what people and programs do is a SimPy process that reads from top to bottom.
"""
