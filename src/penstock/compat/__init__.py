"""What keeps other tools' user code working."""
