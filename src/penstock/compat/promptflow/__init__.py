"""What `import promptflow…` gives a user's flow code."""
