"""The editor's desk: pages behind a login, over the same services as the command line."""
