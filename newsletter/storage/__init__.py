"""What is remembered: SQLModel rows, which never leave this folder."""
