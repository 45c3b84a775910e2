"""Sensors: the base classes that packs import, the program that runs one sensor, and the container of them all."""
