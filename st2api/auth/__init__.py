"""The authentication service: gives tokens for passwords. A daemon of its own, since checking a password takes long."""
