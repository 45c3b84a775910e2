"""What runs in the process of one sensor. Imports the standard library and nothing of the platform but its kernel's
``action_service``: it lives in the virtual environment of any pack."""
