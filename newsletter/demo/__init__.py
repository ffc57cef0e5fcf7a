"""The whole path on bundled papers and an inbox on this machine, for whoever wants to see it at work first."""
