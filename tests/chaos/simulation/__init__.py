"""A world in one thread: a clock, a database and a broker that fail at the wrong moment, and actors that live in it.

The product's own code runs in it, unchanged. Whatever an actor asks of database, broker or clock is a moment at which
another one may go on instead, or at which it dies. Chance decides, from a seed: the same seed plays the same schedule.
"""
