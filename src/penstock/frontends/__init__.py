"""Every flow format ends here, as a Flow."""
