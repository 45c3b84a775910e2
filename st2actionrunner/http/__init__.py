"""HTTP requests of actions: what is asked for, which hosts may be asked, and what came back."""
