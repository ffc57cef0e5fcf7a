"""Pages for readers and the editor, over the same services as the command line."""
