"""A box, a match and forged packets in plain English: the parts of `sentences`. Nothing is decided or read here."""
