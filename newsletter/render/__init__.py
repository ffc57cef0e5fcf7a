"""What a reader sees: papers and picks become HTML and text."""
