"""Where providers tell what came back: one file each, over ``base``."""
