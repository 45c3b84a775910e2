"""The container: starts a process for each sensor, keeps what it prints, and takes its events."""
