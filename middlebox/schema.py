"""The JSON Schema of a policy file (draft 2020-12), for editors; made from the grammar that reads the files.

It tells shapes, not meanings: that a list exists, or that a box is able to do what a rule asks, only `load` knows.
"""

from __future__ import annotations

from middlebox.grammar.document import document_schema

#: what a policy file's first line says so that an editor completes it
EDITOR_LINE = "# yaml-language-server: $schema=policy.schema.json"


def json_schema() -> dict[str, object]:
    """The schema as a JSON object."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A policy of penstock",
        "description": "One box and its rules: box (ability), lists, rules (match, action, memory).",
        **document_schema(),
    }
