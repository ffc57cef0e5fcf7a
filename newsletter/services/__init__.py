"""The verbs. Cron, the scheduler, the command line and the web call the same ones."""
