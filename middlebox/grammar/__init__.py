"""The grammar of policy files: one description of each word, from which reading, JSON Schema and word list all come.

Shapes say how a value is written; `box`, `matching`, `doing` and `document` put them together. Nothing here knows how a
packet looks, and no module of the engine imports it.
"""
