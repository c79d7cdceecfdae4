"""Model endpoints behind one protocol: wire clients of our own, and the offline models that stand in for them."""
