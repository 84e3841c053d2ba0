"""One probe for each library, see `clients.probing`."""
