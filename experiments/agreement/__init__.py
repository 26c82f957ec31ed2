"""How far two runs of one scenario agree, one in the lab and one in virtual time: a file for each kind of scenario."""
