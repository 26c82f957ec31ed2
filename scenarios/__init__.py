"""The scenarios, one question a file: the name on the command line and the module that holds it.

An explicit list, so that a file does not become a command by lying in a folder.
"""

#: name -> module; each module has `SCENARIO`
SCENARIOS = {
    "applications": "scenarios.applications",
    "evasion": "scenarios.evasion",
    "pakistan-2024-08": "scenarios.pakistan_2024_08",
    "sni-filtering": "scenarios.sni_filtering",
    "throttling": "scenarios.throttling",
    "vpn-disruption": "scenarios.vpn_disruption",
}
