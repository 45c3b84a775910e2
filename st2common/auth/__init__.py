"""Who asks: tokens, API keys, and the passwords that a token is got with. ``docs/authentication.md`` is the concept."""
