"""Settings, frozen: the only reader of the configuration file and of the environment.

Promises that what it returns can be used as it is: every key is known, every value possible, relative paths
are resolved against the file, secrets are read and masked. Everything wrong is a ConfigurationError that names
the key, the value and what is allowed. It opens no database and makes no connection.
"""
