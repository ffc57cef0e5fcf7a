"""What is decided: values and pure functions. No I/O, no clock, no randomness, no third-party import."""
