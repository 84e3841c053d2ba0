"""Other people's libraries on our environments: one pinned environment each, and the table of `docs/clients.md`."""
