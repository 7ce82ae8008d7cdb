"""Processes of the attempts: the fork server, its client, and the cores they share."""
