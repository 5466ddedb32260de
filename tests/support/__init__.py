"""What the tests stand on: a private PostgreSQL, a real API server, and our built programs."""
