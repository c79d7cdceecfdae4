"""Models behind one protocol: wire clients, limits, prices, and the offline ones."""
