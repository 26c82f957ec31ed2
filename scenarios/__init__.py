"""The scenarios, one question a file: the name on the command line and the module that holds it.

An explicit list, so that a file does not become a command by lying in a folder.
"""

#: name -> module; each module has `SCENARIO`
SCENARIOS = {
    "sni-filtering": "scenarios.sni_filtering",
    "throttling": "scenarios.throttling",
}
