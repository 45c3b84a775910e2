"""Action chains: one node after another."""
